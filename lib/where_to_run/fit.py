"""Fit: an additive value on scales fixed beforehand, weighted by the order of what matters."""

from collections.abc import Sequence

import numpy as np

from .units import Array, Number


def value(amount: Number, worst: Number, best: Number) -> Number:
    """Value 0 at the worst anchor, 1 at the best, straight between and flat beyond [share].

    The anchors do not depend on the options at hand, so an option more or less never changes the order of the rest.
    """
    span = np.asarray(best, float) - np.asarray(worst, float)
    flat = np.where(np.asarray(amount) <= np.asarray(best), 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(span == 0, flat, np.clip((np.asarray(amount) - worst) / span, 0.0, 1.0))


def rank_order_weights(number: int) -> Array:
    """Weights of criteria ranked first to last [share]: w_k = (1/n) sum over i >= k of 1/i.

    Rank-order centroids, Edwards and Barron 1994: the mean of all weights that respect the order.
    """
    return np.cumsum(1 / np.arange(number, 0, -1))[::-1] / number


def weights(priorities: Sequence[str], criteria: Sequence[str]) -> Array:
    """Weight of each criterion, in the order of `criteria`; those not named follow in that order."""
    order = [*priorities, *(c for c in criteria if c not in priorities)]
    by_rank = dict(zip(order, rank_order_weights(len(criteria)), strict=True))
    return np.array([by_rank[c] for c in criteria])


def score(values: Array, criterion_weights: Array) -> Number:
    """Sum of weight x value over the last axis [share]."""
    return np.sum(values * criterion_weights, axis=-1)
