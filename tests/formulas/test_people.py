import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from where_to_run.formulas import people

HIRING = people.Hiring(
    search_months=2.5,
    ramp_months=6,
    train_months_per_level=2,
    trainable_levels=2,
    training_share=0.5,
    recruiting_share=0.2,
)
WEEKS = 365.25 / 7 / 12  # 4.348214 weeks a month


def test_gaps_count_missing_levels_only():
    # By hand: 3 - 1 = 2; equal gives 0; more than needed gives 0, never less
    assert list(people.gaps(np.array([3, 4, 2]), np.array([1, 4, 5]))) == [2, 0, 0]


def filled(gap, available=1.0, weeks=np.inf, hiring=HIRING):
    """Which gaps are hired for, and the weeks until all are filled."""
    gap = np.array([gap], float)
    hire = people.hired(gap, np.array([[available]]), np.array([[weeks]]), hiring)
    return hire[0].tolist(), people.weeks_to_fill(gap, hire, hiring)[0]


@pytest.mark.parametrize(
    ("gap", "hire", "months"),
    [
        (0.0, False, 0.0),  # nothing to fill
        (1.0, False, 0.0),  # one level is learned beside the work
        (2.0, False, 4.0),  # training, the largest gap it closes: 2 x 2 months
        (2.01, True, 5.5),  # too large to train: search 2.5 + half of the 6 months of ramp-up
        (5.0, True, 5.5),
    ],
)
def test_a_gap_is_trained_up_to_two_levels_and_hired_for_above(gap, hire, months):
    assert filled([gap]) == ([hire], pytest.approx(months * WEEKS))


def test_where_nobody_is_there_nobody_can_be_trained():
    assert filled([1.0], available=0) == ([True], pytest.approx(5.5 * WEEKS))


@pytest.mark.parametrize(("weeks", "hire"), [(20, False), (10, True), (5, True)])
def test_hiring_takes_the_place_of_training_that_is_late(weeks, hire):
    # By hand: training 2 levels takes 4 months, 17.4 weeks; hiring 1 + 2/2 = 2 months, 8.7 weeks
    quick = people.Hiring(1, 2, 2, 2, 0.5, 0.2)
    assert filled([2.0], weeks=weeks, hiring=quick)[0] == [hire]


def test_the_slowest_area_sets_the_date():
    # By hand: training 2 levels takes 4 months, hiring for 3 takes 5.5: 5.5 x 4.348214 = 23.91518 weeks
    assert filled([2.0, 3.0, 0.0])[1] == pytest.approx(23.91518, rel=1e-6)


def test_training_costs_the_time_of_one_person_an_area():
    # By hand: 2 levels x 2 months x half the time x 20,000 = 40,000; 1 x 2 x 0.5 x 10,000 = 10,000; the third is hired
    gap, hire = np.array([2.0, 1.0, 3.0]), np.array([False, False, True])
    cost = people.cost_of_training(gap, hire, np.array([20_000.0, 10_000.0, 10_000.0]), HIRING)
    assert cost == pytest.approx(50_000)


def test_a_wage_of_140400_costs_16667_a_month():
    # By hand: 140,400 / (1 - 0.298) = 200,000 a year; / 12 = 16,666.67 a month
    assert people.loaded_monthly_wage(140_400, 0.298) == pytest.approx(16_666.6667)


def test_payroll_sums_over_the_areas():
    # By hand: 0.5 x 10,000 + 2 x 8,000 = 21,000
    assert people.monthly_payroll(np.array([0.5, 2.0]), np.array([10_000.0, 8_000.0])) == pytest.approx(21_000)


def test_joining_costs_recruiting_and_half_the_ramp_up():
    # By hand: 10,000 a month is a wage of 10,000 x 12 x 0.75 = 90,000 a year; 0.2 x 90,000 + 6/2 x 10,000 = 48,000
    assert people.cost_of_joining(10_000, 0.25, HIRING) == pytest.approx(48_000)


levels = st.lists(st.floats(0, 5), min_size=5, max_size=5)


@given(levels, levels)
def test_a_larger_gap_never_takes_less_time(a, b):
    assert filled(np.minimum(a, b))[1] <= filled(np.maximum(a, b))[1]
