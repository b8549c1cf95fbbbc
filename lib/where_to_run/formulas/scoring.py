"""Scoring: values on fixed scales, premiums from an order of what matters, and the generalised cost of both."""

from collections.abc import Sequence

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
    before, behind, after = _around_cost(priorities, criteria, premium)
    worth = {c: premium / 2**k for k, c in enumerate(before)}
    worth |= {c: after / 2 ** (k + 1) for k, c in enumerate(behind)}
    return np.array([worth[c] for c in criteria])


def _around_cost(
    priorities: Sequence[str], criteria: Sequence[str], premium: float
) -> tuple[list[str], list[str], float]:
    """The criteria before cost and those after it, first to last, and what these may reach together [share]."""
    order = [*priorities, *(c for c in ("cost", *criteria) if c not in priorities)]
    place = order.index("cost")
    return order[:place], order[place + 1 :], min(MOST_AFTER_COST, premium * SHARE_AFTER_COST)


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


def drawn_premiums(points: Array, priorities: Sequence[str], criteria: Sequence[str], premium: float) -> Array:
    """Premiums spread evenly over all that keep an order of priorities, from points of the unit cube [share].

    Over (draw, criterion), in the order of `criteria`, as in `premiums`: those before cost fall from at most `premium`
    on, those after cost fall and reach together at most what the rule lets them.
    """
    before, behind, after = _around_cost(priorities, criteria, premium)
    of = list(criteria).index
    drawn = np.zeros(points.shape)
    first, rest = [of(c) for c in before], [of(c) for c in behind]
    drawn[:, first] = premium * -np.sort(-points[:, first], axis=1)
    # the gaps between sorted points lie evenly among all whose sum is at most one
    gaps = np.diff(np.sort(points[:, rest], axis=1), axis=1, prepend=0.0)
    drawn[:, rest] = after * -np.sort(-gaps, axis=1)
    return drawn
