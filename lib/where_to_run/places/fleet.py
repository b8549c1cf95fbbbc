"""Fleet: how many machines to keep month by month at least cost, and what they pass on to an outlet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.special import expit

from ..formulas import queueing
from ..formulas.load_curve import Follower, between
from ..units import HOURS_PER_MONTH, SECONDS_PER_MONTH, Array, whole
from .offers import Offers
from .replicas import Need, Workload
from .spares import AROUND_THE_CLOCK, Spares
from .workload import Load

NEAR = 1.1
"""Tried month by month is what costs at most so many times the cheapest in the mean month."""

SHARES = expit(np.linspace(3.5, -7.0, 18))
"""Of the hours, in which a capacity is passed: where the best one is looked for when there is no closed form."""

SPREADS = (1.4, 1.0)
"""How far about that level the best number is looked for where a machine costs more in some months than in others."""

MANY = 25
"""Machines above which the number next to the best level will do: one more or less costs next to nothing more."""

OUT_OF_REACH = 1e15
"""More than any machines are worth [USD]."""

SMALL = 12
"""Machines up to which the fewest are tried beside the best found, as the cost beside a follower has two hollows."""


@dataclass(frozen=True)
class Outlet:
    """Where a fleet may pass requests on to and what that costs, over (scenario), or by pair of offer and scenario.

    `may` is the share of the requests that may go, `may_wait` of those that can wait; for the others capacity is held.
    `usd` is the price of a request that cannot wait, `usd_waiting` of one that can, `usd_per_hour` what every hour
    costs in which something goes: the idle part of whole machines. A `follower` stands for more than is passed on.
    """

    may: Array
    may_wait: Array
    usd: Array
    usd_waiting: Array
    usd_per_hour: Array
    follower: Follower | None = None

    def at(self, rows: Array) -> "Outlet":
        """The same for the rows asked."""
        columns = [name for name in self.__dataclass_fields__ if name != "follower"]
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})

    def times(self, factor: Array | float) -> "Outlet":
        """The same at prices that are a factor of these, by scenario or 1."""
        prices = ("usd", "usd_waiting", "usd_per_hour")
        return replace(self, **{name: getattr(self, name) * factor for name in prices})


def no_outlet(number: int) -> Outlet:
    """Nothing is passed on."""
    return Outlet(*np.zeros((5, number)))


@dataclass(frozen=True)
class Passed:
    """What is passed on, over (pair, month): `prompt` and `waiting` [request/s]; what stands ready for the former,
    `ready` [request/s], and in which share of the `hours`.
    """

    prompt: Array
    waiting: Array
    ready: Array
    hours: Array

    def usd(self, outlet: Outlet) -> Array:
        """What it costs elsewhere [USD/month]; prices over (pair)."""
        bill = self.ready * (outlet.usd * SECONDS_PER_MONTH)[:, None]
        if self.waiting.any():
            bill += self.waiting * (outlet.usd_waiting * SECONDS_PER_MONTH)[:, None]
        if self.hours.any():
            bill += self.hours * (outlet.usd_per_hour * HOURS_PER_MONTH)[:, None]
        return bill

    def times(self, share: Array) -> "Passed":
        """A share of it."""
        return Passed(*(getattr(self, name) * share for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Price:
    """What a machine costs by pair: `usd`, worth today of holding it through each term, over (pair, term).

    A term begins in each of the months `starts`; `worth` is that of a dollar in each month the fleet serves, over
    (pair, month). Machines that are bought stay to the end, and in each term so many are `affordable`, over (pair,
    term): what is ordered on day one keeps the limit for hardware.
    """

    usd: Array
    starts: Array
    worth: Array
    affordable: Array | None = None

    def take(self, chosen: Array) -> "Price":
        """Some of the pairs."""
        affordable = None if self.affordable is None else self.affordable[chosen]
        return Price(self.usd[chosen], self.starts, self.worth[chosen], affordable)

    def by_term(self, values: Array, add: np.ufunc = np.add) -> Array:
        """Values over (pair, month) put together for each term."""
        if len(self.starts) == values.shape[1] - 1:
            return values[:, 1:]
        return np.asarray(add.reduceat(values, self.starts, axis=1))

    def by_month(self, values: Array) -> Array:
        """Values over (pair, term) for each month; none in month 0."""
        lengths = np.diff(np.append(self.starts, self.worth.shape[1]))
        spread = values if (lengths == 1).all() else np.repeat(values, lengths, axis=1)
        return np.concatenate([np.zeros((len(values), 1)), spread], axis=1)

    @cached_property
    def monthly(self) -> Array:
        """What a machine costs in a month it serves, over (pair, month) [USD/month]; nothing in the others."""
        serving = self.by_term(self.worth)
        usd = np.divide(self.usd, serving, out=np.zeros_like(self.usd), where=serving > 0)
        return self.by_month(usd) * (self.worth > 0)


class Contract(Protocol):
    """How the machines of some offers are paid for."""

    def mean_usd(self) -> Array:
        """What a machine costs in the mean month, over (offer, scenario) [USD/month]; infinite where not offered."""

    def affordable(self) -> Array | float:
        """Machines the limit for hardware allows on day one, over (offer, scenario)."""

    def price(self, offer: Array, scenario: Array) -> Price:
        """What a machine costs, by the pairs asked."""


@dataclass(frozen=True)
class Fleet:
    """Pairs of an offer and a scenario whose number of machines is sought: the kind of replica, and how many of them a
    machine holds. `outlet` is over (pair), `spares` what stands at the place against failures. Machines are `running`
    in a share of the hours, over (pair, 1) or 1.
    """

    load: Load
    need: Need
    outlet: Outlet
    kind: Array
    scenario: Array
    each: Array
    spares: Spares
    running: Array | float = 1.0

    def take(self, chosen: Array) -> "Fleet":
        """Some of the pairs, in their order."""
        pairs = {name: getattr(self, name)[chosen] for name in ("kind", "scenario", "each")}
        if isinstance(self.running, np.ndarray):
            pairs["running"] = self.running[chosen]
        return replace(self, outlet=self.outlet.at(chosen), **pairs)

    def in_typical_months(self, weights: Array) -> "Fleet":
        """The same in the mean month, of those with a weight over (scenario, month).

        Also in the quietest and the busiest where nothing that cannot wait is passed on; elsewhere the cost is flat.
        """
        need = self.need.mean(weights) if self.outlet.may.any() else self.need.typical(weights)
        return replace(self, load=replace(self.load, live=np.ones(need.prompt.shape)), need=need)

    @cached_property
    def prompt(self) -> Array:
        """Rate of what cannot wait, over (pair, month) [request/s]."""
        rate: Array = self.need.prompt[self.scenario]
        return rate

    def _of_kind(self, name: str) -> Array:
        values: Array = getattr(self.need, name)[self.kind, self.scenario][:, None]
        return values

    @property
    def _busiest(self) -> Array | float:
        """How busy machines may be over all hours, those in which they are off included."""
        return self.need.busiest_share * self.running

    @cached_property
    def fixed(self) -> bool:
        """Whether nothing is passed on, so that the machines are as many as must be held."""
        return not (self.outlet.may.any() or (self.need.waits and self.outlet.may_wait.any()))

    def held(self) -> Array:
        """Fewest machines over (pair, month): for all that may not be passed on, with spares, and one of what may.

        Work that can wait runs on spare machines too.
        """
        holds, waits = 1 - self.outlet.may[:, None], 1 - self.outlet.may_wait[:, None]
        fewest = self._kept
        if (holds < 1).any():
            fewest = np.maximum(fewest, self.load.live[self.scenario] * (holds < 1))
        fewest = fewest + self.spare
        if self.need.waits and waits.any():
            work = self._of_kind("seconds") * (self.prompt * holds + self.need.waiting[self.scenario] * waits)
            machines = np.asarray(whole(work / self._busiest / self.each[:, None]))
            fewest = np.maximum(fewest, np.where(waits > 0, machines, 0.0))
        return fewest

    def busiest(self, share: Array | float = 1.0) -> Array:
        """Machines over (pair, month) for the busiest hours of a share of what cannot wait, over (pair, 1)."""
        busy = self._of_kind("planned") * self.need.peak[self.scenario] * share
        replicas = queueing.replicas_needed(busy, self._of_kind("headroom"), self.need.busiest_share)
        return np.asarray(whole(replicas / self.each[:, None]))

    @cached_property
    def _kept(self) -> Array:
        """Machines at work for what may not be passed on."""
        holds = 1 - self.outlet.may[:, None]
        return self.busiest(holds) if holds.any() else np.zeros(self.prompt.shape)

    @cached_property
    def spare(self) -> Array:
        """Spare machines over (pair, month): after as many failures all is carried, here or where it may go.

        An outlet is the spare of what may go there; machines that start when the load has risen are not, around the
        clock.
        """
        if not (asked := self._asked(self.spares.stand_from)).any():
            return np.zeros((1, 1))
        starts = self._asked(AROUND_THE_CLOCK) * bool(self.outlet.follower)
        at_work = np.where(starts, self.busiest(), self._kept) if starts.any() else self._kept
        return self.spares.beside(at_work) * asked

    @cached_property
    def idle(self) -> Array:
        """Those of them that carry nothing beside an outlet, over the same."""
        starts = self._asked(AROUND_THE_CLOCK) * bool(self.outlet.follower)
        return self.spare * starts if starts.any() else np.zeros((1, 1))

    def _asked(self, availability: int) -> Array:
        """Whether at least an availability is asked, over (pair, 1)."""
        asked: Array = self.load.availability[self.scenario] >= availability
        return asked

    def usd(self, machines: Array) -> Array:
        """What it costs to pass on what so many machines over (pair, month) do not carry [USD/month]."""
        if self.outlet.follower and not self.need.waits:
            ready, hours = self._following(self._multiple(self.replicas(machines)), self.outlet.follower)
            return Passed(ready, np.zeros((1, 1)), self.prompt * ready, hours).usd(self.outlet)
        return self.passed(machines).usd(self.outlet)

    def passed(self, machines: Array) -> Passed:
        """What so many machines over (pair, month) pass on: the spill above what they carry.

        Streams share one hourly shape and those that may not go are served first, so what goes of a load L with the
        share b held is E[(L - K)+] - E[(b L - K)+]. Work that can wait fills idle hours and goes beyond them.
        """
        if self.fixed:
            return Passed(*np.zeros((4, *machines.shape)))
        multiple, none = self._multiple(self.replicas(machines)), np.zeros((1, 1))
        above = self._above(multiple)
        waiting = self._waiting(machines, self.prompt * (1 - above)) if self.need.waits else none
        goes = self.prompt * above
        if not self.outlet.follower:
            return Passed(goes, waiting, goes, none)
        ready, hours = self._following(multiple, self.outlet.follower)
        return Passed(goes, waiting, self.prompt * ready, hours)

    def replicas(self, machines: Array) -> Array:
        """Replicas at work when all are."""
        return np.maximum(0.0, machines - self.idle) * self.each[:, None]

    def _multiple(self, replicas: Array) -> Array:
        """What replicas carry, in multiples of the mean load."""
        busy = np.asarray(queueing.busy_at_most(replicas, self._of_kind("headroom"), self.need.busiest_share))
        load = self._of_kind("planned") * self.prompt
        return np.divide(busy, load, out=np.full(busy.shape, np.inf), where=load > 0)

    def _following(self, multiple: Array, follower: Follower) -> tuple[Array, Array]:
        """What machines that follow the load stand ready for, in multiples of the mean, and in which share of hours."""
        ready, hours = self.load.curve.following(multiple, self.scenario, follower)
        may = self.outlet.may[:, None]
        if (may < 1).any():
            stretch = np.broadcast_to(follower.at(self.load.curve.surprise), (len(self.load.live), 1))[self.scenario]
            spared = stretch * (self.load.curve.spill(multiple, self.scenario) - self._above(multiple))
            ready = np.clip(np.where(may < 1, ready - spared, ready), 0.0, stretch * np.where(may < 1, may, np.inf))
            hours = np.where(may > 0, hours, 0.0)
        return ready, hours

    def _above(self, multiple: Array) -> Array:
        """Share of the load that goes, at a capacity in multiples of the mean."""
        held = 1 - self.outlet.may[:, None]
        if (held == 1).all():
            return np.zeros_like(multiple)
        above = self.load.curve.spill(multiple, self.scenario)
        if held.any():
            with np.errstate(divide="ignore", invalid="ignore"):
                above -= held * self.load.curve.spill(np.where(held > 0, multiple / held, np.inf), self.scenario)
            np.maximum(above, 0.0, out=above)
        return above

    def _waiting(self, machines: Array, carried: Array) -> Array:
        """Rate of what can wait and goes, beside a rate that is carried; spare machines work on what can wait."""
        waiting, seconds = self.need.waiting[self.scenario], self._of_kind("seconds")
        idle = np.maximum(0.0, machines * self.each[:, None] * self._busiest - seconds * carried)
        room = np.divide(idle, seconds, out=np.full(idle.shape, np.inf), where=seconds > 0)
        return np.minimum(self.outlet.may_wait[:, None] * waiting, np.maximum(0.0, waiting - room))

    def bracket(self, usd: Array) -> tuple[Array, Array]:
        """Least and most machines among which the best number of each month lies; a machine's cost over (pair, month).

        Closed form on the load-duration curve: a machine pays for itself while the share of the hours it is needed in
        is above r, its cost over that of passing on all it could carry; P(L > K) = r (Stoft 2002; screening curves).
        Then whole machines, by floor and ceiling: what one more carries grows with their number, so the floor is taken
        at what it carries in the month that needs fewest, the ceiling at what it carries in a large fleet. Where a
        share is held the best is below it, and the search starts from what is held. Where machines follow the load
        there is no closed form, and `_best_level` takes its place.
        """
        held, rate = self.held(), self.prompt
        if not self.outlet.may.any():
            low = high = held
        else:
            low, high = self._about_best(usd, rate)
        if self.need.waits:
            high = np.maximum(high, self.with_room())
        low = np.where(self.outlet.may[:, None] < 1, held, np.maximum(low, held))
        return low, np.maximum(high, held)

    def with_room(self) -> Array:
        """Machines over (pair, month) that find room for all that can wait and might go; none where nothing can."""
        waits = (self.need.waiting[self.scenario] > 0) & (self.outlet.may_wait[:, None] > 0)
        work = self.need.busy(self.kind, self.scenario) / self._busiest / self.each[:, None]
        return np.where(waits, np.ceil(work), 0.0)

    def _about_best(self, usd: Array, rate: Array) -> tuple[Array, Array]:
        live = self.load.live[self.scenario] > 0
        full = self._one_more(np.full((len(self.kind), 1), np.inf))
        least = np.where(live, rate, np.inf).min(axis=1, keepdims=True)
        if not self.outlet.follower:
            high = np.floor(self.machines(self._level(usd, full), rate)) + 1
            if (self.outlet.may < 1).all():
                return high, high
            fewest = self.machines(self._level(usd, full), least).min(axis=1, keepdims=True)
            low = np.floor(self.machines(self._level(usd, self._one_more(fewest)), rate))
            return low, high
        most, months = rate.max(axis=1, keepdims=True), live.sum(axis=1)
        price = usd[np.arange(len(usd)), (months + 1) // 2 * (usd.shape[1] > 1)][:, None]
        ends = [self._best_level(price, np.maximum(end, 1e-12), full) for end in (least, most)]
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.nan_to_num(np.log(rate / least) / np.log(most / least), nan=0.0, posinf=0.0, neginf=0.0)
        wanted = self.machines(between(ends[0], ends[1], part), rate)
        varies = (live & (np.abs(usd - price) > 1e-9 * price)).any(axis=1, keepdims=True)
        about = np.where(varies, *SPREADS)
        many = (wanted > MANY) * ~varies
        low, high = np.where(many, wanted + 0.5, wanted / about), np.where(many, wanted - 0.5, wanted * about)
        return np.floor(low) + self.idle, np.floor(high) + 1 + self.idle

    def at_levels(self, held: Array) -> tuple[Array, Array]:
        """Whole machines that carry levels exceeded in some of `SHARES` of the hours, and what it costs to pass on what
        is above, over (pair, level) [USD/month]; no fewer machines than are `held`. For one month.
        """
        step = 4 if self.outlet.follower else 2  # beside a follower the cost is flat
        level, ready, hours = (part[:, ::step].take(self.scenario, axis=0) for part in self._levels)
        machines, goes = whole(self.machines(level, self.prompt)) + self.idle, self.prompt * ready
        machines = np.maximum(machines, held)
        waiting = self._waiting(machines, self.prompt - np.minimum(goes, self.prompt)) if self.need.waits else goes * 0
        return machines, Passed(goes, waiting, goes, hours).usd(self.outlet)

    @cached_property
    def _levels(self) -> tuple[Array, Array, Array]:
        """Levels exceeded in `SHARES` of the hours over the mean, what stands ready above each, and in which hours."""
        every = np.arange(len(self.load.live))
        in_use = self.load.curve.in_use
        shares = np.broadcast_to(SHARES if in_use is None else SHARES * in_use, (len(every), len(SHARES)))
        level = self.load.curve.level(shares, every)
        if self.outlet.follower:
            return level, *self.load.curve.following(level, every, self.outlet.follower)
        return level, self.load.curve.spill(level, every), np.zeros(level.shape)

    def _best_level(self, usd: Array, rate: Array, full: Array) -> Array:
        """Capacity over the mean load at which a month of a rate costs least, over (pair, 1), where there is no closed
        form for it: the best of the `SHARES` of the hours in which it is exceeded, between its neighbours as a parabola
        has it.
        """
        level, ready, hours = (part.take(self.scenario, axis=0) for part in self._levels)
        calls = np.maximum(self.outlet.usd, 1e-12)[:, None] * SECONDS_PER_MONTH
        carries = self._one_more(self.machines(self._level(usd, full), rate)) * calls
        idle = self.outlet.usd_per_hour[:, None] * HOURS_PER_MONTH / (rate * calls)
        cost = usd / carries * level + ready + idle * hours
        best, rows = np.clip(cost.argmin(axis=1), 1, len(SHARES) - 2), np.arange(len(level))
        # a kind of replica that cannot hold a request has no cost to fit
        return parabola([(level[rows, best + s], cost[rows, best + s]) for s in (-1, 0, 1)])[:, None]

    def _one_more(self, machines: Array) -> Array:
        """Rate that one machine more carries [request/s]: the slope of `queueing.busy_at_most` half-way to it."""
        each, h = self.each[:, None], self._of_kind("headroom")
        slope = 1 - h / np.sqrt(np.square(h) + 4 * each * (machines + 0.5))
        with np.errstate(divide="ignore"):
            return np.asarray(np.minimum(slope, self.need.busiest_share) * each / self._of_kind("planned"))

    def _level(self, usd_per_machine: Array, rate_per_machine: Array) -> Array:
        """Capacity over the mean load at the closed form's optimum, if one more machine carries a rate [request/s]."""
        usd = np.maximum(self.outlet.usd, 1e-12)[:, None] * SECONDS_PER_MONTH
        if self.outlet.follower:
            stretch = self.outlet.follower.at(self.load.curve.surprise)
            usd = usd * np.sqrt(np.broadcast_to(stretch, (len(self.load.live), 1))[self.scenario])
        share = np.minimum(1.0, usd_per_machine / (usd * rate_per_machine))
        return np.where(share < 1, self.load.curve.level(share, self.scenario), 0.0)

    def machines(self, level: Array, rate: Array) -> Array:
        """Machines at work, not whole, that carry a multiple of a load [request/s]."""
        busy = self._of_kind("planned") * level * rate
        wanted = np.maximum(busy + self._of_kind("headroom") * np.sqrt(busy), busy / self.need.busiest_share)
        return wanted / self.each[:, None]

    def sized(self, price: Price) -> tuple[Array, Array]:
        """Machines over (pair, month) that cost least, the same through each term, and all they cost today [USD]."""
        serving = price.worth > 0
        fewest = price.by_term(self.held() * serving, np.maximum)
        if self.fixed:
            number = fewest if price.affordable is None else np.maximum.accumulate(fewest, axis=1)
            return price.by_month(number), (number * price.usd).sum(axis=1) + _out_of_reach(number, price)
        low, high = self.bracket(price.monthly)
        low = price.by_term(np.where(serving, low, np.inf), np.minimum)
        low = np.maximum(np.where(np.isfinite(low), low, 0.0), fewest)
        high = price.by_term(np.where(serving, high, 0.0), np.maximum)

        def cost(machines: Array, pairs: Array) -> Array:
            everywhere = len(pairs) == len(self.kind)
            some, fleet = (price, self) if everywhere else (price.take(pairs), self.take(pairs))
            return machines * some.usd + some.by_term(fleet.usd(some.by_month(machines)) * some.worth)

        rented = price.affordable is None
        smooth = bool(self.outlet.follower) & rented & ~self.need.waiting[self.scenario].any(axis=1, keepdims=True)
        number, usd = least(cost, low, high, NARROW * smooth)
        if self.outlet.follower and rented:
            small = np.flatnonzero(((number - fewest).max(axis=1) > 0) & (number.max(axis=1) <= SMALL))
            at_fewest = cost(fewest[small], small)
            number[small] = np.where(at_fewest < usd[small], fewest[small], number[small])
            usd[small] = np.minimum(at_fewest, usd[small])
        if price.affordable is not None:
            number = _kept_to_the_end(cost, number, fewest, price.affordable)
            usd = cost(number, np.arange(len(number)))
        return price.by_month(number), usd.sum(axis=1) + _out_of_reach(number, price)


def _out_of_reach(number: Array, price: Price) -> Array | float:
    """Added to the worth of machines above the limit for hardware, so that they are taken only where none keeps it."""
    return 0.0 if price.affordable is None else (number > price.affordable).any(axis=1) * OUT_OF_REACH


Cost = Callable[[Array, Array], Array]
"""Cost of whole numbers of machines at some of the pairs, whose positions it gets too."""


def _kept_to_the_end(cost: Cost, best: Array, fewest: Array, affordable: Array) -> Array:
    """Machines that are bought over (pair, term), never fewer than before, from the best number of each month.

    None is bought that does not pay for itself by the end.
    """
    fewest = np.maximum.accumulate(fewest, axis=1)
    path = np.minimum(best, np.maximum(np.maximum(affordable, 1), fewest))
    path = np.maximum.accumulate(np.maximum(path, fewest), axis=1)

    def capped(most: Array, pairs: Array) -> Array:
        return cost(np.minimum(path[pairs], most), pairs).sum(axis=1, keepdims=True)

    most, _ = least(capped, np.maximum(fewest[:, -1:], 1.0), np.maximum(path[:, -1:], 1.0))
    return np.minimum(path, most)


NARROW = 0.25
"""How wide a range of numbers may be, over the least of them and beside two, that a parabola tells the best of."""


def least(cost: Cost, low: Array, high: Array, narrow: Array | float = 0.0) -> tuple[Array, Array]:
    """Whole numbers from low to high, over (pair, ...), at which a convex cost is least, and that cost.

    By halving, down to three numbers; of a smooth cost, as soon as a range is `narrow` over its least number, the best
    of three in it and of where a parabola through them is least. The smaller of two that tie.
    """
    low, high = low.copy(), np.maximum(low, high)
    while len(rows := np.flatnonzero(((high - low) / np.maximum(2, narrow * low)).max(axis=1) > 1)):
        first, last = low[rows], high[rows]
        middle = np.floor((first + last) / 2)
        rising = cost(np.minimum(middle + 1, last), rows) >= cost(middle, rows)
        high[rows] = np.where(rising, middle, last)
        low[rows] = np.where(rising, first, np.minimum(middle + 1, last))
    width, numbers = (high - low).max(axis=1), [low, np.ceil((low + high) / 2), high]

    def at(number: Array, wider: int) -> Array:
        some, usd = np.flatnonzero(width > wider), np.full(low.shape, np.inf)
        if len(some):
            usd[some] = cost(number[some], some)
        return usd

    costs = [at(number, wider) for number, wider in zip(numbers, (-1, 1, 0), strict=True)]
    if (width > 2).any():
        numbers.append(np.clip(np.round(parabola([*zip(numbers, costs, strict=True)])), low, high))
        costs.append(at(numbers[-1], 2))
    best, least_cost = low, costs[0]
    for number, usd in zip(numbers[1:], costs[1:], strict=True):
        better = (usd < least_cost) | ((usd == least_cost) & (number < best))
        best, least_cost = np.where(better, number, best), np.where(better, usd, least_cost)
    return best, least_cost


def parabola(points: Sequence[tuple[Array, Array]]) -> Array:
    """Where a parabola through three points, as places and values, has its vertex; the middle one where it has none."""
    (x0, y0), (x1, y1), (x2, y2) = points
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = (x1 - x0) * (y1 - y2), (x1 - x2) * (y1 - y0)
        vertex = x1 - ((x1 - x0) * left - (x1 - x2) * right) / (2 * (left - right))
    return np.asarray(np.clip(np.where(np.isfinite(vertex), vertex, x1), x0, x2))


@dataclass(frozen=True)
class Way:
    """Contracts there are to choose from, and the outlet of pairs of offer and scenario beside them.

    Machines that are off by a clock are `running` in a share of the hours, over (scenario, 1), and carry `work`.
    """

    contracts: Sequence[Contract]
    outlet: Callable[[Array, Array], Outlet]
    work: Workload | None = None
    running: Array | None = None


@dataclass(frozen=True)
class Taken:
    """For each scenario the way, its contract and the offer that cost least, as positions, and the machines over
    (scenario, month), of which so many are `spare`. `passed` is what they pass on, and `fits` false where no offer can
    serve the load.
    """

    way: Array
    contract: Array
    offer: Array
    count: Array
    spare: Array
    passed: Passed
    fits: Array


def cheapest(choice: Offers, ways: Sequence[Way], work: Workload, spares: Spares, weights: Array) -> Taken:
    """The offer, the way to pay for it and the machines that cost least in each scenario.

    Of each contract those offers are tried month by month that cost `NEAR` the least in a typical month. A contract
    that does not come `NEAR` the first of its way even there, where binding ones look best, is left out, and so is a
    way whose fewest machines cost as much as those of the way before. `weights` are the worth today of a dollar in each
    month of service.
    """
    load, every = work.load, np.arange(len(work))
    holds = choice.hold(work)

    def fleet(way: Way, offer: Array, scenario: Array) -> Fleet:
        asked, running = way.work or work, 1.0 if way.running is None else way.running[scenario]
        outlet = way.outlet(offer, scenario)
        return Fleet(asked.load, asked.need, outlet, choice.kind[offer], scenario, choice.each[offer], spares, running)

    pairs, found, first = np.indices(holds.shape).reshape(2, -1), [], np.full(len(work), np.inf)
    for w, way in enumerate(ways):
        month = fleet(way, *pairs).in_typical_months(weights)
        tried, best = _shortlist(month, way.contracts, holds, first)
        first = np.minimum(first, best)
        for c, contract in enumerate(way.contracts):
            offer, scenario = np.nonzero(tried[c])
            if len(offer):
                count, usd = fleet(way, offer, scenario).sized(contract.price(offer, scenario))
                found.append((usd, scenario, np.full(len(offer), w), np.full(len(offer), c), offer, count))
    fits, (taken, terms, best), count = np.zeros(len(every), bool), np.zeros((3, len(every)), np.intp), load.live * 0
    if found:
        usd, scenario, *parts = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((usd, scenario))
        at = np.flatnonzero(np.diff(scenario[order], prepend=-1))
        served = scenario[order[at]]
        fits[served] = True
        for values, part in zip((taken, terms, best, count), parts, strict=True):
            values[served] = part[order[at]]
    passed, spare = Passed(*np.zeros((4, *load.live.shape))), np.zeros(load.live.shape)
    for w, way in enumerate(ways):
        if len(rows := np.flatnonzero(fits & (taken == w))):
            some = fleet(way, best[rows], rows)
            spare[rows], goes = np.minimum(some.spare, count[rows]), some.passed(count[rows])
            for name in Passed.__dataclass_fields__:
                getattr(passed, name)[rows] = getattr(goes, name)
    return Taken(taken, terms, best, count, spare, passed, fits)


def _shortlist(fleet: Fleet, contracts: Sequence[Contract], holds: Array, first: Array) -> tuple[Array, Array]:
    """Which offers are tried under each contract, over (contract, offer, scenario), and the best of typical months.

    `first` is the best of the ways before: one whose fewest machines cost as much is left out.
    """
    usd = np.stack([np.where(holds, contract.mean_usd(), np.inf) for contract in contracts])
    held, tried, best = fleet.held(), np.zeros(usd.shape, bool), np.full(len(first), np.inf)
    rows = np.flatnonzero(_times(_columns(held, holds.shape), usd).min(axis=(1, 2)).max(axis=0) < first)
    if not len(rows):
        return tried, best
    if len(rows) < len(first):
        pairs = np.arange(holds.size).reshape(holds.shape)[:, rows].ravel()
        fleet, held, usd = fleet.take(pairs), held[pairs], usd[..., rows]
    cost = _in_typical_months(fleet, held, usd)
    best[rows], near = cost.min(axis=(1, 2)).max(axis=0), _near(cost)
    if isinstance(affordable := contracts[0].affordable(), np.ndarray):
        # what is above the limit for hardware is taken only where all is
        for fewest in (held[:, 0], held[:, -1]):
            near |= _near(np.where(fewest.reshape(usd.shape[1:]) <= affordable[:, rows], cost, np.inf))
    tried[..., rows] = near.any(axis=0)
    return tried, best


def _near(cost: Array) -> Array:
    """Whether an offer is worth a look, by its cost in typical months over (month, contract, offer, scenario)."""
    least_usd = cost.min(axis=2, keepdims=True)
    return np.asarray(np.isfinite(cost) & (cost <= NEAR * least_usd) & (least_usd <= NEAR * least_usd[:, :1]))


def _in_typical_months(fleet: Fleet, held: Array, usd: Array) -> Array:
    """About the least cost of typical months over (month, contract, offer, scenario) [USD/month].

    Of the fewest machines, which are `held`, those that find room for all that can wait, or as many as carry the levels
    that are exceeded in `SHARES` of the hours. A machine costs `usd` over (contract, offer, scenario).
    """
    size = usd.shape[1:]
    cost = _times(_columns(held, size), usd)
    if fleet.fixed:
        return cost
    cost += _columns(fleet.usd(held), size)
    if fleet.need.waits:
        room = np.maximum(held, fleet.with_room())
        np.minimum(cost, _times(_columns(room, size), usd) + _columns(fleet.usd(room), size), out=cost)
    if fleet.outlet.may.any():
        for machines, elsewhere in zip(*(_columns(part, size) for part in fleet.at_levels(held)), strict=True):
            np.minimum(cost, _times(machines, usd) + elsewhere, out=cost)
    return cost


def _columns(values: Array, size: tuple[int, ...]) -> Array:
    """Values over (pair, column), pairs of every offer and scenario, over (column, 1, offer, scenario)."""
    return values.T.reshape(-1, 1, *size)


def _times(machines: Array, usd: Array) -> Array:
    """Machines times a price that may be infinite."""
    return np.maximum(machines, 1e-12) * usd
