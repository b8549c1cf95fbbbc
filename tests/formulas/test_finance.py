import numpy as np
import numpy_financial
import pytest
from hypothesis import given
from hypothesis import strategies as st

from where_to_run.formulas import finance


def worth(flows, rate):
    return finance.present_value(np.asarray(flows, float), finance.discount_factors(rate, len(flows)))


def test_present_value_of_the_documented_cash_flows():
    # numpy-financial docs (npv): 8 %
    flows = np.array([-40000, 5000, 8000, 12000, 30000])
    assert worth(flows, 0.08) == pytest.approx(3065.22267, rel=1e-7)


def test_one_a_year_for_20_years_at_7_per_cent_is_worth_one_over_the_recovery_factor():
    # engineering-economics tables (A/P, 7 %, 20) = 0.094393; nothing is paid at time 0
    annuity = np.append(0.0, np.ones(20))
    assert worth(annuity, 0.07) == pytest.approx(1 / 0.094393, rel=1e-5)


def test_level_cost_of_a_token():
    # NPV(costs) / NPV(tokens) with end-of-year flows and capex at 0
    costs = np.array([300000, 60000, 60000, 60000, 60000, 60000])
    tokens = np.array([0, 2000.0, 2400.0, 2880.0, 3456.0, 4147.2])
    assert finance.levelised_cost(
        np.array(costs), np.array(tokens), finance.discount_factors(0.08, 6)
    ) == pytest.approx(46.681105, rel=2e-8)


def test_a_price_that_keeps_64_per_cent_a_year_is_at_80_per_cent_after_half_a_year():
    # by hand: 0.64^(6/12) = 0.8, 0.64^(18/12) = 0.512
    course = finance.price_course(np.array([0.64, 1.0]), 19)
    assert course[0, [0, 6, 12, 18]] == pytest.approx([1, 0.8, 0.64, 0.512])
    assert course[1].tolist() == [1.0] * 19


def test_equal_costs_and_tokens_cost_the_same_at_any_rate():
    # By hand: 3 USD and 2 Mtok every period is 1.5 USD/Mtok
    level = finance.levelised_cost(
        np.full((2, 4), 3.0), np.full((2, 4), 2.0), finance.discount_factors(np.array([0.0, 0.3]), 4)
    )
    assert level == pytest.approx([1.5, 1.5])


def test_twelve_months_compound_to_the_yearly_rate():
    assert (1 + finance.monthly_rate(0.08)) ** 12 == pytest.approx(1.08)
    # By hand: 1.01^12 = 1.126825, so 12.6825 % a year is 1 % a month
    assert finance.monthly_rate(0.126825) == pytest.approx(0.01, rel=1e-5)
    assert finance.monthly_rate(0.0) == 0


def test_discount_factors_at_25_per_cent():
    # By hand: 1, 1/1.25 = 0.8, 0.8^2 = 0.64
    assert finance.discount_factors(0.25, 3) == pytest.approx([1, 0.8, 0.64])


def test_discount_factors_take_one_rate_a_scenario():
    # By hand: at 0 % a later dollar is a dollar; at 100 % it halves each period
    factors = finance.discount_factors(np.array([0.0, 1.0]), 3)
    assert factors == pytest.approx(np.array([[1, 1, 1], [1, 0.5, 0.25]]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0, 0.5))
def test_present_value_agrees_with_numpy_financial(flows, rate):
    theirs = numpy_financial.npv(rate, flows)
    assert worth(np.array(flows), rate) == pytest.approx(theirs, rel=1e-9, abs=1e-3)


AGES, SHARES = np.array([12.0, 24.0]), np.array([0.6, 0.42])


@pytest.mark.parametrize(
    ("age", "share"),
    [
        (0, 1.0),  # new
        (6, 0.8),  # half way from 1 to 0.6
        (12, 0.6),
        (18, 0.51),  # half way from 0.6 to 0.42
        (24, 0.42),
        (25, 0.42),  # beyond the last known age it stays
    ],
)
def test_hardware_loses_value_in_straight_lines_between_known_ages(age, share):
    assert finance.share_left(age, AGES, SHARES) == pytest.approx(share)


def test_a_straight_line_to_a_tenth_leaves_165625_of_250000_after_18_of_48_months():
    # book value after 18 months: 250,000 - 18/48 x 225,000 = 165,625
    left = finance.share_left(18, np.array([48.0]), np.array([0.1]))
    assert 250_000 * left == pytest.approx(165_625)


def test_two_purchases_age_on_their_own():
    # By hand, half left at age 2 and a tenth at age 4: ages 0 to 3 leave 1, 0.75, 0.5, 0.3.
    # 100 in month 0 and 50 in month 1: 100; 75 + 50 = 125; 50 + 37.5 = 87.5; 30 + 25 = 55
    purchases = np.array([100.0, 50.0, 0.0, 0.0])
    left = finance.value_left(purchases, np.array([2.0, 4.0]), np.array([0.5, 0.1]))
    assert left == pytest.approx([100, 125, 87.5, 55])


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_hardware_is_never_worth_more_than_was_paid_for_it(bought):
    purchases = np.array(bought)
    left = finance.value_left(purchases, AGES, SHARES)
    assert (left <= np.cumsum(purchases) * (1 + 1e-12) + 1e-9).all()
    assert (left >= 0.42 * np.cumsum(purchases) - 1e-6).all()
