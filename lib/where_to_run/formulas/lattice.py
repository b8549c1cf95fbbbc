"""Lattice: ways of running on a lattice of volumes with the price of every move, and the plan that costs least."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..units import Array

STAY = -1
"""In place of a move: run on as before."""

OUT_OF_REACH = 1e18
"""Worth of arriving after the last month [USD]: finite, so that no chance of it is undefined."""


@dataclass(frozen=True)
class Programme:
    """What running costs over (month, level, state) and what moves take, over (move) or (month, move).

    Level k of month t stands for the volume of that month times u^(2k - t - early), so `early` + t + 1 levels are in
    use; the next month is level k + 1 with the chance `up`, else level k. `running` [USD] falls due at the end of its
    month, `end` [USD] over (level, state) after the last. A move leaves the state `start` for `to` after `lead` months,
    in which the old state runs on and in the last of which the new one runs beside it, for `double` months' cost. It
    costs `price` [USD] when it is ordered, infinite where it is not open, and `left` months of the rent that is `bound`
    over (month, level, state) [USD]. `discount` is the worth of a dollar a month later.
    """

    running: Array
    end: Array
    bound: Array
    start: Array
    to: Array
    price: Array
    lead: Array
    beside: Array
    left: Array
    up: float
    discount: float
    early: int = 0

    @property
    def months(self) -> int:
        """Months of the programme."""
        return len(self.running)

    @property
    def middle(self) -> int:
        """Level in the middle of month 0."""
        return self.early // 2

    def levels(self, month: int) -> int:
        """Levels in use in a month."""
        return self.early + month + 1

    def ahead(self, later: Array) -> Array:
        """Expectation of what stands on the levels of a month on its first axis, on those of the month before."""
        return self.up * later[1:] + (1 - self.up) * later[:-1]

    def onward(self, mass: Array, months: int) -> Array:
        """Where probability on levels goes in some months: the binomial law step by step."""
        for _ in range(months):
            mass = np.convolve(mass, [1 - self.up, self.up])
        return mass

    def asked(self, month: int, levels: Array, move: Array) -> Array:
        """What moves cost on the day they are ordered at, at the levels given, the rest of contracts included [USD]."""
        return self.price[month, move] + self.left[move] * self.bound[month, levels, self.start[move]]


@dataclass(frozen=True)
class Plan:
    """The best that can be done, over (month, level, state): its `value` [USD, worth in its month], the `move` that
    does it or STAY, and `gain`, what the best move saves against another month [USD], negative where it costs more.
    """

    programme: Programme
    value: Array
    move: Array
    gain: Array


def solve(p: Programme) -> Plan:
    """The plan of least expected cost, by backward induction (methods 8).

    J(t,v,i) = min{ d [c(t,v,i) + E J(t+1,.,i)];  S_ij + cost of i in the L months of lead + d^L E J(t+L,.,j) }
    """
    months, size, states = p.running.shape
    value = np.zeros((months + 1, size, states))
    value[months, : p.levels(months)] = p.end[: p.levels(months)]
    move, gain = np.full((months, size, states), STAY), np.full((months, size, states), -np.inf)
    longest = int(p.lead.max(initial=0))
    # by months of lead: cost of running so long, of running in the last of them, and of what follows from then on
    waited = [np.zeros((p.levels(months), states))] * (longest + 1)
    last, arrived = waited, [waited[0] + OUT_OF_REACH] * (longest + 1)
    for t in reversed(range(months)):
        here, d = p.running[t, : p.levels(t)], p.discount
        after = p.ahead(value[t + 1, : p.levels(t + 1)])
        stay = d * (here + after)
        waited = [0 * here, *(d * (here + p.ahead(w)) for w in waited[:longest])]
        last = [0 * here, d * here, *(d * p.ahead(cost) for cost in last[1:longest])]
        arrived = [stay, d * after, *(d * p.ahead(cost) for cost in arrived[1:longest])]
        value[t, : p.levels(t)] = stay
        if len(p.start):
            best, saved = _best(p, t, np.stack(waited), np.stack(last[: longest + 1]), np.stack(arrived[: longest + 1]))
            move[t, : p.levels(t)], gain[t, : p.levels(t)] = np.where(saved > 0, best, STAY), saved
            value[t, : p.levels(t)] -= np.maximum(saved, 0.0)
    return Plan(p, value, move, gain)


def _best(p: Programme, month: int, waited: Array, last: Array, arrived: Array) -> tuple[Array, Array]:
    """The best move of every level and state, and what it saves against staying [USD]."""
    stay, open_ = arrived[0], np.flatnonzero(np.isfinite(p.price[month]))
    best, saved = np.full(stay.shape, STAY), np.full(stay.shape, -np.inf)
    if not len(open_):
        return best, saved
    start, lead, to = p.start[open_], p.lead[open_], p.to[month, open_]
    cost = waited[lead, :, start] + arrived[lead, :, to] + p.beside[open_, None] * last[lead, :, to]
    cost += p.asked(month, np.arange(len(stay))[:, None], open_).T
    first = np.flatnonzero(np.diff(start, prepend=-1))
    saved[:, start[first]] = stay[:, start[first]] - np.minimum.reduceat(cost, first, axis=0).T
    for a, b in zip(first, np.append(first[1:], len(start)), strict=True):
        if (saved[:, start[a]] > 0).any():
            best[:, start[a]] = open_[a + cost[a:b].argmin(axis=0)]
    return best, saved


@dataclass(frozen=True)
class Course:
    """Where a plan leads: the probability over (month, state) that it runs, over (month, move) that it is ordered."""

    runs: Array
    ordered: Array


def wait(plan: Plan, state: int, months: int) -> float:
    """Cost of running on in a state for some months, come what may, and following the plan from then on [USD today]."""
    p = plan.programme
    value = plan.value[months, : p.levels(months), state]
    for t in reversed(range(months)):
        value = p.discount * (p.running[t, : p.levels(t), state] + p.ahead(value))
    return float(value[p.middle])


def edge(at: Array, gain: Array) -> float:
    """Where staying and moving cost the same: of two points where one stays and the next, where one moves.

    At the best boundary value and slope match (Dixit 1989), so what moving would lose falls to it as a square.
    """
    far, near = np.sqrt(np.maximum(-gain[:2], 0.0))
    step = at[2] - at[1]
    share = (at[1] - at[0]) / step * near / (far - near) if far > near else 1.0
    return float(at[1] + step * min(1.0, share))


def course(plan: Plan, state: int, until: Array | None = None) -> Course:
    """Exact probabilities under a plan from a state at the level in the middle of month 0.

    With `until`, over (state), what has ordered a move to one of these is left out from then on.
    """
    p = plan.programme
    free = np.zeros((p.months + 1, *p.running.shape[1:]))
    free[0, p.middle, state] = 1.0
    runs, ordered = np.zeros((p.months, p.running.shape[2])), np.zeros((p.months, len(p.start)))
    for t in range(p.months):
        staying = free[t, : p.levels(t)] * (plan.move[t, : p.levels(t)] == STAY)
        for move, i, j, mass in _leaving(plan, t, free[t]):
            ordered[t, move] += mass.sum()
            if until is not None and until[j]:
                continue
            lead = int(p.lead[move])
            runs[t : t + lead, i] += mass.sum()
            # who arrives at once stays for a month
            arrives = free[t + lead, : p.levels(t + lead)] if lead else staying
            arrives[:, j] += p.onward(mass, lead)
        runs[t] += staying.sum(axis=0)
        for s in np.flatnonzero(staying.any(axis=0)):
            free[t + 1, : p.levels(t + 1), s] += p.onward(staying[:, s], 1)
    return Course(runs, ordered)


def _leaving(plan: Plan, month: int, free: Array) -> Iterator[tuple[int, int, int, Array]]:
    """Every move ordered in a month: the move, its states, and the probability of it on the levels in use."""
    p, here = plan.programme, slice(plan.programme.levels(month))
    moves = np.where(free > 0, plan.move[month], STAY)[here]
    for move in np.unique(moves[moves != STAY]).tolist():
        i, j = int(p.start[move]), int(p.to[month, move])
        yield move, i, j, np.where(moves[:, i] == move, free[here, i], 0.0)
