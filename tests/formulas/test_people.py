import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from where_to_run.formulas import people

HIRING = people.Hiring(
    search_months=2.5, ramp_months=6, train_months_per_level=2, trainable_levels=2, recruiting_share=0.2
)
WEEKS = 365.25 / 7 / 12  # 4.348214 weeks a month


def test_gaps_count_missing_levels_only():
    # By hand: 3 - 1 = 2; equal gives 0; more than needed gives 0, never less
    assert list(people.gaps(np.array([3, 4, 2]), np.array([1, 4, 5]))) == [2, 0, 0]


def test_gaps_of_two_levels_in_two_areas_add_one_person():
    # 2/5 x 1.0 + 0 + 2/5 x 1.5 + 0 = 1.0 FTE
    gap = people.gaps(np.array([3, 4, 4, 2]), np.array([1, 4, 2, 2]))
    assert people.people_to_add(gap, np.array([1.0, 1.0, 1.5, 0.5])) == pytest.approx(1.0)


def test_a_full_gap_adds_the_people_of_a_full_gap():
    assert people.people_to_add(np.array([5.0]), np.array([1.5])) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("gap", "months"),
    [
        (0.0, 0.0),  # nothing to fill
        (1.0, 2.0),  # training: 1 level x 2 months
        (2.0, 4.0),  # training, the largest gap it closes: 2 x 2 months, quicker than 5.5
        (2.01, 5.5),  # too large to train: search 2.5 + half of the 6 months of ramp-up
        (3.0, 5.5),
        (5.0, 5.5),
    ],
)
def test_a_gap_is_filled_by_training_up_to_two_levels_and_by_hiring_above(gap, months):
    assert people.weeks_to_fill(np.array([gap]), HIRING) == pytest.approx(months * WEEKS)


def test_hiring_fills_a_trainable_gap_where_it_is_quicker():
    # By hand: training 2 levels takes 4 months, hiring 1 + 2/2 = 2
    quick = people.Hiring(1, 2, 2, 2, 0.2)
    assert people.weeks_to_fill(np.array([2.0]), quick) == pytest.approx(2 * WEEKS)


def test_the_slowest_area_sets_the_date():
    # By hand: training 1 level takes 2 months, hiring for 3 takes 5.5: 5.5 x 4.348214 = 23.91518 weeks
    assert people.weeks_to_fill(np.array([1.0, 3.0, 0.0]), HIRING) == pytest.approx(23.91518, rel=1e-6)


def test_a_wage_of_140400_costs_16667_a_month():
    # By hand: 140,400 / (1 - 0.298) = 200,000 a year; / 12 = 16,666.67 a month
    assert people.loaded_monthly_wage(140_400, 0.298) == pytest.approx(16_666.6667)


def test_payroll_sums_over_the_areas():
    # By hand: 0.5 x 10,000 + 2 x 8,000 = 21,000
    assert people.monthly_payroll(np.array([0.5, 2.0]), np.array([10_000.0, 8_000.0])) == pytest.approx(21_000)


def test_joining_costs_recruiting_and_half_the_ramp_up():
    # By hand: ml 5/5 x 2 = 2 FTE x (0.2 x 100,000 + 6/2 x 12,000) = 2 x 56,000 = 112,000;
    # cloud 1/5 x 1 = 0.2 FTE x (0.2 x 90,000 + 3 x 10,000) = 0.2 x 48,000 = 9,600; hardware has no gap
    cost = people.cost_of_joining(
        np.array([5.0, 1.0, 0.0]),
        np.array([2.0, 1.0, 1.0]),
        np.array([100_000.0, 90_000.0, 80_000.0]),
        np.array([12_000.0, 10_000.0, 9_000.0]),
        HIRING,
    )
    assert cost == pytest.approx(121_600)


levels = st.lists(st.floats(0, 5), min_size=5, max_size=5)


@given(levels, levels)
def test_a_larger_gap_never_takes_less_time_nor_fewer_people(a, b):
    small, large = np.minimum(a, b), np.maximum(a, b)
    fte = np.array([1.5, 1.0, 1.0, 0.5, 1.0])
    assert people.weeks_to_fill(small, HIRING) <= people.weeks_to_fill(large, HIRING)
    assert people.people_to_add(small, fte) <= people.people_to_add(large, fte) + 1e-12
