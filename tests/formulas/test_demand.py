import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from where_to_run.formulas import demand


def test_long_prompts_hold_the_partial_expectation_of_a_lognormal():
    # Black-Scholes-type partial expectation: mean 1, cv 1, K 1.
    # E[(X-K)+] = E[X; X>K] - K P(X>K) = mean x token share - K x request share
    requests, tokens = demand.long_prompt_shares(1.0, 1.0, 1.0)
    assert 1.0 * tokens - 1.0 * requests == pytest.approx(0.3227929028, rel=1e-6)


def test_half_of_the_prompts_are_longer_than_the_median():
    # By hand: the median of a log-normal is mean / sqrt(1 + cv^2) = 1000 / sqrt(2) = 707.10678 for cv 1
    requests, tokens = demand.long_prompt_shares(707.10678, 1000.0, 1.0)
    assert requests == pytest.approx(0.5, abs=1e-6)
    assert tokens > 0.5


def test_ten_per_cent_growth_makes_1210_of_1000_requests_in_the_third_month():
    # By hand: 1000 x 1.1 = 1100 in month 2, x 1.1 = 1210 in month 3; month 1 is the first
    months = demand.monthly_requests(1000, 0.1, np.array([1, 2, 3]))
    assert months == pytest.approx([1000, 1100, 1210])


def test_shrinking_by_a_fifth_makes_640_of_1000_requests_in_the_third_month():
    # By hand: 1000 x 0.8 x 0.8 = 640
    assert demand.monthly_requests(1000, -0.2, 3) == pytest.approx(640)


def test_2628000_requests_a_month_are_one_a_second():
    # By hand: 730 h x 3600 s/h = 2,628,000 s a month
    assert demand.requests_per_second(2_628_000) == pytest.approx(1.0)


def test_a_fifth_sensitive_three_tenths_specialised_and_a_tenth_hard_make_eight_streams():
    # By hand: 0.2 x 0.7, 0.2 x 0.3, 0.8 x 0.7, 0.8 x 0.3, each x 0.9 and x 0.1, in the order of question.STREAMS
    expected = [0.126, 0.014, 0.054, 0.006, 0.504, 0.056, 0.216, 0.024]
    assert demand.stream_shares(0.2, 0.3, 0.1) == pytest.approx(expected)


def test_without_hard_requests_there_are_four_streams():
    # By hand: 0.2 x 0.7, 0.2 x 0.3, 0.8 x 0.7, 0.8 x 0.3
    shares = demand.stream_shares(0.2, 0.3, 0)
    assert shares[::2] == pytest.approx([0.14, 0.06, 0.56, 0.24])
    assert (shares[1::2] == 0).all()


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_stream_shares_sum_to_one(sensitive, specialised, hard):
    shares = demand.stream_shares(sensitive, specialised, hard)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()
