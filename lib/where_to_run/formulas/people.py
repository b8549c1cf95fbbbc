"""People: the staff a routing needs at the least, the gaps to fill, how long that takes and what it costs."""

from dataclasses import dataclass

import numpy as np

from ..units import MONTHS_PER_YEAR, WEEKS_PER_MONTH, Array, Number

HIGHEST_LEVEL = 5


@dataclass(frozen=True)
class Hiring:
    """How gaps are filled: months and shares of data/assumptions.csv, keys `people.*`."""

    search_months: float
    ramp_months: Number
    train_months_per_level: float
    trainable_levels: float
    recruiting_share: float


def gaps(needed: Array, have: Array) -> Array:
    """Levels missing in each area on the last axis [level]: max(0, needed - have)."""
    return np.maximum(0, needed - have)


def people_to_add(gap: Array, fte_at_full_gap: Array) -> Number:
    """People to add [FTE]: sum over areas of gap / 5 x people at a full gap. Money adds up over areas."""
    return np.sum(gap / HIGHEST_LEVEL * fte_at_full_gap, axis=-1)


def weeks_to_fill(gap: Array, hiring: Hiring) -> Number:
    """Weeks until every gap is filled [week]: the slowest area, each by the quicker of training and hiring.

    Training takes months per level and works for small gaps only; hiring takes the search and half the ramp-up.
    The areas are filled at the same time, so the slowest one counts and an average would hide a zero.
    """
    train = np.where(gap <= hiring.trainable_levels, gap * hiring.train_months_per_level, np.inf)
    hire = hiring.search_months + hiring.ramp_months / 2
    months = np.where(gap > 0, np.minimum(train, hire), 0.0)
    return np.max(months, axis=-1) * WEEKS_PER_MONTH


def loaded_monthly_wage(usd_per_year: Number, benefits_share: float) -> Number:
    """Cost of one person to the employer [USD/month]: wage / (1 - benefits share) / 12."""
    return np.asarray(usd_per_year) / (1 - benefits_share) / MONTHS_PER_YEAR


def monthly_payroll(fte: Array, monthly_wage: Array) -> Number:
    """Payroll [USD/month] of people by area on the last axis."""
    return np.sum(fte * monthly_wage, axis=-1)


def cost_of_joining(gap: Array, fte_at_full_gap: Array, wages: Array, monthly_wage: Array, hiring: Hiring) -> Number:
    """One-off cost of the people to add [USD]: recruiting, and half their pay while they ramp up.

    sum over areas of FTE x (recruiting share x yearly wage + ramp months / 2 x monthly cost).
    """
    fte = gap / HIGHEST_LEVEL * fte_at_full_gap
    return np.sum(fte * (hiring.recruiting_share * wages + hiring.ramp_months / 2 * monthly_wage), axis=-1)
