"""Risk: what draws of the costs of some options say about choosing between them, and about learning more first.

Costs stand over (draw, option), each draw as likely as any other; infinite where an option cannot serve.
"""

import numpy as np

from ..units import Array

TAIL = 0.05
"""Share of the draws that count as the worst."""

NEAR = 0.05
"""How much dearer than the cheapest an option may be expected to be and count as nearly as good."""


def best(cost: Array) -> Array:
    """Share of the draws in which each option costs least, over (option); those that tie share the draw."""
    first = cost == cost.min(axis=1, keepdims=True)
    return np.asarray((first / first.sum(axis=1, keepdims=True)).mean(axis=0))


def tail_mean(cost: Array, tail: float = TAIL) -> Array:
    """Mean of the worst share of the draws, over (option): the conditional value at risk.

    A draw on the edge counts in part, so any number of draws will do (Acerbi and Tasche 2002).
    """
    worst, size = np.sort(cost, axis=0)[::-1], tail * len(cost)
    weights = np.clip(size - np.arange(len(cost)), 0, 1)[: int(np.ceil(size))]
    return np.einsum("d,do->o", weights, worst[: len(weights)]) / size


def regret(cost: Array) -> Array:
    """What each option costs more than the cheapest of the same draw, over (draw, option)."""
    return cost - cost.min(axis=1, keepdims=True)


def near(cost: Array, share: float = NEAR) -> Array:
    """Whether an option is expected to cost at most a share more than the cheapest, over (option)."""
    expected = cost.mean(axis=0)
    return np.asarray(expected <= expected.min() + share * abs(expected.min()))


def perfect_information(cost: Array) -> float:
    """What knowing everything before choosing is worth: E[max NB] over the choice of each draw, less max E[NB].

    The net benefit NB of an option is its cost with the sign turned (Raiffa and Schlaifer 1961).
    """
    return float(cost.mean(axis=0).min() - cost.min(axis=1).mean())


def partial_information(cost: Array, known: Array) -> float:
    """What knowing one input before choosing is worth, from its value in each draw; never below 0.

    The draws are sorted by the input and cut into about n^(1/3) equal bins; within a bin the input counts as known
    (methods 7; Strong and Oakley 2013).
    """
    order, bins = np.argsort(known, kind="stable"), round(np.cbrt(len(known)))
    starts = np.arange(bins) * len(known) // bins
    chosen = np.add.reduceat(cost[order], starts, axis=0).min(axis=1).sum() / len(known)
    return max(0.0, float(cost.mean(axis=0).min() - chosen))
