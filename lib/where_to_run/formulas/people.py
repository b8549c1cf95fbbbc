"""People: the gaps in their skills, who is trained and who hired for them, how long that takes and what it costs."""

from dataclasses import dataclass

import numpy as np

from ..units import MONTHS_PER_YEAR, WEEKS_PER_MONTH, Array, Number

HIGHEST_LEVEL = 5

IN_HOURS, ON_CALL = 3, 4
"""Levels of who runs a thing in production in business hours, and of who is on call for it."""

BESIDE_WORK = 1
"""Levels that are learned beside the work, so that the launch does not wait for them."""


@dataclass(frozen=True)
class Hiring:
    """How gaps are filled: months and shares of data/assumptions.csv, keys `people.*`."""

    search_months: float
    ramp_months: Number
    train_months_per_level: float
    trainable_levels: float
    training_share: float
    recruiting_share: float


def gaps(needed: Array, have: Array) -> Array:
    """Levels missing in each area on the last axis [level]: max(0, needed - have)."""
    return np.maximum(0, needed - have)


def weeks_to_hire(hiring: Hiring) -> Number:
    """Weeks until a new person is there and half-way to full output [week]."""
    return (hiring.search_months + hiring.ramp_months / 2) * WEEKS_PER_MONTH


def weeks_to_train(gap: Array, hiring: Hiring) -> Array:
    """Weeks the launch waits for training, by area [week]: months per level, none for what is learned beside work."""
    return np.where(gap > BESIDE_WORK, gap * hiring.train_months_per_level, 0.0) * WEEKS_PER_MONTH


def hired(gap: Array, available: Array, weeks: Number, hiring: Hiring) -> Array:
    """Which gaps a new person fills, over (scenario, area); the others are trained, never both for one gap.

    Training costs less and is taken where there are people for it, the gap is not too wide, and it is done in the
    `weeks` there are, or no later than hiring would be.
    """
    train = weeks_to_train(gap, hiring)
    can = (gap <= hiring.trainable_levels) & (available > 0)
    found: Array = (gap > 0) & ~(can & ((train <= weeks) | (train <= weeks_to_hire(hiring))))
    return found


def weeks_to_fill(gap: Array, hire: Array, hiring: Hiring) -> Number:
    """Weeks until every gap is filled [week]: the slowest area, as an average would hide a zero."""
    return np.max(np.where(hire, weeks_to_hire(hiring), weeks_to_train(gap, hiring)), axis=-1)


def cost_of_training(gap: Array, hire: Array, monthly_wage: Array, hiring: Hiring) -> Number:
    """One-off cost of the gaps that are trained [USD]: the time of one person an area while he or she learns.

    sum over areas of levels x months per level x share of the time x monthly cost.
    """
    months = np.where(hire, 0.0, gap) * hiring.train_months_per_level
    return np.sum(months * hiring.training_share * monthly_wage, axis=-1)


def loaded_monthly_wage(usd_per_year: Number, benefits_share: float) -> Number:
    """Cost of one person to the employer [USD/month]: wage / (1 - benefits share) / 12."""
    return np.asarray(usd_per_year) / (1 - benefits_share) / MONTHS_PER_YEAR


def monthly_payroll(fte: Array, monthly_wage: Array) -> Number:
    """Payroll [USD/month] of people by area on the last axis."""
    return np.sum(fte * monthly_wage, axis=-1)


def cost_of_joining(usd_per_month: Number, benefits_share: float, hiring: Hiring) -> Number:
    """One-off cost of people to add, by what they cost a month [USD]: recruiting, and half their pay in the ramp-up.

    Recruiting is a share of the yearly wage, which is (1 - benefits share) x 12 of the monthly cost.
    """
    wage_months = (1 - benefits_share) * MONTHS_PER_YEAR
    return usd_per_month * (hiring.recruiting_share * wage_months + hiring.ramp_months / 2)
