"""Demand: volume month by month, its spikiness over the hours of a month, long prompts, and its streams."""

from functools import lru_cache

import numpy as np
from scipy.special import gammaincc, gammaincinv, ndtr

from ..units import SECONDS_PER_MONTH, Array, Number

PEAK_QUANTILE = 0.99
"""Spikiness is this quantile of the hours of a month over their mean."""


def monthly_requests(first_month: Number, growth_per_month: Number, month: Number) -> Number:
    """Requests in a month [request/month], month 1 being the first: V_m = V_1 (1 + g)^(m - 1)."""
    return first_month * (1 + np.asarray(growth_per_month)) ** (np.asarray(month) - 1)


def requests_per_second(requests_per_month: Number) -> Number:
    """Mean rate over a month [request/s]."""
    return requests_per_month / SECONDS_PER_MONTH


def stream_shares(sensitive_share: Number, specialised_share: Number) -> Array:
    """Share of the requests in each of `inputs.question.STREAMS`, on a last axis; the two splits are independent."""
    s, p = np.broadcast_arrays(np.asarray(sensitive_share, float), np.asarray(specialised_share, float))
    return np.stack([s * (1 - p), s * p, (1 - s) * (1 - p), (1 - s) * p], axis=-1)


@lru_cache(maxsize=1)
def _cv_curve() -> tuple[Array, Array]:
    """Log spikiness, from the Gamma quantile, and log cv on a fine grid of cv 0.01 to 6."""
    cv = np.geomspace(0.01, 6, 8_000)
    return np.log(load_quantile(PEAK_QUANTILE, 1.0, cv)), np.log(cv)


def cv_from_spikiness(spikiness: Number) -> Number:
    """Coefficient of variation of the hourly load [ratio] whose p99 over mean is `spikiness` (1.03 to 23).

    Inverse of the Gamma quantile, interpolated; within 1e-6 of root finding.
    """
    return np.exp(np.interp(np.log(np.asarray(spikiness, float)), *_cv_curve()))


def load_duration(load: Number, mean: Number, cv: Number) -> Number:
    """Share of the hours of a month with more than `load` [share]: the load-duration curve of a Gamma law.

    P(L > x) = Q(k, x / theta), k = 1/cv^2, theta = mean cv^2; Q the upper incomplete gamma function, regularised.
    """
    shape = 1 / np.square(cv)
    return gammaincc(shape, np.asarray(load) / np.asarray(mean) * shape)


def load_quantile(share: Number, mean: Number, cv: Number) -> Number:
    """Load not exceeded in `share` of the hours, in the unit of `mean`: theta gammaincinv(k, share)."""
    shape = 1 / np.square(cv)
    return mean * gammaincinv(shape, share) / shape


def spill(capacity: Number, mean: Number, cv: Number) -> Number:
    """Mean load above a capacity, in the unit of `mean`: E[(L - K)+] = mean Q(k + 1, K/theta) - K Q(k, K/theta)."""
    shape = 1 / np.square(cv)
    scaled = np.asarray(capacity) / np.asarray(mean) * shape
    return mean * gammaincc(shape + 1, scaled) - capacity * gammaincc(shape, scaled)


def long_prompt_shares(threshold: Number, mean_tokens: Number, cv: Number) -> tuple[Number, Number]:
    """Share of prompts longer than a threshold, and share of all input tokens that they hold.

    Log-normal lengths: P(X > K) = Phi(d - s), E[X; X > K] / E[X] = Phi(d), d = (ln(mean/K) + s^2/2) / s,
    s^2 = ln(1 + cv^2) (the partial expectation of Black and Scholes).
    """
    sigma = np.sqrt(np.log1p(np.square(cv)))
    d = (np.log(mean_tokens) - np.log(threshold) + np.square(sigma) / 2) / sigma
    return ndtr(d - sigma), ndtr(d)
