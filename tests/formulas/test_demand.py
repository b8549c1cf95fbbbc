import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import gamma

from where_to_run.formulas import demand

positive = st.floats(0.1, 1e6)
spread = st.floats(0.05, 5)


def test_exponential_load_spills_its_mean_times_the_share_above():
    # closed form mu exp(-K/mu): K = 10 ln 5 = 16.094379, 10 exp(-ln 5) = 2
    assert demand.spill(16.094379124341003, 10, 1) == pytest.approx(2.0, rel=1e-9)


def test_gamma_load_spills_what_the_closed_form_says():
    # E[(L-K)+] = mu Q(k+1, kK/mu) - K Q(k, kK/mu), k = 4
    assert demand.spill(1.5, 1, 0.5) == pytest.approx(0.0582506762, rel=1e-8)


def test_gamma_p99_is_the_chi_square_quantile_over_its_degrees():
    # chi2_8(0.99) / 8 = 20.0902 / 8
    assert demand.load_quantile(0.99, 1, 0.5) == pytest.approx(2.5112793787, rel=1e-8)


def test_quantile_is_in_the_unit_of_the_mean():
    # By hand, exponential: the median of a mean of 10 is 10 ln 2 = 6.931472
    assert demand.load_quantile(0.5, 10, 1) == pytest.approx(6.931472, rel=1e-6)


def test_share_of_hours_above_the_mean_of_an_exponential_load_is_one_over_e():
    # By hand: P(L > 10) = exp(-10/10) = 0.367879
    assert demand.load_duration(10, 10, 1) == pytest.approx(0.367879, rel=1e-5)


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


def test_spikiness_three_is_a_cv_of_0_6281():
    # inverse of the Gamma quantile
    assert demand.cv_from_spikiness(3.0) == pytest.approx(0.6281, rel=1e-4)


@pytest.mark.parametrize("spikiness", [1.05, 1.5, 5, 20])
def test_cv_from_spikiness_agrees_with_root_finding_on_the_gamma_quantile(spikiness):
    # scipy.stats.gamma and brentq, independent of our curve: find cv with p99(cv) / mean = spikiness
    root = brentq(lambda cv: gamma.ppf(0.99, 1 / cv**2, scale=cv**2) - spikiness, 0.01, 6, xtol=1e-12)
    assert demand.cv_from_spikiness(spikiness) == pytest.approx(root, rel=1e-6)


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


def test_a_fifth_sensitive_and_three_tenths_specialised_make_four_streams():
    # By hand: 0.2 x 0.7, 0.2 x 0.3, 0.8 x 0.7, 0.8 x 0.3, in the order of question.STREAMS
    assert demand.stream_shares(0.2, 0.3) == pytest.approx([0.14, 0.06, 0.56, 0.24])


@given(st.floats(0, 1), st.floats(0, 1))
def test_stream_shares_sum_to_one(sensitive, specialised):
    shares = demand.stream_shares(sensitive, specialised)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


@given(positive, positive, positive, spread)
def test_more_capacity_never_spills_more(a, b, mean, cv):
    low, high = min(a, b), max(a, b)
    assert demand.spill(high, mean, cv) <= demand.spill(low, mean, cv) + 1e-9 * mean


@given(positive, positive, spread)
def test_spill_lies_between_the_flat_load_and_the_whole_load(capacity, mean, cv):
    spilled = demand.spill(capacity, mean, cv)
    slack = 1e-9 * (mean + capacity)
    assert max(0, mean - capacity) - slack <= spilled <= mean + slack


@given(st.floats(1.05, 20), st.floats(1.05, 20))
def test_a_spikier_load_never_has_a_smaller_cv(a, b):
    assert demand.cv_from_spikiness(min(a, b)) <= demand.cv_from_spikiness(max(a, b))
