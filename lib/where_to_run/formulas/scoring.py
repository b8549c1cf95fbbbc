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


MOST_AFTER_COST, SHARE_AFTER_COST = 0.10, 1 / 5
"""Bound of the premiums of all criteria ranked after cost together, and what share of the premium they may reach."""


def premiums(priorities: Sequence[str], criteria: Sequence[str], premium: float) -> Array:
    """The most one would pay for the best of each criterion in place of the worst, as a share of the cost [share].

    In the order of `criteria`. From an order of priorities in which `cost` stands; those not named follow, cost first.
    The first before cost gets `premium`, each next half of the one before; those after cost t/2, t/4, ... with
    t = min(0.10, premium / 5): they settle what costs nearly the same.
    """
    order = [*priorities, *(c for c in ("cost", *criteria) if c not in priorities)]
    place = order.index("cost")
    after = min(MOST_AFTER_COST, premium * SHARE_AFTER_COST)
    worth = {c: premium / 2**k for k, c in enumerate(order[:place])}
    worth |= {c: after / 2 ** (k + 1) for k, c in enumerate(order[place + 1 :])}
    return np.array([worth[c] for c in criteria])


def generalised_cost(cost: Number, premium: Array, values: Array) -> Array:
    """G = C (1 + sum over criteria of p (1 - v)), in the unit of the cost.

    As in transport economics: what is paid, plus what one would pay not to have the drawbacks. Premiums and values
    [share] have the criteria on their last axis.
    """
    return np.asarray(cost) * (1 + (premium * (1 - values)).sum(axis=-1))


def switching_premium(cost: Number, rest: Number, value: Number) -> Number:
    """Premium on a criterion at which two options have the same generalised cost [share of the cost].

    `cost`, `rest` (what the other criteria add, as a share of the cost) and `value` on the criterion have the two on
    their last axis. Where both lose the same by it no premium makes them equal: not a number.
    """
    cost, rest, value = (np.asarray(part, float) for part in (cost, rest, value))
    loses = cost * (1 - value)
    apart = cost * (1 + rest)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (apart[..., 1] - apart[..., 0]) / (loses[..., 0] - loses[..., 1])
    return np.where(loses[..., 0] == loses[..., 1], np.nan, found)


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
