"""Load-duration curves: the Gamma law against scipy's closed forms, a measured series against a sum over its hours."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import gamma

from where_to_run.formulas import load_curve

ONE = np.zeros(1, np.intp)
"""The first scenario."""

CVS = np.append(np.geomspace(0.02, 4, 61), [0.5, 1.0, 2.0])[:, None]
LOADS = np.concatenate([[0.0], np.geomspace(1e-3, 60, 400)])


def law(cv) -> load_curve.Gamma:
    return load_curve.Gamma(np.atleast_2d(np.asarray(cv, float)))


def table(asked) -> np.ndarray:
    """What every law of CVS says of all LOADS (or of shares), over (law, load)."""
    loads = np.broadcast_to(LOADS, (len(CVS), len(LOADS)))
    return getattr(law(CVS), asked)(loads, np.arange(len(CVS)))


def scipy_law(cv=CVS):
    return gamma(1 / cv**2, scale=cv**2)


# The Gamma law


def test_the_spill_is_within_a_thousandth_of_the_mean_load_of_scipys_integral():
    # E[(L - K)+] = P(G > K) - K P(L > K), G a Gamma law of one more in shape
    one_more = gamma(1 / CVS**2 + 1, scale=CVS**2)
    exact = one_more.sf(LOADS) - LOADS * scipy_law().sf(LOADS)
    assert np.abs(table("spill") - exact).max() < 1e-3


def test_the_exceedance_is_within_half_a_percent_of_the_hours_of_scipys_survival_function():
    # a steady load crosses its mean at once, so loads are asked for in standard deviations from it; from a hundredth
    # of the mean on, because the most bursty laws fall steeply at nothing
    loads = np.maximum(1e-2, 1 + CVS * np.linspace(-5, 12, 300))
    found = law(CVS).exceedance(loads, np.arange(len(CVS)))
    assert np.abs(found - scipy_law().sf(loads)).max() < 5e-3


@pytest.mark.parametrize("asked", ["spill", "exceedance"])
def test_a_higher_capacity_never_has_more_above_it(asked):
    assert (np.diff(table(asked), axis=1) <= 1e-12).all()


def test_the_level_is_within_a_hundredth_of_scipys_quantile_or_of_the_mean_if_that_is_more():
    shares = np.broadcast_to([0.0005, 0.001, 0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999], (len(CVS), 11))
    exact = scipy_law().isf(shares)
    error = np.abs(law(CVS).level(shares, np.arange(len(CVS))) - exact)
    assert (error / np.maximum(exact, 1.0)).max() < 1e-2


@pytest.mark.parametrize("cv", [0.1, 0.5, 1.0, 2.0])
def test_the_level_exceeded_in_a_share_of_the_hours_is_exceeded_in_it(cv):
    shares = np.array([[0.002, 0.02, 0.2, 0.5, 0.8]])
    level = law(cv).level(shares, ONE)
    assert law(cv).exceedance(level, ONE) == pytest.approx(shares, rel=2e-2)


def test_an_exponential_load_of_ten_spills_two_above_sixteen():
    # 10 exp(-K / 10) at K = 10 ln 5 = 16.094379 is 2
    assert 10 * law(1).spill(np.array([[1.6094379124341003]]), ONE)[0, 0] == pytest.approx(2.0, rel=2e-3)


def test_an_exponential_load_is_above_its_mean_in_one_hour_of_e():
    assert law(1).exceedance(np.array([[1.0]]), ONE)[0, 0] == pytest.approx(0.367879, rel=2e-3)
    assert law(1).level(np.array([[0.367879]]), ONE)[0, 0] == pytest.approx(1.0, rel=2e-3)


def test_own_capacity_for_an_exponential_load_costs_what_the_closed_form_says():
    # own at 0.2, API at 1.0: K* = 10 ln(1.0 / 0.2) = 16.094379, cost 0.2 x 10 x (1 + ln 5)
    capacity = 10 * law(1).level(np.array([[0.2 / 1.0]]), ONE)[0, 0]
    assert capacity == pytest.approx(16.094379, rel=2e-3)
    cost = 0.2 * capacity + 1.0 * 10 * law(1).spill(np.array([[capacity / 10]]), ONE)[0, 0]
    assert cost == pytest.approx(5.218875824868201, rel=1e-3)


def test_own_capacity_for_a_gamma_load_costs_what_the_identity_says():
    # cv 0.5, own at 0.3, API at 1: K* = 1.1905572741, cost 0.4831555473
    capacity = law(0.5).level(np.array([[0.3]]), ONE)
    assert capacity[0, 0] == pytest.approx(1.1905572741, rel=2e-3)
    assert 0.3 * capacity[0, 0] + law(0.5).spill(capacity, ONE)[0, 0] == pytest.approx(0.4831555473, rel=1e-3)


def test_a_hybrid_breaks_even_at_the_volume_of_the_closed_form():
    # F0 20,000, a 6.0, v 0.4, f 1.5, cv 1.2: r = 1.5 / 5.6, q = Q(k + 1, k K*)
    # = spill + K* r = 0.68459515, mu* = 20,000 / (5.6 x (1 - q)) = 11,323.3152
    r = 1.5 / 5.6
    capacity = law(1.2).level(np.array([[r]]), ONE)
    q = (law(1.2).spill(capacity, ONE) + capacity * r)[0, 0]
    assert q == pytest.approx(0.68459515, rel=1e-3)
    assert 20_000 / (5.6 * (1 - q)) == pytest.approx(11_323.3152, rel=3e-3)


def test_above_no_capacity_comes_the_whole_load_and_above_an_endless_one_nothing():
    every = np.arange(len(CVS))
    nothing, endless = np.zeros((len(CVS), 1)), np.full((len(CVS), 1), np.inf)
    assert law(CVS).spill(nothing, every) == pytest.approx(1.0, abs=1e-3)
    assert law(CVS).spill(endless, every) == pytest.approx(0.0, abs=1e-6)
    assert law(CVS).exceedance(endless, every) == pytest.approx(0.0, abs=1e-6)


def test_scenarios_asked_for_in_any_order_each_get_their_own_law():
    order = np.array([2, 0, 2, 1])
    laws = law(np.array([[0.2], [1.0], [3.0]]))
    loads = np.array([[0.5, 1.5], [0.7, 1.7], [0.9, 1.9], [1.1, 2.1]])
    for asked in ("spill", "exceedance"):
        alone = [getattr(law([0.2, 1.0, 3.0][s]), asked)(loads[[i]], ONE)[0] for i, s in enumerate(order)]
        assert getattr(laws, asked)(loads, order) == pytest.approx(np.array(alone), abs=1e-12)


# A measured series

DAY = [2, 2, 1, 1, 1, 2, 4, 7, 9, 10, 10, 9, 9, 10, 10, 9, 8, 7, 6, 5, 4, 3, 3, 2]
"""Requests an hour; 134 in all, 5.583 in the mean hour."""

series = st.lists(st.floats(0, 1e6), min_size=1, max_size=50).filter(lambda hours: max(hours) > 1e-3)


@given(hours=series, load=st.floats(0, 20))
def test_what_spills_of_a_measured_series_is_the_mean_over_its_hours(hours, load):
    relative = np.array(hours) / np.mean(hours)
    plain = sum(max(hour - load, 0.0) for hour in relative) / len(hours)
    assert load_curve.Measured(np.array(hours)).spill(np.array([[load]]), ONE)[0, 0] == pytest.approx(plain, abs=1e-12)


@given(hours=st.lists(st.integers(0, 1000), min_size=1, max_size=50).filter(any), number=st.integers(0, 49))
def test_a_measured_series_exceeds_one_of_its_hours_in_the_share_of_the_hours_that_are_higher(hours, number):
    # hours are whole, so a millionth above one of them is below the next
    load = hours[number % len(hours)] + 1e-6
    higher = sum(hour > load for hour in hours) / len(hours)
    found = load_curve.Measured(np.array(hours)).exceedance(np.array([[load / np.mean(hours)]]), ONE)
    assert found[0, 0] == pytest.approx(higher, abs=1e-12)


def test_replicas_and_an_api_for_a_measured_day_cost_what_trying_each_number_says():
    # 3 requests an hour and 12 a day for a replica, 6 for a request elsewhere. By
    # hand: 4 replicas carry 12, more than the 10 of the busiest hour: 48. Three carry 9: four hours of 10 spill 4,
    # 36 + 24
    day = load_curve.Measured(np.array(DAY))
    mean = 134 / 24
    cost = [12 * n + 6 * 24 * mean * day.spill(np.array([[3 * n / mean]]), ONE)[0, 0] for n in range(7)]
    assert np.argmin(cost) == 4
    assert cost[3:5] == pytest.approx([60, 48])


def test_the_level_of_a_measured_day_is_the_hour_exceeded_in_that_share():
    # of 24 hours 4 are of 10: 9 is exceeded in 4/24, 10 in none; 1 is the lowest, exceeded in 21
    day, mean = load_curve.Measured(np.array(DAY)), 134 / 24
    level = day.level(np.array([[4 / 24 + 1e-9, 4 / 24 - 1e-9, 1e-9, 21 / 24 + 1e-9]]), ONE)[0] * mean
    assert level == pytest.approx([9, 10, 10, 1])


def test_hours_spread_by_their_standard_deviation():
    # 1 and 3: mean 2, deviation 1
    assert load_curve.Measured(np.array([1.0, 3.0])).cv[0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("unit", [1e-9, 1, 1e9])
def test_the_unit_of_a_measured_series_does_not_matter(unit):
    load = np.array([[0.4, 1.0, 1.7]])
    expected = load_curve.Measured(np.array(DAY)).spill(load, ONE)
    assert load_curve.Measured(np.array(DAY) * unit).spill(load, ONE) == pytest.approx(expected, abs=1e-12)


def test_the_order_and_the_shape_of_the_hours_do_not_matter():
    load = np.array([[0.4, 1.0, 1.7]])
    week = load_curve.Measured(np.array(DAY[::-1]).reshape(4, 6))
    assert week.spill(load, ONE) == pytest.approx(load_curve.Measured(np.array(DAY)).spill(load, ONE), abs=1e-12)


# The screening curves of PyPSA's example: load 1000 - 1000 z, coal 15 + 2 a unit, gas 10 + 12,
# shedding 1012. Coal pays while it is exceeded in (15 - 10) / (12 - 2) = 0.5 of the hours, gas in
# (10 - 0) / (1012 - 12) = 0.01. So 500 coal, 490 gas, 10 shed, and 14,700; its linear programme over 1001 snapshots
# says 14,706.194.


def test_screening_curves_of_a_measured_load_find_the_cost_of_pypsas_example():
    hours = 1000 - 1000 * np.linspace(0, 1, 1001)
    load, mean = load_curve.Measured(hours), hours.mean()
    coal, both = load.level(np.array([[0.5, 0.01]]), ONE)[0] * mean
    assert (coal, both) == pytest.approx((500, 990), abs=1)
    above_coal, shed = (load.spill(np.array([[at / mean]]), ONE)[0, 0] * mean for at in (coal, both))
    cost = 15 * coal + 10 * (both - coal) + 2 * (mean - above_coal) + 12 * (above_coal - shed) + 1012 * shed
    assert cost == pytest.approx(14_706.194, abs=1e-3)
    assert cost == pytest.approx(14_700, rel=2e-3)


@pytest.mark.parametrize(
    "hours",
    [[], [-1.0, 2.0], [np.nan, 1.0], [np.inf, 1.0], [0.0, 0.0]],
    ids=["empty", "negative", "nan", "inf", "zero"],
)
def test_a_series_that_is_no_load_is_refused_in_words(hours):
    with pytest.raises(ValueError, match=f"hourly loads: got {len(hours)} values; give a number of 0 or more"):
        load_curve.Measured(np.array(hours))


positive = st.floats(0.1, 1e6)
spread = st.floats(0.05, 5)


def test_exponential_load_spills_its_mean_times_the_share_above():
    # closed form mu exp(-K/mu): K = 10 ln 5 = 16.094379, 10 exp(-ln 5) = 2
    assert load_curve.spill(16.094379124341003, 10, 1) == pytest.approx(2.0, rel=1e-9)


def test_gamma_load_spills_what_the_closed_form_says():
    # E[(L-K)+] = mu Q(k+1, kK/mu) - K Q(k, kK/mu), k = 4
    assert load_curve.spill(1.5, 1, 0.5) == pytest.approx(0.0582506762, rel=1e-8)


def test_gamma_p99_is_the_chi_square_quantile_over_its_degrees():
    # chi2_8(0.99) / 8 = 20.0902 / 8
    assert load_curve.load_quantile(0.99, 1, 0.5) == pytest.approx(2.5112793787, rel=1e-8)


def test_quantile_is_in_the_unit_of_the_mean():
    # By hand, exponential: the median of a mean of 10 is 10 ln 2 = 6.931472
    assert load_curve.load_quantile(0.5, 10, 1) == pytest.approx(6.931472, rel=1e-6)


def test_share_of_hours_above_the_mean_of_an_exponential_load_is_one_over_e():
    # By hand: P(L > 10) = exp(-10/10) = 0.367879
    assert load_curve.load_duration(10, 10, 1) == pytest.approx(0.367879, rel=1e-5)


def test_spikiness_three_is_a_cv_of_0_6281():
    # inverse of the Gamma quantile
    assert load_curve.cv_from_spikiness(3.0) == pytest.approx(0.6281, rel=1e-4)


@pytest.mark.parametrize("spikiness", [1.05, 1.5, 5, 20])
def test_cv_from_spikiness_agrees_with_root_finding_on_the_gamma_quantile(spikiness):
    # scipy.stats.gamma and brentq, independent of our curve: find cv with p99(cv) / mean = spikiness
    root = brentq(lambda cv: gamma.ppf(0.99, 1 / cv**2, scale=cv**2) - spikiness, 0.01, 6, xtol=1e-12)
    assert load_curve.cv_from_spikiness(spikiness) == pytest.approx(root, rel=1e-6)


@given(positive, positive, positive, spread)
def test_more_capacity_never_spills_more(a, b, mean, cv):
    low, high = min(a, b), max(a, b)
    assert load_curve.spill(high, mean, cv) <= load_curve.spill(low, mean, cv) + 1e-9 * mean


@given(positive, positive, spread)
def test_spill_lies_between_the_flat_load_and_the_whole_load(capacity, mean, cv):
    spilled = load_curve.spill(capacity, mean, cv)
    slack = 1e-9 * (mean + capacity)
    assert max(0, mean - capacity) - slack <= spilled <= mean + slack


@given(st.floats(1.05, 20), st.floats(1.05, 20))
def test_a_spikier_load_never_has_a_smaller_cv(a, b):
    assert load_curve.cv_from_spikiness(min(a, b)) <= load_curve.cv_from_spikiness(max(a, b))


# Hours in use


@pytest.mark.parametrize(
    ("spikiness", "hours", "cv"),
    [(5, 168, 1.084), (5, 50, 0.243), (5, 40, 0.106), (168 / 50, 50, load_curve.STEADIEST)],
)
def test_the_cv_in_the_hours_in_use_is_that_of_the_table(spikiness, hours, cv):
    # by root finding on scipy.stats.gamma, 2026-11-29; no less spikiness than 168 / hours there is
    found = load_curve.cv_in_use(np.array([[float(spikiness)]]), np.array([[hours / 168]]))
    assert found[0, 0] == pytest.approx(cv, abs=5e-4)


@pytest.mark.parametrize("hours", [8.5, 20, 50, 100, 167])
@pytest.mark.parametrize("over_the_least", [1.05, 1.4, 2.5, 9.0])
def test_the_cv_in_the_hours_in_use_is_the_smaller_root_that_brentq_finds(hours, over_the_least):
    part = hours / 168
    spikiness = min(over_the_least / part, 20.0)

    def beyond(cv):
        return gamma.ppf((0.99 - (1 - part)) / part, 1 / cv**2, scale=cv**2) / part - spikiness

    steps = np.geomspace(0.005, 8, 400)
    first = np.flatnonzero(np.array([beyond(cv) for cv in steps]) >= 0)[0]
    root = brentq(beyond, steps[first - 1], steps[first], xtol=1e-10) if first else load_curve.STEADIEST
    found = load_curve.cv_in_use(np.array([spikiness]), np.array([part]))[0]
    assert found == pytest.approx(max(root, load_curve.STEADIEST), rel=1e-6)
    if root > load_curve.STEADIEST:
        assert load_curve.peak_in_use(found, part) == pytest.approx(spikiness, rel=1e-6)


def test_a_load_in_half_of_the_hours_by_hand():
    # exponential with a mean of 2 in half of the hours, nothing in the others: above K comes 1/2 x 2 exp(-K/2), in 1/2
    # exp(-K/2) of the hours; a quarter of the hours has more than 2 ln 2; a law of all hours beside it stays as it is
    laws, loads, every = (
        load_curve.Gamma(np.ones((2, 1)), np.array([[0.5], [1.0]])),
        np.array([[0.7, 3.0]] * 2),
        np.arange(2),
    )
    assert laws.spill(loads, every) == pytest.approx(np.exp([[-0.35, -1.5], [-0.7, -3.0]]), abs=1e-3)
    assert laws.exceedance(loads, every) == pytest.approx(np.exp([[-0.35, -1.5], [-0.7, -3.0]]) / [[2], [1]], abs=5e-3)
    quarter = laws.level(np.array([[0.25, 0.6]] * 2), every)
    assert quarter == pytest.approx(np.array([[2 * np.log(2), 0], [np.log(4), np.log(1 / 0.6)]]), rel=1e-2)
    assert laws.take(np.array([1])).exceedance(loads[:1], ONE)[0, 0] == pytest.approx(np.exp(-0.7), abs=5e-3)


def test_of_an_idle_law_followers_stand_ready_in_the_hours_in_use_alone():
    # a follower that is never late stands for the load itself: the spill above 3, and 1/2 exp(-1.5) of the hours
    follower = load_curve.Follower(np.ones(len(load_curve.CV_NODES)))
    ready, hours = load_curve.Gamma(np.ones((1, 1)), np.array([[0.5]])).following(np.array([[3.0]]), ONE, follower)
    assert (ready[0, 0], hours[0, 0]) == pytest.approx((np.exp(-1.5), np.exp(-1.5) / 2), abs=1e-3)


# What the hour of the week tells


def test_a_week_that_comes_again_is_known_to_the_hour():
    week = np.repeat([3.0, 1.0], 84)
    found = load_curve.Measured(np.tile(week, 3)).week
    assert found.known == pytest.approx(week / 2) and found.peak[0, 0] == pytest.approx(1.5)
    assert found.cv[0, 0] == pytest.approx(load_curve.STEADIEST)


def test_of_one_week_and_of_chance_nothing_but_the_idle_hours_is_known():
    used = np.arange(168) < 60
    one = load_curve.Measured(used * np.repeat([3.0, 1.0], 84)).week
    assert one.known == pytest.approx(used * 168 / 60)
    chance = np.tile(used, 8) * np.random.default_rng(1).gamma(4, 0.25, 8 * 168)
    found = load_curve.Measured(chance).week
    # eight weeks of a cv of 0.5: the means of the hours have a cv of 0.5 / sqrt(8) = 0.177, a tenth of it is left
    assert found.known[used].std() / found.known[used].mean() < 0.08 and (found.known[~used] == 0).all()


def test_less_than_a_week_tells_nothing_of_the_hours_of_a_week():
    found = load_curve.Measured(np.array([0.0, 2.0] * 40))
    assert (found.week.known == 1).all() and found.surprise[0, 0] == pytest.approx(1.0)
