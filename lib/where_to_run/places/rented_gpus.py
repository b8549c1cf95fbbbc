"""The bill of rented machines with GPUs: paid by the hour, idle or busy, at the contract that costs least."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..formulas.load_curve import CV_NODES, Follower
from ..inputs.facts import Facts, of_tables
from ..units import BYTES_PER_GB, HOURS_PER_MONTH, SECONDS_PER_HOUR, SECONDS_PER_MONTH, Array
from .bill import Bill, Machines, added, nothing, spilled
from .fleet import Fleet, Outlet, Passed, Price, Taken, Way, cheapest, no_outlet
from .offers import Offers, offers, undominated
from .replicas import Workload
from .spares import Spares, spares
from .workload import Clock

ON_DEMAND = "on demand"
TERMS = {ON_DEMAND: 1, "reserved 1 year": 12, "reserved 3 years": 36}
"""Contracts for a machine that stands all week, and the months each binds."""

BY_CLOCK = ON_DEMAND + " by the clock"
"""The contract for one that runs in the hours in use."""

COLUMNS = ("on_demand_usd_per_h", "reserved_1yr_usd_per_h", "reserved_3yr_usd_per_h")
"""Their price columns, in the same order."""

STRETCH_CVS = (0.38, 0.71, 1.34)
"""Where data/assumptions.csv knows how much autoscaling stretches GPU hours, by cv of the hourly load."""

LAGS = (10.0, 60.0)
"""Delays of a start for which it knows that of a steady load [minute]."""


@dataclass(frozen=True)
class Cloud:
    """What all rented machines have in common: storage for the weights of a replica [USD/month], answers sent out to
    the internet [USD/token], spot hours over useful ones [ratio], machines that follow the load, and machines that
    stand against failures.
    """

    storage_usd: float
    egress_usd: float
    spot_hours: float
    follower: Follower
    spares: Spares


@of_tables
def cloud(facts: Facts) -> Cloud:
    """What data/assumptions.csv says of rented machines, in prices of a cloud as it is today."""
    return Cloud(
        facts.value("rented.storage_gb_per_replica") * facts.value("rented.storage_usd"),
        facts.value("rented.bytes_per_token") / BYTES_PER_GB * facts.value("rented.egress_usd"),
        1 + facts.value("rented.spot_overhead_share"),
        Follower(stretch(facts, CV_NODES)),
        spares(facts, "rented_gpus"),
    )


def stretch(facts: Facts, cv: Array) -> Array:
    """GPU hours of a fleet that follows the load, over those of machines that were there when needed [ratio].

    By the cv of the hourly load, between the points of data/assumptions.csv on log scales, 1 for a load that never
    moves; longer for a later start. Measured by replaying public traces with a hold of half an hour (methods 2.5).
    """
    known = np.array([facts.value(f"autoscale.stretch.cv_{at}") for at in STRETCH_CVS])
    late = facts.value("autoscale.stretch_at_one_hour.cv_0.38") / known[0]
    delay = (facts.value("autoscale.start_minutes") - LAGS[0]) / (LAGS[1] - LAGS[0])
    above = np.exp(np.interp(np.log(np.maximum(cv, STRETCH_CVS[0])), np.log(STRETCH_CVS), np.log(known)))
    part = np.minimum(1.0, cv / STRETCH_CVS[0])
    at_ten_minutes = np.where(part < 1, 1 + (known[0] - 1) * part, above)
    return np.maximum(1.0, at_ten_minutes * late ** (delay * part))


@dataclass(frozen=True)
class Lease:
    """A contract that binds for some months: price of an offer [USD/hour], NaN where not offered, with the storage of
    its replicas [USD/month], over (offer); live months, the worth today of a dollar in each, and what rents are of
    today's where they change, over (scenario, month). A term keeps the price of its first month. By the clock so much
    of each month is `paid` for [share], over (offer or 1, scenario, month or 1), infinite where no machine may be off.
    """

    months: int
    usd_per_h: Array
    storage: Array
    live: Array
    factors: Array
    course: Array | float = 1.0
    paid: Array | None = None

    def mean_usd(self) -> Array:
        """Rent of a month served, what is owed past the horizon included, and storage [USD/month]."""
        _, served, paid = self._weights
        owed = paid.sum(axis=1) / np.maximum(served.sum(axis=1), 1e-12)
        usd = self.usd_per_h[:, None] * HOURS_PER_MONTH * owed
        usd = usd * (1.0 if self.paid is None else self.paid.mean(axis=2)) + self.storage[:, None]
        return np.where(np.isnan(usd), np.inf, usd)

    def affordable(self) -> float:
        """Any number: nothing is bought."""
        return np.inf

    def price(self, offer: Array, scenario: Array) -> Price:
        """What a machine costs in each term; one that the horizon cuts is owed to its end."""
        starts, served, paid = self._weights
        usd = (self.usd_per_h[offer] * HOURS_PER_MONTH)[:, None] * paid[scenario]
        if self.paid is not None:
            usd *= self.part(offer, scenario)[:, 1:]
        usd += self.storage[offer][:, None] * served[scenario]
        return Price(usd, starts, (self.factors * self.live)[scenario])

    def part(self, offer: Array, scenario: Array) -> Array:
        """What is paid of each month [share], over (pair, month)."""
        every = np.broadcast_to(1.0 if self.paid is None else self.paid, (len(self.usd_per_h), *self.live.shape))
        return np.asarray(every[offer, scenario])

    @property
    def agreed(self) -> Array | float:
        """What the rent of each month is of today's, over (scenario, month)."""
        if not isinstance(self.course, np.ndarray):
            return self.course
        since = (np.arange(self.live.shape[1]) - 1) // self.months * self.months + 1
        return self.course[:, np.maximum(since, 0)]

    @cached_property
    def _weights(self) -> tuple[Array, Array, Array]:
        """First month of each term; worth today of a dollar a month over its live months, and over all it binds, that
        of today's rents.
        """
        starts, horizon = np.arange(1, self.live.shape[1], self.months), self.live.sum(axis=1).astype(int)
        rows = np.arange(len(horizon))
        served = np.add.reduceat(self.factors * self.live, starts, axis=1)
        paid = served.copy()
        paid[rows, (horizon - 1) // self.months] += -horizon % self.months * self.factors[rows, horizon]
        if isinstance(self.course, np.ndarray):
            paid *= self.course[:, starts]
        return starts, served, paid


def leases(common: Cloud, choice: Offers, work: Workload) -> list[Lease]:
    """Every contract there is for some offers."""
    storage = choice.each * common.storage_usd
    terms = zip(TERMS.values(), COLUMNS, strict=True)
    live = work.load.live
    return [Lease(months, choice.columns[name], storage, live, work.factors, work.course) for months, name in terms]


def by_clock(
    common: Cloud, choice: Offers, work: Workload, answered: Array | bool, ways: Sequence[Way]
) -> tuple[list[Way], list[Lease]]:
    """The same ways with machines that are off in the hours known to be idle, and their contract, on demand.

    Not where somebody must answer in those hours too, unless something else does: `answered`, by scenario. None where
    no machine may be off.
    """
    clock = work.load.clock
    if clock is None or not (may := clock.may & (answered | ~clock.always)).any():
        return [], []
    asked = replace(
        work, load=replace(work.load, curve=clock.curve), need=replace(work.need, peak=work.need.prompt * clock.peak)
    )
    paid = np.where(may[:, None], _paid(common, clock, choice, asked), np.inf)
    lease = replace(leases(common, choice, work)[0], paid=paid)
    return [replace(way, contracts=[lease], work=asked, running=clock.running) for way in ways], [lease]


def _paid(common: Cloud, clock: Clock, choice: Offers, work: Workload) -> Array:
    """Share of the hours that a machine is paid for on average, over (offer or 1, scenario, month or 1).

    Where the known load has several levels, of the whole machines that the busiest hours at each level need.
    """
    if len(clock.levels) == 1:
        return clock.paid[None]
    offer, scenario = (part.ravel() for part in np.indices((len(choice), len(work))))
    size = len(choice), *work.need.peak.shape
    outlet, each = no_outlet(len(offer)), choice.each[offer]
    fleet = Fleet(work.load, work.need, outlet, choice.kind[offer], scenario, each, common.spares)
    count, before = np.zeros(size), np.zeros(size)
    for number, level in enumerate(clock.levels):
        machines = fleet.busiest(level).reshape(size)
        count += (machines - before) * clock.paid[:, number][:, None]
        before = machines
    return np.divide(count, before, out=np.broadcast_to(clock.paid[:, :1], size).copy(), where=before > 0)


def machines(facts: Facts, work: Workload, passes: Array | None = None, table: str = "machines") -> Offers:
    """The machines of a table worth a look for a load, and for every part of it; `passes` as `undominated` has it."""
    choice = offers(facts, table, work.need.model)
    if not len(choice):
        return choice
    prices = np.stack([*(choice.columns[name] for name in COLUMNS), spot_price(choice)])
    return undominated(choice, work, prices, passes)


def spot_price(choice: Offers) -> Array:
    """Price of work that can wait [USD/hour]: on spot, on demand where there is none."""
    spot = choice.columns["spot_usd_per_h"]
    return np.where(np.isnan(spot), choice.columns[COLUMNS[0]], spot)


@dataclass(frozen=True)
class Burst:
    """Machines rented by the hour for what comes above a base, over (pair): their position among the `choice`, the
    request rate one carries [request/s], what it costs with its storage [USD/hour], and what a request that can wait
    costs on spot [USD].
    """

    choice: Offers
    offer: Array
    rate: Array
    usd_per_hour: Array
    usd_waiting: Array

    def outlet(self, may: Array, follower: Follower) -> Outlet:
        """Prices of passing work on to them. On average half of the last machine is idle while any is needed."""
        # machines that cannot hold a request carry none, and have no price for it
        usd = np.where(self.rate > 0, self.usd_per_hour / np.maximum(self.rate, 1e-12) / SECONDS_PER_HOUR, 0.0)
        return Outlet(may, may, usd, self.usd_waiting, self.usd_per_hour / 2, follower)

    def spot(self) -> Outlet:
        """Only what can wait goes, to machines on spot."""
        none = np.zeros(len(self.rate))
        return Outlet(none, none + 1, none, self.usd_waiting, none)


def burst(common: Cloud, choice: Offers, work: Workload, offer: Array, scenario: Array) -> Burst:
    """What machines on demand carry and cost for bursts, over the pairs of offer and scenario asked, at mean rents."""
    each, kind, need, rent = choice.each[offer], choice.kind[offer], work.need, work.mean_course[scenario]
    rate = need.carried(kind, scenario, each[:, None])[:, 0]
    usd = choice.columns[COLUMNS[0]][offer] * rent + each * common.storage_usd / HOURS_PER_MONTH
    hours = need.seconds[kind, scenario] * common.spot_hours / each / SECONDS_PER_HOUR
    return Burst(choice, offer, rate, usd, spot_price(choice)[offer] * rent * hours)


def cheapest_burst(common: Cloud, choice: Offers, work: Workload) -> Burst:
    """For every scenario the machines that cost least for what comes above the mean of the mean month."""
    follower, load, need = common.follower, work.load, work.need
    holds = choice.hold(work)
    holds[0] |= ~holds.any(axis=0)
    scenario, offer = np.nonzero(holds.T)
    found = burst(common, choice, work, offer, scenario)
    mean = need.mean(work.factors * load.live).prompt[scenario]
    ready, hours = load.curve.following(np.ones((len(offer), 1)), scenario, follower)
    passed = Passed(mean * 0, np.zeros((1, 1)), mean * ready, hours)
    usd = passed.usd(found.outlet(np.ones(len(offer)), follower))[:, 0]
    best = np.lexsort((usd, scenario))
    every = np.arange(len(work))
    return burst(common, choice, work, offer[best[np.searchsorted(scenario[best], every)]], every)


def base(common: Cloud, choice: Offers, work: Workload, outlet: Outlet) -> tuple[Bill, Passed]:
    """Bill of a base of rented machines [USD by month], and what it passes on over (scenario, month) [request/s].

    machines of the base + what the contract still owes past the horizon + storage + egress. `factors` are the worth
    today of a dollar in each month, `outlet` is over (scenario).
    """
    if not len(choice):
        return nothing(work.load), Passed(*np.zeros((4, *work.load.live.shape)))
    contracts = leases(common, choice, work)
    way = Way(contracts, lambda _, scenario: outlet.at(scenario))
    more, clock = by_clock(common, choice, work, outlet.may == 1, [way])
    taken = cheapest(choice, [way, *more], work, common.spares, work.factors * work.load.live)
    return _bill(common, choice, work, [*contracts, *clock], taken, taken.way > 0), taken.passed


def alone(common: Cloud, choice: Offers, work: Workload, terms: int = len(TERMS)) -> Bill:
    """Bill of rented machines that serve all of a load [USD by month].

    The lines of `base`, machines by the hour for bursts, and spot for what can wait and finds no idle hours. Either
    all that is needed in the busiest hours stands ready, or a base does and machines by the hour follow the load above
    it. `terms` = 1 allows no contract but on demand, and no bursts.
    """
    if not len(choice):
        return nothing(work.load)
    follower, need, every = common.follower, work.need, np.arange(len(work))

    def on_spot(offer: Array, scenario: Array) -> Outlet:
        return burst(common, choice, work, offer, scenario).spot() if need.waits else no_outlet(len(offer))

    def by_the_hour(offer: Array, scenario: Array) -> Outlet:
        return burst(common, choice, work, offer, scenario).outlet(np.ones(len(offer)), follower)

    contracts = leases(common, choice, work)[:terms]
    ways = [Way(contracts, on_spot), Way(contracts, by_the_hour)][:terms]
    more, clock = by_clock(common, choice, work, False, ways)
    taken = cheapest(choice, [*ways, *more], work, common.spares, work.factors * work.load.live)
    standing = _bill(common, choice, work, [*contracts, *clock], taken, taken.way >= len(ways))
    extra = burst_bill(common, work, burst(common, choice, work, taken.offer, every), taken.passed)
    ready = taken.count[:, 1] * choice.each[taken.offer]
    above = spilled(work, ready, choice.kind[taken.offer], every * 0 + 1)
    return _together(standing, extra, taken.way % len(ways) == 1, above)


def _bill(common: Cloud, choice: Offers, work: Workload, contracts: Sequence[Lease], taken: Taken, off: Array) -> Bill:
    """Bill of the machines that stand, under the contract each takes; the last where they are `off` at times."""
    offer, load = taken.offer, work.load
    horizon, rows = work.horizon, np.arange(len(offer))
    number = np.where(off, -1, taken.contract)
    months = np.array([contract.months for contract in contracts])[number]
    usd_per_h = np.stack([contract.usd_per_h for contract in contracts])[number, offer]
    count = taken.count * load.live
    running = np.where(off[:, None], contracts[-1].part(offer, rows), 1.0) * count if off.any() else count
    rent = running * (np.where(taken.fits, usd_per_h, 0.0) * HOURS_PER_MONTH)[:, None]
    if isinstance(work.course, np.ndarray):
        rent *= np.stack([contract.agreed for contract in contracts])[taken.contract, rows]
    owed = np.zeros(count.shape)
    owed[rows, horizon] = rent[rows, horizon] * (-horizon % months)
    elsewhere = taken.passed.prompt + taken.passed.waiting
    kept = (work.rates - elsewhere) * taken.fits[:, None]
    lines = {
        "machines": rent,
        "contract past the horizon": owed,
        "storage": count * (choice.each[offer] * common.storage_usd)[:, None],
        "egress": kept * SECONDS_PER_MONTH * load.output_tokens * common.egress_usd,
    }
    in_one, each = choice.columns["gpus"][offer][:, None], choice.each[offer][:, None]
    busy = work.need.seconds[choice.kind[offer], rows][:, None] * kept / each * in_one
    words = choice.said(work, offer)
    above = elsewhere.sum(axis=1) / np.maximum(1e-12, work.rates.sum(axis=1))
    contract = np.array([*TERMS, BY_CLOCK], dtype=object)[number]
    spare = taken.spare * load.live
    machines = Machines(count, spare, running * in_one, busy, load.live, above, contract, **words)
    return Bill(lines, choice.columns["key"][offer], taken.fits, machines)


def burst_bill(common: Cloud, work: Workload, hourly: Burst, passed: Passed) -> Bill:
    """Bill of machines by the hour that take what a base passes on [USD by month], over (scenario, month)."""
    choice, offer, load, need = hourly.choice, hourly.offer, work.load, work.need
    rows, each, in_one = np.arange(len(offer)), choice.each[offer][:, None], choice.columns["gpus"][offer][:, None]
    running = passed.ready / np.where(hourly.rate > 0, hourly.rate, np.inf)[:, None] + passed.hours / 2
    # what a request costs there today
    usd_waiting = (hourly.usd_waiting / work.mean_course)[:, None]
    spot = np.broadcast_to(passed.waiting * usd_waiting * SECONDS_PER_MONTH, running.shape)
    sent = (passed.prompt + passed.waiting) * SECONDS_PER_MONTH * load.output_tokens
    lines = {
        "burst machines": running * choice.columns[COLUMNS[0]][offer][:, None] * HOURS_PER_MONTH * work.course,
        "spot machines": spot * work.course,
        "storage": running * each * common.storage_usd,
        "egress": sent * common.egress_usd,
    }
    on_spot = spot / (spot_price(choice)[offer][:, None] * HOURS_PER_MONTH) * in_one
    busy = need.seconds[choice.kind[offer], rows][:, None] * passed.prompt / each * in_one
    words = choice.said(work, offer)
    none, by_the_hour = np.zeros(running.shape), np.full(len(offer), "by the hour", dtype=object)
    gpus, working = running * in_one + on_spot, busy + on_spot
    machines = Machines(none, none, gpus, working, load.live, none[:, 0], by_the_hour, **words)
    return Bill(lines, choice.columns["key"][offer], need.possible[choice.kind[offer], rows], machines)


def _together(standing: Bill, extra: Bill, hourly: Array, above: Array) -> Bill:
    """Machines that stand and those by the hour and on spot as one bill of one place.

    `above` is the share of the traffic above what stands, which waits where no machines by the hour take it.
    """
    mine, more = standing.machines, extra.machines
    assert mine and more
    bursts = hourly & (more.gpus > 0).any(axis=1)
    machines = replace(
        mine,
        gpus=mine.gpus + more.gpus,
        working=mine.working + more.working,
        spilled=np.where(hourly, 0.0, above),
        contract=np.where(bursts, mine.contract + ", bursts by the hour", mine.contract),
    )
    return Bill(added([standing.lines, extra.lines]), standing.offer, standing.fits, machines)
