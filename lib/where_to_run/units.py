"""Conversions between units, and the type every formula takes and returns."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Number = float | Array
"""A number or an array of numbers: every formula takes and returns either."""

HOURS_PER_MONTH = 730.0
"""8760 hours a year over 12 months, the convention of cloud bills."""

HOURS_PER_WEEK = 168

SECONDS_PER_MINUTE = 60.0
SECONDS_PER_HOUR = 3_600.0
SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR
MONTHS_PER_YEAR = 12
DAYS_PER_YEAR = 365.25
WEEKS_PER_MONTH = 365.25 / 7 / 12
TOKENS_PER_MTOK = 1e6
BYTES_PER_GB = 1e9
GB_PER_GIB = 2**30 / 1e9
FLOPS_PER_TFLOPS = 1e12
PARAMETERS_PER_BILLION = 1e9
SECONDS_PER_MS = 1e-3
SECONDS_PER_US = 1e-6


def whole(number: Number) -> Number:
    """Smallest whole number not below `number`; forgives rounding noise of 1e-9 so 3.0000000001 stays 3."""
    below = np.asarray(number - 1e-9)
    return np.ceil(below, out=below)
