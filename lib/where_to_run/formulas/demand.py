"""Demand: volume month by month, its streams, and long prompts."""

import numpy as np
from scipy.special import ndtr

from ..units import SECONDS_PER_MONTH, Array, Number


def monthly_requests(first_month: Number, growth_per_month: Number, month: Number) -> Number:
    """Requests in a month [request/month], month 1 being the first: V_m = V_1 (1 + g)^(m - 1)."""
    return first_month * (1 + np.asarray(growth_per_month)) ** (np.asarray(month) - 1)


def requests_per_second(requests_per_month: Number) -> Number:
    """Mean rate over a month [request/s]."""
    return requests_per_month / SECONDS_PER_MONTH


def stream_shares(*splits: Number) -> Array:
    """Share of the requests in each of `inputs.question.STREAMS`, on a last axis; the splits are independent.

    `splits` are the shares that are sensitive, specialised and hard.
    """
    sensitive, specialised, hard = np.broadcast_arrays(*(np.asarray(split, float) for split in splits))
    return np.stack(
        [
            data * domain * difficulty
            for data in (sensitive, 1 - sensitive)
            for domain in (1 - specialised, specialised)
            for difficulty in (1 - hard, hard)
        ],
        axis=-1,
    )


def long_prompt_shares(threshold: Number, mean_tokens: Number, cv: Number) -> tuple[Number, Number]:
    """Share of prompts longer than a threshold, and share of all input tokens that they hold.

    Log-normal lengths: P(X > K) = Phi(d - s), E[X; X > K] / E[X] = Phi(d), d = (ln(mean/K) + s^2/2) / s,
    s^2 = ln(1 + cv^2) (the partial expectation of Black and Scholes).
    """
    sigma = np.sqrt(np.log1p(np.square(cv)))
    d = (np.log(mean_tokens) - np.log(threshold) + np.square(sigma) / 2) / sigma
    return ndtr(d - sigma), ndtr(d)
