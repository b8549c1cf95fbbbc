"""Fleet: what machines pass on when they are fewer than the busiest hours need, and how many to keep at least cost."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..units import HOURS_PER_MONTH, SECONDS_PER_MONTH, Array, whole
from .replicas import Need
from .workload import Load

SHARES = np.array(
    [0.995, 0.97, 0.92, 0.85, 0.75, 0.65, 0.55, 0.45, 0.36, 0.28, 0.21, 0.15, 0.1, 0.06, 0.03, 0.012, 0.004, 1e-3]
)
"""Of the hours, in which a capacity is passed: where the best one is looked for when there is no closed form."""


SPREAD = 1.4
"""How far about that level the best number is looked for where a machine costs more in some months than in others."""


@dataclass(frozen=True)
class Overflow:
    """What a pool may pass on and what that costs, over (scenario).

    `may` is the share of its requests that may go; for the others capacity is held. `usd` is the price there of a
    request that cannot wait, `usd_waiting` of one that can, and `usd_per_hour` what every hour costs in which
    something is passed on: the idle part of whole machines, nothing at an API. Machines that follow the load stand for
    one that is `stretch` times as high (`hourly.stretch`); an API asks for what is sent, 1.
    """

    may: Array
    usd: Array
    usd_waiting: Array
    usd_per_hour: Array
    stretch: Array

    def at(self, scenario: Array) -> "Overflow":
        """The same for the scenarios asked."""
        return replace(self, **{name: getattr(self, name)[scenario] for name in self.__dataclass_fields__})

    def times(self, factor: Array | float) -> "Overflow":
        """The same at prices that are a factor of these, by scenario or 1."""
        if isinstance(factor, float):
            return self
        prices = ("usd", "usd_waiting", "usd_per_hour")
        return replace(self, **{name: getattr(self, name) * factor for name in prices})


@dataclass(frozen=True)
class Passed:
    """What is passed on, over (pair, month): `prompt` and `waiting` [request/s]; what stands ready for the former,
    `ready` [request/s], and in which share of the `hours`.
    """

    prompt: Array
    waiting: Array
    ready: Array
    hours: Array

    def usd(self, overflow: Overflow) -> Array:
        """What it costs elsewhere [USD/month]; prices over (pair)."""
        bill = self.ready * (overflow.usd * SECONDS_PER_MONTH)[:, None]
        if self.waiting.any():
            bill += self.waiting * (overflow.usd_waiting * SECONDS_PER_MONTH)[:, None]
        if self.hours.any():
            bill += self.hours * (overflow.usd_per_hour * HOURS_PER_MONTH)[:, None]
        return bill


@dataclass(frozen=True)
class Pool:
    """Pairs of an offer and a scenario whose base is sought: the kind of replica, and how many a machine holds.

    `kept` is what the streams need that may not be passed on. `overflow` is over (pair). `spare` replicas are idle.
    """

    load: Load
    need: Need
    kept: Need
    overflow: Overflow
    kind: Array
    scenario: Array
    each: Array
    spare: Array

    def take(self, chosen: Array) -> "Pool":
        """Some of the pairs, in their order."""
        if len(chosen) == len(self.kind):
            return self
        pairs = {name: getattr(self, name)[chosen] for name in ("kind", "scenario", "each", "spare")}
        return replace(self, overflow=self.overflow.at(chosen), **pairs)

    def usd(self, machines: Array) -> Array:
        """What it costs to pass on what so many machines over (pair, month) do not carry [USD/month]."""
        if self.follows and not self.need.waits:
            replicas, rate = self._replicas(machines), self.prompt
            ready, hours = self._following(self._multiple(replicas))
            return Passed(ready, np.zeros((1, 1)), rate * ready, hours).usd(self.overflow)
        return self.passed(machines).usd(self.overflow)

    @cached_property
    def prompt(self) -> Array:
        """Rate of what cannot wait [request/s]."""
        rate: Array = self.need.prompt[self.scenario]
        return rate

    @cached_property
    def follows(self) -> bool:
        """Whether what is passed on goes to machines that follow the load."""
        return bool(self.overflow.usd_per_hour.any())

    def passed(self, machines: Array) -> Passed:
        """What so many machines over (pair, month) pass on: the spill above what they carry.

        Streams share one hourly shape and those that may not go are served first, so what goes of a load L with the
        share b held is E[(L - K)+] - E[(b L - K)+]. Work that can wait fills idle hours and goes beyond them.
        """
        replicas, rate = self._replicas(machines), self.prompt
        multiple = self._multiple(replicas)
        above = self._above(multiple)
        waiting = self._waiting(replicas, rate * (1 - above)) if self.need.waits else np.zeros((1, 1))
        if not self.follows:
            return Passed(rate * above, waiting, rate * above, np.zeros((1, 1)))
        ready, hours = self._following(multiple)
        return Passed(rate * above, waiting, rate * ready, hours)

    def _replicas(self, machines: Array) -> Array:
        """Replicas at work when all are."""
        return np.maximum(0.0, machines * self.each[:, None] - self.spare[:, None])

    def _multiple(self, replicas: Array) -> Array:
        """What replicas carry, in multiples of the mean load."""
        rate = self.prompt
        with np.errstate(divide="ignore", invalid="ignore"):
            multiple = self.need.carried(self.kind, self.scenario, replicas) / rate
        return np.where(rate > 0, multiple, np.inf)

    def _following(self, multiple: Array) -> tuple[Array, Array]:
        """What machines that follow the load stand ready for, in multiples of the mean, and in which share of hours."""
        ready, hours = self.load.curve.following(multiple, self.scenario)
        may, stretch = self.overflow.may[:, None], self.overflow.stretch[:, None]
        if (may < 1).any():
            spared = stretch * (self.load.curve.spill(multiple, self.scenario) - self._above(multiple))
            ready = np.clip(np.where(may < 1, ready - spared, ready), 0.0, stretch * np.where(may < 1, may, np.inf))
            hours = np.where(may > 0, hours, 0.0)
        return ready, hours

    def _above(self, multiple: Array) -> Array:
        """Share of the load that goes, at a capacity in multiples of the mean."""
        above = self.load.curve.spill(multiple, self.scenario)
        held = 1 - self.overflow.may[:, None]
        if held.any():
            with np.errstate(divide="ignore", invalid="ignore"):
                above -= held * self.load.curve.spill(np.where(held > 0, multiple / held, np.inf), self.scenario)
            np.maximum(above, 0.0, out=above)
        return above

    def _waiting(self, replicas: Array, carried: Array) -> Array:
        waiting = self.need.waiting[self.scenario]
        seconds = self.need.seconds[self.kind, self.scenario][:, None]
        idle = np.maximum(0.0, replicas * self.need.busiest_share - seconds * carried)
        room = np.divide(idle, seconds, out=np.full(idle.shape, np.inf), where=seconds > 0)
        return np.minimum(self.overflow.may[:, None] * waiting, np.maximum(0.0, waiting - room))

    def held(self) -> Array:
        """Fewest machines over (pair, month): a replica at work, the spare, all that may not be passed on."""
        fewest = (1 + self.spare[:, None]) * self.load.live[self.scenario]
        if self.kept.peak.any() or self.kept.waits:
            fewest = np.maximum(fewest, self.kept.replicas(self.kind, self.scenario))
        if self.kept.waits:
            fewest = np.maximum(fewest, self.kept.busy(self.kind, self.scenario) / self.kept.busiest_share)
        return np.asarray(whole(fewest / self.each[:, None]))

    def bracket(self, usd_per_machine: Array, rough: bool = False) -> tuple[Array, Array]:
        """Least and most machines among which the best number of each month lies; cost over (pair, month) [USD].

        Closed form on the load-duration curve: a machine pays for itself while the share of the hours it is needed in
        is above r, its cost over that of passing on all it could carry; P(L > K) = r (Stoft 2002; screening curves).
        Then whole machines, by floor and ceiling: what one more carries grows with their number, so the floor is taken
        at what it carries in the month that needs fewest, the ceiling at what it carries in a large pool. Where a share
        is held the best is below it, and the search starts from what is held. Where machines follow the load there is
        no closed form, and `_best_level` takes its place; when `rough`, at every third of its shares.
        """
        rate, live = self.prompt, self.load.live[self.scenario]
        full = self._one_more(np.full((len(self.kind), 1), np.inf))
        if self.follows:
            middle = live.sum(axis=1).astype(int) // 2 * (usd_per_machine.shape[1] > 1)
            usd = usd_per_machine[np.arange(len(live)), middle]
            mean = self._mean_rate()
            about = self._machines(self._level(usd[:, None], full), mean)
            level = self._best_level(usd, self._one_more(about)[:, 0], SHARES[1::3] if rough else SHARES)[:, None]
            if usd_per_machine.shape[1] > 1:
                low, high = (np.floor(self._machines(level * by, rate)) for by in (1 / SPREAD, SPREAD))
            else:
                low = high = np.floor(self._machines(level, rate))
            low = np.maximum(low - 1, 0.0)
        else:
            least = np.where(live > 0, rate, np.inf).min(axis=1, keepdims=True)
            fewest = self._machines(self._level(usd_per_machine, full), least).min(axis=1, keepdims=True)
            low = np.floor(self._machines(self._level(usd_per_machine, self._one_more(fewest)), rate))
            high = np.floor(self._machines(self._level(usd_per_machine, full), rate))
        high = high + 1
        if self.need.waits:
            waits = self.need.waiting[self.scenario] > 0
            work = self.need.busy(self.kind, self.scenario) / self.need.busiest_share / self.each[:, None]
            high = np.where(waits, np.maximum(high, np.ceil(work)), high)
        held = self.held()
        low = np.where(self.overflow.may[:, None] < 1, held, np.maximum(low, held))
        return low, np.maximum(high, held)

    def _best_level(self, usd_per_machine: Array, rate_per_machine: Array, shares: Array) -> Array:
        """Capacity over the mean load at which a month costs least, over (pair), where there is no closed form for it:
        the best of the shares of the hours in which it is exceeded, between its neighbours as a parabola has it.
        """
        mean = self._mean_rate()
        level = self.load.curve.level(np.broadcast_to(shares, (len(self.kind), len(shares))), self.scenario)
        ready, hours = self._following(level)
        calls = SECONDS_PER_MONTH * self.overflow.usd[:, None] * mean
        idle = HOURS_PER_MONTH * self.overflow.usd_per_hour[:, None]
        cost = (usd_per_machine / rate_per_machine)[:, None] * mean * level + calls * ready + idle * hours
        best = np.clip(cost.argmin(axis=1), 1, len(shares) - 2)
        rows = np.arange(len(best))
        x, y = ([values[rows, best + step] for step in (-1, 0, 1)] for values in (level, cost))
        with np.errstate(divide="ignore", invalid="ignore"):
            # a kind of replica that cannot hold a request has no cost to fit
            left, right = (x[1] - x[0]) * (y[1] - y[2]), (x[1] - x[2]) * (y[1] - y[0])
            vertex = x[1] - ((x[1] - x[0]) * left - (x[1] - x[2]) * right) / (2 * (left - right))
        return np.asarray(np.clip(np.where(np.isfinite(vertex), vertex, x[1]), x[0], x[2]))

    def _mean_rate(self) -> Array:
        """Mean rate of what cannot wait over the live months, over (pair, 1) [request/s]."""
        total, months = (part.sum(axis=1)[self.scenario, None] for part in (self.need.prompt, self.load.live))
        return np.asarray(np.maximum(total / np.maximum(months, 1), 1e-12))

    def _one_more(self, machines: Array) -> Array:
        """Rate that one machine more carries [request/s]: the slope of `serving.busy_at_most` half-way to it."""
        each, h = self.each[:, None], self.need.headroom[self.kind, self.scenario][:, None]
        slope = 1 - h / np.sqrt(np.square(h) + 4 * each * (machines + 0.5))
        planned = self.need.planned[self.kind, self.scenario][:, None]
        with np.errstate(divide="ignore"):
            return np.asarray(np.minimum(slope, self.need.busiest_share) * each / planned)

    def _level(self, usd_per_machine: Array, rate_per_machine: Array) -> Array:
        """Capacity over the mean load at the closed form's optimum, if one more machine carries a rate [request/s]."""
        usd = np.maximum(self.overflow.usd, 1e-12)[:, None] * SECONDS_PER_MONTH
        usd = usd * np.sqrt(self.overflow.stretch)[:, None]
        share = np.minimum(1.0, usd_per_machine / (usd * rate_per_machine))
        return np.where(share < 1, self.load.curve.level(share, self.scenario), 0.0)

    def _machines(self, level: Array, rate: Array) -> Array:
        """Machines, not whole, that carry a multiple of a load [request/s]."""
        busy = self.need.planned[self.kind, self.scenario][:, None] * level * rate
        room = self.need.headroom[self.kind, self.scenario][:, None] * np.sqrt(busy)
        wanted = np.maximum(busy + room, busy / self.need.busiest_share) + self.spare[:, None]
        return wanted / self.each[:, None]


FEW = 2
"""So many numbers more than the least are tried one by one."""


def least(cost: Callable[[Array, Array], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """Whole numbers from low to high, over (pair, ...), at which a convex cost is least, and that cost.

    By halving, then one by one; the smaller of two that tie. `cost` is asked for whole numbers at some of the pairs,
    whose positions it gets too.
    """
    low, high = low.copy(), np.maximum(low, high)
    while len(rows := np.flatnonzero((high - low).max(axis=1) > FEW)):
        first, last = low[rows], high[rows]
        middle = np.floor((first + last) / 2)
        rising = cost(np.minimum(middle + 1, last), rows) >= cost(middle, rows)
        high[rows] = np.where(rising, middle, last)
        low[rows] = np.where(rising, first, np.minimum(middle + 1, last))
    width, best = (high - low).max(axis=1, initial=0), low.copy()
    costs = cost(low, np.arange(len(low)))
    for step in range(1, FEW + 1):
        if len(rows := np.flatnonzero(width >= step)):
            number = np.minimum(low[rows] + step, high[rows])
            found = cost(number, rows)
            best[rows] = np.where(found < costs[rows], number, best[rows])
            costs[rows] = np.minimum(found, costs[rows])
    return best, costs
