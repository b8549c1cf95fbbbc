"""How firm a rank is: published closeness, flows and weights, and rank acceptability with a known answer."""

import numpy as np
import pytest

from where_to_run.analysis import draws
from where_to_run.formulas import scoring

FIGHTERS = np.array(
    [
        [2.0, 1500, 20000, 5.5, 5, 9],
        [2.5, 2700, 18000, 6.5, 3, 5],
        [1.8, 2000, 21000, 4.5, 7, 7],
        [2.2, 1800, 20000, 5.0, 5, 5],
    ]
)
WEIGHTS = np.array([0.2, 0.1, 0.1, 0.1, 0.2, 0.3])


def more_is_better():
    return FIGHTERS * [1, 1, 1, -1, 1, 1]  # the fourth is a price


def test_hwang_and_yoons_aircraft_have_their_published_closeness():
    assert scoring.topsis(more_is_better(), WEIGHTS) == pytest.approx([0.643, 0.268, 0.613, 0.312], abs=1e-3)


def test_the_aircraft_have_the_net_flows_pymcdm_gives_them():
    # pymcdm 1.4.0, PROMETHEE_II('usual'), 2026-11-22: 0.1, -0.3, 0.33333333, -0.13333333
    assert scoring.promethee(more_is_better(), WEIGHTS) == pytest.approx([0.1, -0.3, 1 / 3, -2 / 15])


def test_topsis_turns_round_when_a_dominated_option_is_added_and_the_additive_value_does_not():
    # cases F04: (4, 7), (9, 2), (2, 3), then also (2, 7), which the first dominates
    three, half = np.array([[4.0, 7], [9, 2], [2, 3]]), np.array([0.5, 0.5])
    four = np.vstack([three, [2, 7]])
    assert scoring.topsis(three, half) == pytest.approx([0.5722, 0.5231, 0.1284], abs=1e-4)
    assert scoring.topsis(four, half) == pytest.approx([0.5126, 0.5901, 0.1083, 0.4099], abs=1e-4)
    added = [scoring.score(np.asarray(scoring.value(m, 0.0, 10.0)), half) for m in (three, four)]
    assert list(np.argsort(added[0])) == list(np.argsort(np.asarray(added[1])[:3]))


def test_the_mean_of_weights_in_an_order_is_the_rank_order_centroid():
    # cases F07 and F02: 0.5208, 0.2708, 0.1458, 0.0625, here for the order third, first, fourth, second
    drawn = scoring.drawn_weights(draws.points(2**14, 4, 5), np.array([2, 0, 3, 1]))
    assert drawn.sum(axis=1) == pytest.approx(1)
    assert drawn.mean(axis=0) == pytest.approx([0.2708, 0.0625, 0.5208, 0.1458], abs=2e-3)
    assert (np.diff(drawn[:, [2, 0, 3, 1]], axis=1) <= 0).all()


def test_rank_acceptability_of_three_options_on_two_criteria_is_known():
    # A (1, 0), B (0, 1), C (0.6, 0.6): with w spread over 0..1, A is first for w > 0.6, B for w < 0.4, C between;
    # C is never last; of A and B the other one is last: C is first on 0.2 and second on the rest
    values = np.array([[1.0, 0], [0, 1], [0.6, 0.6]])
    drawn = scoring.drawn_weights(draws.points(2**14, 2, 5))
    found = scoring.acceptability(np.broadcast_to(values, (len(drawn), 3, 2)), drawn)
    # Dirichlet(1, 1) is uniform in w
    assert found.rank == pytest.approx(np.array([[0.4, 0.1, 0.5], [0.4, 0.1, 0.5], [0.2, 0.8, 0]]), abs=5e-3)
    assert found.central == pytest.approx(np.array([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]]), abs=5e-3)
    assert found.confidence == pytest.approx([1, 1, 1])


def test_an_option_that_is_never_first_has_no_central_weights_and_no_confidence():
    values = np.broadcast_to([[1.0, 1], [0, 0]], (64, 2, 2))
    found = scoring.acceptability(values, scoring.drawn_weights(draws.points(64, 2, 5)))
    assert np.isnan(found.central[1]).all() and list(found.confidence) == [1, 0]


def test_options_that_tie_share_the_better_rank():
    assert list(scoring.ranks(np.array([0.3, 0.9, 0.9, 0.1]))) == [3, 1, 1, 4]
