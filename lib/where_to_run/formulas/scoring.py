"""Scoring: an additive value on fixed scales, weights from an order of what matters, and how firm a rank is."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..units import Array, Number


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


def drawn_weights(points: Array, order: Array | None = None) -> Array:
    """Weights spread evenly over all there are, from points of the unit cube over (draw, criterion).

    With an `order` of the criteria, first to last, only over those that respect it; their mean is the rank-order
    centroid (Dirichlet of ones, sorted).
    """
    drawn = -np.log(points)
    drawn = drawn / drawn.sum(axis=1, keepdims=True)
    if order is None:
        return np.asarray(drawn)
    placed = np.empty_like(drawn)
    placed[:, order] = -np.sort(-drawn, axis=1)
    return placed


class Acceptability(NamedTuple):
    """`rank` the share of draws in which an option takes each rank, over (option, rank); `central` the mean weights
    that put it first, over (option, criterion), NaN where none do; `confidence` the share of draws in which it is
    first at these.
    """

    rank: Array
    central: Array
    confidence: Array


def acceptability(values: Array, drawn: Array) -> Acceptability:
    """Rank acceptability of options by draws of their values and of the weights (SMAA-2, Lahdelma and Salminen 2001).

    Of options that tie the first is ahead.
    """
    order = np.argsort(-np.einsum("doc,dc->do", values, drawn), axis=1, kind="stable")
    number = values.shape[1]
    rank = np.stack([np.bincount(order[:, r], minlength=number) for r in range(number)], axis=1) / len(values)
    first = order[:, 0] == np.arange(number)[:, None]
    with np.errstate(invalid="ignore"):
        central = first.astype(float) @ drawn / first.sum(axis=1, keepdims=True)
    scores = np.einsum("doc,kc->kdo", values, np.nan_to_num(central))
    confidence = (scores.argmax(axis=2) == np.arange(number)[:, None]).mean(axis=1)
    return Acceptability(rank, central, np.where(rank[:, 0] > 0, confidence, 0.0))
