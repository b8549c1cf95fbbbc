import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from where_to_run.formulas import scoring
from where_to_run.inputs.question import CRITERIA


@pytest.mark.parametrize(
    "published",
    [
        # Edwards & Barron (1994) SMARTER table; first: (1 + 1/2 + 1/3 + 1/4) / 4
        [0.5208, 0.2708, 0.1458, 0.0625],
        # Edwards & Barron (1994)
        [0.4567, 0.2567, 0.1567, 0.09, 0.04],
    ],
)
def test_rank_order_weights_are_those_of_edwards_and_barron(published):
    assert scoring.rank_order_weights(len(published)) == pytest.approx(published, rel=5e-4)


def test_rank_order_weights_are_the_mean_of_sorted_random_weights():
    # centroid of the ordered simplex
    draws = np.random.default_rng(7).dirichlet(np.ones(4), 200_000)
    centroid = np.sort(draws, axis=1)[:, ::-1].mean(axis=0)
    assert scoring.rank_order_weights(4) == pytest.approx(centroid, abs=0.002)


@given(st.integers(1, 30))
def test_weights_sum_to_one_and_fall_with_the_rank(number):
    weights = scoring.rank_order_weights(number)
    assert weights.sum() == pytest.approx(1)
    assert (np.diff(weights) < 0).all()


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


def test_criteria_not_named_follow_in_their_order():
    # By hand for three: (1 + 1/2 + 1/3)/3 = 0.6111, then (1/2 + 1/3)/3 = 0.2778, then (1/3)/3 = 0.1111
    weights = scoring.weights(["control"], ["cost", "control", "launch"])
    assert weights == pytest.approx([0.2778, 0.6111, 0.1111], abs=5e-5)


def test_a_full_order_is_taken_as_it_is():
    weights = scoring.weights(["launch", "cost", "control"], ["cost", "control", "launch"])
    assert weights == pytest.approx([0.2778, 0.1111, 0.6111], abs=5e-5)


def test_score_is_the_weighted_sum():
    # By hand: 0.7 x 1 + 0.3 x 0.5 = 0.85
    assert scoring.score(np.array([1.0, 0.5]), np.array([0.7, 0.3])) == pytest.approx(0.85)


@given(st.permutations(CRITERIA), st.integers(0, len(CRITERIA)))
def test_any_priorities_weigh_to_one_and_in_their_order(order, named):
    weights = dict(zip(CRITERIA, scoring.weights(order[:named], CRITERIA), strict=True))
    assert sum(weights.values()) == pytest.approx(1)
    ranked = [weights[c] for c in order[:named]]
    assert ranked == sorted(ranked, reverse=True)
    assert all(weights[c] < min(ranked, default=1.0) for c in order[named:])


@given(st.lists(st.tuples(*[st.floats(-10, 110)] * 3), min_size=2, max_size=8), st.data())
def test_dropping_an_alternative_never_changes_the_order_of_the_rest(amounts, data):
    table = np.array(amounts)
    weights = scoring.rank_order_weights(3)

    def scores(rows):
        return scoring.score(scoring.value(rows, worst=np.array([100, 0, 80]), best=np.array([0, 100, 20])), weights)

    dropped = data.draw(st.integers(0, len(table) - 1))
    rest = np.delete(np.arange(len(table)), dropped)
    before, after = scores(table)[rest], scores(table[rest])
    assert list(np.argsort(after, kind="stable")) == list(np.argsort(before, kind="stable"))
