"""How firm a rank is: weights with a known mean, and rank acceptability with a known answer."""

import numpy as np
import pytest

from where_to_run.analysis import draws
from where_to_run.formulas import scoring


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
