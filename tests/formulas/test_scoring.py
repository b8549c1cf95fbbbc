"""Scoring: values on fixed scales, premiums from an order of priorities, drawn ones, generalised cost, all by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from where_to_run.analysis import draws
from where_to_run.formulas import risk, scoring
from where_to_run.inputs.question import CRITERIA, PRIORITIES


@pytest.mark.parametrize(("amount", "share"), [(75, 0.0), (50, 0.0), (25, 0.5), (10, 0.8), (0, 1.0), (-5, 1.0)])
def test_value_runs_from_the_worst_anchor_to_the_best(amount, share):
    # By hand, worst 50 and best 0: (amount - 50) / (0 - 50), flat beyond
    assert scoring.value(amount, worst=50, best=0) == pytest.approx(share)


def test_value_rises_where_more_is_better():
    # By hand, worst 1 and best 5: (2 - 1) / 4
    assert scoring.value(2, worst=1, best=5) == pytest.approx(0.25)


def test_equal_anchors_give_all_or_nothing():
    # at or below the common anchor all, above it nothing; no division by zero
    assert list(scoring.value(np.array([9.99, 10.0, 10.01]), worst=10, best=10)) == [1, 1, 0]


# Premiums


def test_criteria_not_named_follow_after_cost_in_their_order():
    # By hand: control is worth 0.5; then cost, so launch 0.1 / 2 and skills 0.1 / 4, t = min(0.10, 0.5 / 5)
    found = scoring.premiums(["control"], ["control", "launch", "skills"], 0.5)
    assert found == pytest.approx([0.5, 0.05, 0.025])


def test_a_full_order_is_taken_as_it_is():
    # By hand: launch 0.4, skills 0.2; after cost t = min(0.10, 0.4 / 5) = 0.08, so control 0.04
    found = scoring.premiums(["launch", "skills", "cost", "control"], ["control", "launch", "skills"], 0.4)
    assert found == pytest.approx([0.04, 0.4, 0.2])


@pytest.mark.parametrize(("premium", "first"), [(3.0, 0.05), (0.5, 0.05), (0.25, 0.025), (0.0, 0.0)])
def test_with_cost_first_the_premium_acts_only_below_a_half(premium, first):
    # By hand: t = min(0.10, premium / 5) and the first after cost gets t / 2
    assert scoring.premiums(["cost"], ["control"], premium) == pytest.approx([first])


orders = st.permutations(PRIORITIES).flatmap(lambda order: st.integers(0, len(order)).map(lambda n: order[:n]))
most = st.floats(0, 3)


def around_cost(order):
    """Positions in CRITERIA of those before cost, and of those after it."""
    whole = [*order, *(c for c in ("cost", *CRITERIA) if c not in order)]
    at = whole.index("cost")
    return [[CRITERIA.index(c) for c in part] for part in (whole[:at], whole[at + 1 :])]


@given(orders, most)
def test_any_premiums_fall_with_the_order_and_are_bounded(order, premium):
    before, after = around_cost(order)
    found = scoring.premiums(order, CRITERIA, premium)
    assert (np.diff(found[before]) <= 0).all() and (np.diff(found[after]) <= 0).all() and (found >= 0).all()
    assert found[before].sum() <= 2 * premium and found[after].sum() <= min(0.10, premium / 5)


# Drawn premiums


def cube(dimensions, number=2**14):
    return draws.points(number, dimensions, 5)


def test_the_mean_of_drawn_premiums_is_that_of_sorted_points_before_cost_and_of_sorted_gaps_after():
    # before cost 0.4 x the means of three sorted points of the unit interval, 3/4, 2/4, 1/4; after it 0.08 (0.4 / 5) x
    # those of two of three gaps between two sorted points, which share 2/3 as 3/4 and 1/4 (case F02): 1/2 and 1/6
    criteria = ["a", "b", "c", "d", "e"]
    drawn = scoring.drawn_premiums(cube(5), ["c", "a", "d", "cost", "e"], criteria, 0.4)
    assert drawn[:, [2, 0, 3]].mean(axis=0) == pytest.approx([0.3, 0.2, 0.1], abs=1e-3)
    assert drawn[:, [4, 1]].mean(axis=0) == pytest.approx([0.04, 0.08 / 6], abs=1e-3)


@given(orders, most)
def test_drawn_premiums_keep_the_order_and_the_bounds_of_the_rule(order, premium):
    before, after = around_cost(order)
    drawn = scoring.drawn_premiums(cube(len(CRITERIA), 64), order, CRITERIA, premium)
    assert (np.diff(drawn[:, before]) <= 0).all() and (np.diff(drawn[:, after]) <= 0).all() and (drawn >= 0).all()
    assert (drawn[:, before] <= premium).all() and (drawn[:, after].sum(axis=1) <= min(0.10, premium / 5)).all()


def first(values, premiums, cost=1.0):
    """Share of premiums with which each option is first."""
    return risk.best(scoring.generalised_cost(cost, premiums[:, None], np.asarray(values)))


@pytest.mark.parametrize(("premium", "own"), [(0.5, 0.2), (0.8, 0.5), (0.4, 0.0)])
def test_how_often_the_dearer_of_two_options_is_first_is_known(premium, own):
    # API 10,000 with control 0, own 14,000 with control 1: own is first above 0.4, and premiums lie evenly up to the
    # most: (0.5 - 0.4) / 0.5, (0.8 - 0.4) / 0.8, never
    drawn = scoring.drawn_premiums(cube(1), ["control"], ["control"], premium)
    assert first([[0.0], [1.0]], drawn, np.array([1e4, 1.4e4])) == pytest.approx([1 - own, own], abs=1e-3)


@pytest.mark.parametrize(
    ("order", "shares"),
    [(None, [1 / 3, 1 / 3, 1 / 3]), (["x", "y"], [2 / 3, 0, 1 / 3]), (["y", "x"], [0, 2 / 3, 1 / 3])],
)
def test_how_often_three_options_that_cost_the_same_are_first_is_known(order, shares):
    # A (1, 0), B (0, 1), C (0.6, 0.6): A loses q, B p, C 0.4 (p + q). A is first for q < 2/3 p, B for p < 2/3 q: a third
    # of the square each. Where p >= q, half of the square, A has two thirds of it and B nothing
    drawn = 0.5 * cube(2) if order is None else scoring.drawn_premiums(cube(2), order, ["x", "y"], 0.5)
    assert first([[1.0, 0], [0, 1], [0.6, 0.6]], drawn) == pytest.approx(shares, abs=5e-3)


# Generalised cost


def test_generalised_cost_adds_to_the_cost_what_its_drawbacks_are_worth():
    # By hand: 100 x (1 + 0.5 x 0.8 + 0.1 x 0) = 140, and 100 x (1 + 0.5 x 0 + 0.1 x 1) = 110
    found = scoring.generalised_cost(np.array([100, 100]), np.array([0.5, 0.1]), np.array([[0.2, 1], [1, 0]]))
    assert found == pytest.approx([140, 110])


tables = st.lists(st.tuples(st.floats(1, 1e6), *[st.floats(0, 1)] * 3), min_size=2, max_size=8)
"""Cost, and values on three criteria."""


@given(tables, st.data())
def test_dropping_an_alternative_never_changes_the_order_of_the_rest(amounts, data):
    table = np.array(amounts)

    def cost(rows):
        return scoring.generalised_cost(rows[:, 0], np.array([0.5, 0.25, 0.05]), rows[:, 1:])

    dropped = data.draw(st.integers(0, len(table) - 1))
    rest = np.delete(np.arange(len(table)), dropped)
    before, after = cost(table)[rest], cost(table[rest])
    assert list(np.argsort(after, kind="stable")) == list(np.argsort(before, kind="stable"))
