"""Difficulty: a router before the call and a cascade, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from where_to_run.formulas import difficulty

SMALL, JUDGE, BIG = 0.00045, 0.00045, 0.018


def test_a_cascade_pays_below_95_per_cent_of_hard_requests():
    # By hand: 1 - 0.0009 / 0.018 = 0.95
    assert difficulty.cascade_limit(SMALL, BIG, JUDGE) == pytest.approx(0.95)


def test_at_30_per_cent_a_cascade_costs_65_per_cent_less_than_the_big_model_alone():
    # By hand: 0.00045 + 0.00045 + 0.3 x 0.018 = 0.0063, and 0.0063 / 0.018 = 0.35
    assert difficulty.cascade_cost(SMALL, BIG, 0.3, JUDGE) == pytest.approx(0.0063)


def test_a_router_sends_each_request_to_one_model():
    # By hand: 0.00002 + 0.7 x 0.00045 + 0.3 x 0.018 = 0.005735; 1 - 0.00002 / 0.01755 = 0.99886
    assert difficulty.router_cost(SMALL, BIG, 0.3, 0.00002) == pytest.approx(0.005735)
    assert difficulty.router_limit(SMALL, BIG, 0.00002) == pytest.approx(0.99886, abs=1e-5)


@given(st.floats(0.001, 0.1), st.floats(0.2, 1), st.floats(0.0001, 0.05))
def test_at_its_limit_either_costs_what_the_big_model_costs(small, big, extra):
    at = difficulty.router_limit(small, big, extra)
    assert difficulty.router_cost(small, big, at, extra) == pytest.approx(big)
    at = difficulty.cascade_limit(small, big, extra)
    assert difficulty.cascade_cost(small, big, at, extra) == pytest.approx(big)
