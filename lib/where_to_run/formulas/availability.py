"""Availability: how many spare machines see a fleet through the failures of its machines (k of n)."""

import numpy as np
from scipy.special import btdtrib

from ..units import DAYS_PER_YEAR, Array


def unavailability(failures_per_year: float, repair_days: float) -> float:
    """Share of the time a machine is down [share]: repair / (time between failures + repair)."""
    down = failures_per_year * repair_days / DAYS_PER_YEAR
    return down / (1 + down)


def seen_through(spares: Array, unavailable: float, availability: float) -> Array:
    """Most machines at work that so many spare ones are enough for, so that all that is needed works [machine].

    Of k + r machines more than r are down in binom.sf(r, k + r, u) = I_u(r + 1, k) of the time, the regularised
    incomplete beta function; the largest k at which that is at most 1 - availability.
    """
    return np.asarray(np.floor(btdtrib(spares + 1.0, 1 - availability, unavailable)))
