"""Risk: tails, regret and the worth of information, against closed forms."""

import numpy as np
import pytest
from scipy.stats import norm

from where_to_run.analysis import draws
from where_to_run.formulas import risk


def spread(number, dimensions):
    return draws.points(number, dimensions, 7)


def test_the_tail_of_a_normal_cost_is_its_density_over_the_share():
    # cases G04: CVaR of N(0, 1) at 95 % is phi(1.6449) / 0.05 = 2.0627; of N(10, 3) it is 10 + 3 x 2.0627
    cost = norm.ppf(spread(2**16, 1))
    assert risk.tail_mean(cost) == pytest.approx([2.0627], rel=2e-4)
    assert risk.tail_mean(10 + 3 * cost) == pytest.approx([16.188], rel=2e-4)


@pytest.mark.parametrize("sigma", [0.5, 1.0])
def test_the_tail_of_a_lognormal_cost_is_its_partial_expectation(sigma):
    # E[X; X > q] / 0.05 = exp(s^2/2) Phi(s - z) / 0.05, z = 1.6449 (Black and Scholes)
    exact = np.exp(sigma**2 / 2) * norm.cdf(sigma - norm.ppf(0.95)) / 0.05
    assert risk.tail_mean(np.exp(sigma * norm.ppf(spread(2**17, 1)))) == pytest.approx([exact], rel=2e-3)


def test_a_draw_on_the_edge_of_the_tail_counts_in_part():
    # the worst 0.05 x 30 = 1.5 of 1 to 30: (30 + 29/2) / 1.5 = 29.667
    assert risk.tail_mean(np.arange(1.0, 31)[:, None]) == pytest.approx([44.5 / 1.5])


def test_three_draws_of_two_options_by_hand():
    # costs (1, 2), (4, 3), (3, 7): A is best in two of three, expected 8/3 against 4; the cheapest of each is 7/3
    cost = np.array([[1.0, 2], [4, 3], [3, 7]])
    assert risk.best(cost) == pytest.approx([2 / 3, 1 / 3])
    assert risk.regret(cost).mean(axis=0) == pytest.approx([1 / 3, 5 / 3])
    assert risk.perfect_information(cost) == pytest.approx(8 / 3 - 7 / 3)
    assert list(risk.near(cost)) == [True, False]
    assert list(risk.near(cost, 0.5)) == [True, True]
    assert list(risk.near(cost, 0.499)) == [True, False]


def unit_loss(mean, sd):
    """E[max(0, X)] - max(0, mean) of a normal X: s phi(m/s) - |m| Phi(-|m|/s) (Raiffa and Schlaifer 1961)."""
    return sd * norm.pdf(mean / sd) - abs(mean) * norm.cdf(-abs(mean) / sd)


def test_information_on_two_normal_inputs_is_worth_the_unit_normal_loss():
    # option B costs 0.3 + 1.0 x + 0.4 y more than A: knowing all removes a loss of sd sqrt(1.16), one that of its own
    x, y = norm.ppf(spread(2**14, 2)).T
    cost = np.stack([np.zeros_like(x), 0.3 + x + 0.4 * y], axis=1)
    assert risk.perfect_information(cost) == pytest.approx(unit_loss(0.3, np.sqrt(1.16)), rel=5e-3)
    assert risk.partial_information(cost, x) == pytest.approx(unit_loss(0.3, 1.0), rel=2e-2)
    assert risk.partial_information(cost, y) == pytest.approx(unit_loss(0.3, 0.4), rel=5e-2)


def test_an_input_that_changes_no_choice_is_worth_nothing_and_none_is_worth_more_than_all():
    x, y = spread(2**12, 2).T
    cost = np.stack([x, 2 + x + y], axis=1)
    assert risk.partial_information(cost, y) == 0
    assert risk.perfect_information(cost) == pytest.approx(0, abs=1e-12)
    cost = np.stack([x, 0.4 + 0 * y, y], axis=1)
    assert 0 < risk.partial_information(cost, x) < risk.perfect_information(cost)


def test_options_that_tie_share_the_draw():
    assert risk.best(np.array([[1.0, 1, 2], [3, 2, 1]])) == pytest.approx([0.25, 0.25, 0.5])


def test_an_option_that_cannot_serve_in_a_draw_is_not_chosen_there():
    cost = np.array([[1.0, 2], [np.inf, 3]])
    assert risk.best(cost) == pytest.approx([0.5, 0.5])
    assert risk.perfect_information(cost) == pytest.approx(2.5 - 2.0)
