"""The bill of rented machines with GPUs: paid by the hour, idle or busy, at the contract that costs least."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..formulas.load_curve import CV_NODES
from ..inputs.facts import Facts
from ..units import BYTES_PER_GB, HOURS_PER_MONTH, SECONDS_PER_HOUR, SECONDS_PER_MONTH, Array, whole
from .bill import Bill, Machines, nothing, spilled
from .fleet import Overflow, Passed, Pool, least
from .offers import Offers, offers
from .replicas import Need
from .workload import Load

TERMS = {"on_demand_usd_per_h": 1, "reserved_1yr_usd_per_h": 12, "reserved_3yr_usd_per_h": 36}
"""Contracts for a machine by their price column, and the months each binds."""

CONTRACTS = np.array(["on demand", "reserved 1 year", "reserved 3 years"], dtype=object)
"""Their names, in the same order."""


@dataclass(frozen=True)
class Fleet:
    """Machines of every offer that could be the cheapest, a pair of offer and scenario at a time, in scenario order.

    `offer` and `scenario` of each pair, `first` pair of each scenario, `holds` whether it can serve the load at all.
    Over (pair, month): replicas `kept`, `count` of machines that stand ready, machine-months of `spot`.
    """

    offers: Offers
    need: Need
    offer: Array
    scenario: Array
    first: Array
    holds: Array
    kept: Array
    count: Array
    spot: Array

    @property
    def kind(self) -> Array:
        """Kind of replica of each pair."""
        return self.offers.kind[self.offer]

    def column(self, name: str) -> Array:
        """A column of the offers, by pair."""
        return self.offers.columns[name][self.offer]


def fleet(facts: Facts, load: Load, need: Need, gpu: Array, factors: Array) -> Fleet:
    """Whole machines of every offer: for what cannot wait those that stand ready, for the rest spot beyond idle hours.

    `gpu` is a type or `cheapest` for each scenario, `factors` the worth today of a dollar in each month.
    """
    choice = offers(facts, "machines", need.model)
    holds = need.possible[choice.kind] & ~choice.barred(gpu)
    scenario, offer = np.nonzero(_within_reach(facts, choice, need, load, holds, factors).T)
    each = choice.each[offer][:, None]
    kept = need.replicas(choice.kind[offer], scenario)
    count = np.asarray(whole(kept / each))
    spot = np.zeros((len(offer), 1))
    if load.batch_share.any():
        seconds = need.seconds[choice.kind[offer], scenario][:, None]
        idle = np.maximum(0.0, count * each * need.busiest_share - seconds * need.prompt[scenario])
        spot = np.maximum(0.0, seconds * need.waiting[scenario] - idle) / each
        spot = spot * (1 + facts.value("rented.spot_overhead_share"))
    first = np.searchsorted(scenario, np.arange(len(gpu)))
    spot = np.broadcast_to(spot, count.shape)
    return Fleet(choice, need, offer, scenario, first, holds[offer, scenario], kept, count, spot)


def _within_reach(facts: Facts, choice: Offers, need: Need, load: Load, holds: Array, factors: Array) -> Array:
    """Offers over (offer, scenario) that could be the cheapest; the others are dearer even at the best for them.

    Bounds on the present value without going month by month: an offer costs at least its lowest price for the mean
    load unrounded, and at most its price on demand for that load rounded up throughout (the square root is concave,
    so the mean load bounds the mean headroom).
    """
    factors = factors * load.live
    months = np.maximum(factors.sum(axis=1), 1e-12)
    peak, waiting = ((rates * factors).sum(axis=1) / months for rates in (need.peak, need.waiting))
    busy, some, each = need.planned[choice.kind] * peak, peak > 0, choice.each[:, None]
    fewest = (np.maximum(busy, 1) + need.spare) * some
    room = need.headroom[choice.kind] * np.sqrt(busy)
    most = (busy / need.busiest_share + room + 1 + need.spare) * some
    stored = storage_usd(facts) / HOURS_PER_MONTH
    prices = np.stack([choice.columns[name] for name in TERMS])
    on_spot = need.seconds[choice.kind] * waiting / each * (1 + facts.value("rented.spot_overhead_share"))
    at_most = (most / each + some) * prices[0][:, None] + most * stored + on_spot * spot_price(choice.columns)[:, None]
    reach = np.where(holds, at_most, np.inf).min(axis=0)
    machines = np.maximum(fewest / each, some)
    near = holds & (machines * np.nanmin(prices, axis=0)[:, None] + fewest * stored <= reach * (1 + 1e-9))
    near[0] |= ~near.any(axis=0)
    return near


def storage_usd(facts: Facts) -> float:
    """Storage for the weights of one replica [USD/month]."""
    return facts.value("rented.storage_gb_per_replica") * facts.value("rented.storage_usd")


def spot_price(columns: Mapping[str, Array]) -> Array:
    """Price of work that can wait [USD/hour]: on spot, on demand where there is none."""
    return np.where(np.isnan(columns["spot_usd_per_h"]), columns["on_demand_usd_per_h"], columns["spot_usd_per_h"])


def bill(facts: Facts, load: Load, fleet: Fleet, factors: Array, terms: int = len(TERMS)) -> Bill:
    """Bill of the machine and contract with the least present value [USD by month], the same all along.

    rent + spot + what the contract still owes past the horizon + storage of the weights + egress. Machines for the
    busiest hours stand ready all month; work that can wait fills their idle hours and runs on spot beyond them.
    `factors` are the worth today of a dollar in each month; `terms` = 1 allows no contract but on demand.
    """
    spot_usd = spot_price(fleet.offers.columns)[fleet.offer] * HOURS_PER_MONTH
    worth = np.stack([_worth(fleet, load, factors, term) for term in list(TERMS)[:terms]])
    if load.batch_share.any():
        worth = worth + np.einsum("pm,pm->p", fleet.spot, factors[fleet.scenario]) * spot_usd
    stored = np.einsum("pm,pm->p", fleet.kept, factors[fleet.scenario]) * storage_usd(facts)
    worth = np.where(fleet.holds, worth + stored, np.inf)
    best = worth.min(axis=0)
    chosen = np.lexsort((best, fleet.scenario))[fleet.first]
    term = worth.argmin(axis=0)[chosen]
    paid, owed = rent(fleet, load, chosen, term)
    lines = _lines(facts, load, paid, fleet.spot[chosen] * spot_usd[chosen][:, None], owed, fleet, chosen)
    fits, machines = np.isfinite(best[chosen]), _machines(load, fleet, chosen, term)
    return Bill(lines, fleet.column("key")[chosen], fits, machines, fleet.offer[chosen])


def terms(live: Array, factors: Array, months: int) -> tuple[Array, Array]:
    """Of a contract: first month of each term, and worth today of a dollar a month over it, over (scenario, term).

    A term that the horizon cuts is owed to its end.
    """
    starts, horizon, rows = np.arange(1, live.shape[-1], months), live.sum(axis=-1).astype(int), np.arange(len(live))
    weight = np.add.reduceat(factors * live, starts, axis=-1)
    weight[rows, (horizon - 1) // months] += -horizon % months * factors[rows, horizon]
    return starts, weight


def _worth(fleet: Fleet, load: Load, factors: Array, term: str) -> Array:
    """Present value of the rent of each pair under a contract [USD]; infinite where not offered.

    A term pays in each of its months for the most machines any of them needs.
    """
    months = TERMS[term]
    starts, weight = terms(load.live, factors, months)
    most = fleet.count[:, 1:] if months == 1 else np.maximum.reduceat(fleet.count, starts, axis=-1)
    worth = np.einsum("pb,pb->p", most, weight[fleet.scenario]) * fleet.column(term) * HOURS_PER_MONTH
    return np.where(np.isnan(worth), np.inf, worth)


def rent(fleet: Fleet, load: Load, chosen: Array, term: Array) -> tuple[Array, Array]:
    """Rent by month, and what is owed past the horizon in its last month, of the pairs and contracts chosen [USD]."""
    count = fleet.count[chosen]
    rented, owed = np.zeros(count.shape), np.zeros(count.shape)
    rows = np.arange(len(chosen))
    for number, (name, months) in enumerate(TERMS.items()):
        here = term == number
        if not here.any():
            continue
        price = (fleet.column(name)[chosen] * HOURS_PER_MONTH)[:, None]
        most = np.maximum.reduceat(count, np.arange(1, count.shape[-1], months), axis=-1)
        paid = np.concatenate([np.zeros((len(count), 1)), np.repeat(most, months, axis=-1)], axis=-1)
        horizon = load.live.sum(axis=-1).astype(int)
        after = np.zeros(count.shape)
        after[rows, horizon] = most[rows, (horizon - 1) // months] * (-horizon % months)
        rented[here], owed[here] = (paid[:, : count.shape[-1]] * load.live * price)[here], (after * price)[here]
    return rented, owed


def _lines(
    facts: Facts, load: Load, paid: Array, spot: Array, owed: Array, fleet: Fleet, chosen: Array
) -> dict[str, Array]:
    return {
        "machines": paid,
        "spot machines": spot,
        "contract past the horizon": owed,
        "storage": fleet.kept[chosen] * storage_usd(facts),
        "egress": egress(facts, load, load.requests),
    }


def egress(facts: Facts, load: Load, requests: Array) -> Array:
    """Answers sent out to the internet [USD by month], for requests a month."""
    bytes_out = requests * load.output_tokens * facts.value("rented.bytes_per_token")
    return bytes_out / BYTES_PER_GB * facts.value("rented.egress_usd")


def _machines(load: Load, fleet: Fleet, chosen: Array, term: Array) -> Machines:
    each, kind, count = fleet.offers.each[fleet.offer[chosen]][:, None], fleet.kind[chosen], fleet.count[chosen]
    in_one = fleet.column("gpus")[chosen][:, None]
    busy = np.minimum(fleet.need.busy(kind, fleet.scenario[chosen]), count * each * fleet.need.busiest_share)
    words = {name: column[fleet.offer[chosen]] for name, column in fleet.offers.words.items()}
    above = spilled(load, fleet.need, (count * each)[:, 1], kind, np.ones(len(count), np.intp))
    # machines on spot stand only while they work
    spot = fleet.spot[chosen] * in_one
    working = busy * in_one / each + spot
    return Machines(count, count * in_one + spot, working, load.live, above, CONTRACTS[term], **words)


SMALL = 12
"""Machines of a base up to which the fewest there can be are tried beside it."""

NEAR = 1.1
"""How much dearer than the cheapest of its contract the mean month may have an offer that is tried month by month all
the same, beside machines by the hour: at 1.05 one scenario in a thousand finds machines that cost over 1 % too much, at
1.1 hardly any.
"""


@dataclass(frozen=True)
class Base:
    """A rented pool whose base is sought; without an `overflow` it bursts onto the same machines by the hour."""

    facts: Facts
    choice: Offers
    load: Load
    need: Need
    kept: Need
    overflow: Overflow | None
    factors: Array

    def pool(self, offer: Array, scenario: Array) -> Pool:
        """The pool on the pairs of offer and scenario asked."""
        if self.overflow is None:
            overflow = burst(self.facts, self.load, self.need, offer, scenario).overflow(np.ones(len(offer)))
        else:
            overflow = self.overflow.at(scenario)
        spare = self.need.spare[scenario] * (self.overflow is None)
        kind, each = self.choice.kind[offer], self.choice.each[offer]
        return Pool(self.load, self.need, self.kept, overflow, kind, scenario, each, spare)

    def mean_month(self) -> "Base":
        """The pool in the mean month."""
        weights = self.factors * self.load.live
        load = replace(self.load, live=np.ones((len(weights), 1)))
        return replace(self, load=load, need=self.need.mean(weights), kept=self.kept.mean(weights))

    def usd(self, term: str, offer: Array, paid: Array) -> Array:
        """A machine under a contract with the storage of its replicas [USD/month], NaN where not offered.

        `paid` is the rent paid over that of the months it serves, what is owed past the horizon included.
        """
        rent = self.choice.columns[term][offer] * HOURS_PER_MONTH
        return rent * paid + self.choice.each[offer] * storage_usd(self.facts)


def base_bill(
    facts: Facts, load: Load, need: Need, gpu: Array, factors: Array, worth_a_look: Array, overflow: Overflow
) -> tuple[Bill, Passed]:
    """Bill of a base of rented machines [USD by month], and what it passes on over (scenario, month) [request/s].

    machines of the base + what the contract still owes past the horizon + storage + egress. For every contract the
    offer is the one that costs least in the mean month, of the `contenders` over (contract, offer) that are
    `worth_a_look`, and the number of machines the best for each of its terms; the contract is the one that then costs
    least.
    """
    choice = offers(facts, "machines", need.model)
    if not len(choice):
        return nothing(load), Passed(*np.zeros((4, len(gpu), 1)))
    base = Base(facts, choice, load, need, need.part(1 - overflow.may), overflow, factors)
    cost = _in_the_mean_month(base, gpu, worth_a_look)
    return _least(base, _left(cost, 1.0))


def autoscaled(facts: Facts, load: Load, need: Need, gpu: Array, factors: Array, worth_a_look: Array) -> Bill:
    """Bill of rented machines of which only a base stands all along [USD by month].

    The lines of `bill`, machines by the hour for bursts and spot for what can wait. Of the `contenders` over (contract,
    offer) `worth_a_look`, those `NEAR` the cheapest of their contract in the mean month are tried in all months.
    """
    choice, every = offers(facts, "machines", need.model), np.arange(len(gpu))
    base = Base(facts, choice, load, need, need.part(np.zeros(len(gpu))), None, factors)
    cost = _in_the_mean_month(base, gpu, worth_a_look)
    found, passed = _least(base, _left(cost, NEAR))
    rented = burst(facts, load, need, np.asarray(found.position), every)
    return _with_bursts(found, burst_bill(facts, load, need, rented, passed))


def least_worth(facts: Facts, load: Load, need: Need, gpu: Array, factors: Array) -> Array:
    """What `autoscaled` comes to at the least today, by scenario [USD]: the fewest machines there can be, no burst."""
    choice, months = offers(facts, "machines", need.model), (factors * load.live).sum(axis=1)
    price = np.nanmin([choice.columns[term] for term in TERMS], axis=0) * HOURS_PER_MONTH
    usd = (price + choice.each * storage_usd(facts))[:, None] * whole((1 + need.spare) / choice.each[:, None])
    return np.asarray(np.where(_holds(choice, need, gpu), usd, np.inf).min(axis=0) * months)


def _holds(choice: Offers, need: Need, gpu: Array) -> Array:
    """Whether an offer can serve the load and may, over (offer, scenario)."""
    return np.asarray(need.possible[choice.kind] & ~choice.barred(gpu))


def _left(cost: Array, near: float) -> Array:
    """What is left to try of (contract, offer, scenario): what costs `near` the least of its contract in a mean month.

    A mean month flatters a contract that binds, so one that is dearer even there than machines on demand is left out.
    """
    least = cost.min(axis=1, keepdims=True)
    return np.asarray(np.isfinite(cost) & (cost <= near * least) & (least <= least[0]))


def _least(base: Base, tried: Array) -> tuple[Bill, Passed]:
    """Bill of the base that costs least of those `tried` over (contract, offer, scenario), and what it passes on."""
    number, found = tried.shape[-1], []
    for position, term in enumerate(TERMS):
        offer, scenario = np.nonzero(tried[position])
        if len(offer):
            counts, worth = _counts(base, term, offer, scenario)
            found.append((np.full(len(offer), position), offer, scenario, counts, worth))
    fits, chosen, best = np.zeros(number, bool), *np.zeros((2, number), np.intp)
    count = np.zeros(base.load.live.shape)
    if found:
        contract, offer, scenario, counts, worth = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((worth, scenario))
        served, first = np.unique(scenario[order], return_index=True)
        cheapest = order[first]
        fits[served] = True
        chosen[served], best[served], count[served] = offer[cheapest], contract[cheapest], counts[cheapest]
    pool = base.pool(chosen, np.arange(number))
    passed = pool.passed(count)
    return replace(_bill(base, pool, chosen, best, count, passed), fits=fits, position=chosen), passed


def _in_the_mean_month(base: Base, gpu: Array, worth_a_look: Array) -> Array:
    """About what a base costs in the mean month over (contract, offer, scenario) [USD/month].

    Infinite where an offer is not worth a look under a contract, or cannot serve the load.
    """
    number, horizon = len(gpu), base.load.live.sum(axis=1)
    holds = _holds(base.choice, base.need, gpu)
    term, offer = np.nonzero(worth_a_look)
    months = np.array(list(TERMS.values()))[:, None]
    paid = np.ceil(horizon / months) * months / horizon
    usd = np.concatenate([base.usd(n, offer[term == t][:, None], paid[t]) for t, n in enumerate(TERMS)])
    pool = base.mean_month().pool(np.repeat(offer, number), np.tile(np.arange(number), len(offer)))
    cost = np.full((*worth_a_look.shape, number), np.inf)
    cost[term, offer] = np.where(holds[offer], _cost_of_month(pool, usd.ravel()).reshape(usd.shape), np.inf)
    return cost


def contenders(facts: Facts, need: Need, gpu: Array) -> Array:
    """Whether an offer is worth a look in a block of scenarios, over (contract, offer).

    It is not where some machines of another offer together are at most as dear, under the contract, by the hour and on
    spot, and carry at least as much in every scenario, few or many. All are where a scenario insists on a GPU.
    """
    choice = offers(facts, "machines", need.model)
    usd = np.stack([choice.columns[term] for term in TERMS])
    offered = np.isfinite(usd)
    if not (gpu == "cheapest").all():
        return offered
    monthly = usd * HOURS_PER_MONTH + choice.each * storage_usd(facts)
    one, other = np.nonzero(~np.eye(len(choice), dtype=bool) & (monthly[0][:, None] <= monthly[0]))
    needed = np.ceil(need.times(choice.kind, choice.each, one, other) - 1e-9)
    # of two that beat each other the first stays
    needed *= 1 + 1e-9 * (one > other)
    spot = spot_price(choice.columns)
    as_free = (needed * monthly[0, one] <= monthly[0, other]) & (needed * spot[one] <= spot[other])
    # under the same contract, or by the hour for what the other asks under a contract that binds
    as_dear = (needed * monthly[:, one] <= monthly[:, other]) | (needed * monthly[0, one] <= monthly[:, other])
    for term, beaten in enumerate(as_free & as_dear):
        offered[term, other[beaten]] = False
    bound = monthly[1:] >= monthly[0]
    offered[1:] &= ~bound
    return offered


def _cost_of_month(pool: Pool, usd_per_machine: Array) -> Array:
    """About the least cost of a month over (pair): base and what it passes on [USD/month]."""
    usd = usd_per_machine[:, None]
    low, high = pool.bracket(usd, rough=True)
    tried = (np.floor((low + high) / 2), high) if pool.follows else (low, high)
    return np.min([n * usd + pool.usd(n) for n in tried], axis=0)[:, 0]


def _counts(base: Base, term: str, offer: Array, scenario: Array) -> tuple[Array, Array]:
    """Machines over (scenario, month), for every term of a contract those that cost least, and all they cost today."""
    pool, factors, months = base.pool(offer, scenario), base.factors[scenario], TERMS[term]
    live = base.load.live[scenario]
    worth = factors * live
    if months > 1:
        starts, weight = terms(live, factors, months)
        serving = np.add.reduceat(worth, starts, axis=-1)
        paid = np.where(serving > 0, weight / np.where(serving > 0, serving, 1.0), 1.0)
        usd = base.usd(term, offer[:, None], paid)
        by_month = np.concatenate([usd[:, :1], np.repeat(usd, months, axis=-1)], axis=1)[:, : live.shape[1]]
        low, high = pool.bracket(by_month)
        fewest = np.maximum.reduceat(pool.held(), starts, axis=-1)
        low = np.minimum.reduceat(np.where(live > 0, low, np.inf), starts, axis=-1)
        low = np.maximum(np.where(np.isfinite(low), low, 0.0), fewest)
        high = np.maximum.reduceat(high, starts, axis=-1)
    else:
        serving, usd = worth[:, 1:], base.usd(term, offer, np.ones(len(offer)))[:, None]
        fewest, low, high = (number[:, 1:] for number in (pool.held(), *pool.bracket(usd)))
    rent = usd * serving

    def spread(machines: Array, pairs: Array) -> Array:
        each_month = machines if months == 1 else np.repeat(machines, months, axis=-1)[:, : live.shape[1] - 1]
        return np.concatenate([np.zeros((len(pairs), 1)), each_month], axis=-1) * live[pairs]

    def cost(machines: Array, pairs: Array) -> Array:
        some = pool.take(pairs)
        elsewhere = some.usd(spread(machines, pairs)) * worth[pairs]
        each_term = elsewhere[:, 1:] if months == 1 else np.add.reduceat(elsewhere, starts, axis=-1)
        return machines * rent[pairs] + each_term

    every, (found, costs) = np.arange(len(live)), least(cost, low, high)
    if pool.follows:
        # beside machines that follow, and with spares that carry nothing, a small base can have a second hollow
        small = np.flatnonzero(((found - fewest).max(axis=1) > 0) & (found.max(axis=1) <= SMALL))
        at_fewest = cost(fewest[small], small)
        found[small] = np.where(at_fewest < costs[small], fewest[small], found[small])
        costs[small] = np.minimum(at_fewest, costs[small])
    return spread(found, every), costs.sum(axis=1)


def _bill(base: Base, pool: Pool, offer: Array, term: Array, count: Array, passed: Passed) -> Bill:
    """Bill of the machines of the base alone."""
    facts, choice, load, need = base.facts, base.choice, base.load, base.need
    fleet = Fleet(
        choice, need, offer, pool.scenario, pool.scenario, term == 0, count * pool.each[:, None], count, count * 0
    )
    paid, owed = rent(fleet, load, pool.scenario, term)
    elsewhere = passed.prompt + passed.waiting
    kept = need.prompt + need.waiting - elsewhere
    lines = {
        "machines": paid,
        "contract past the horizon": owed,
        "storage": count * pool.each[:, None] * storage_usd(facts),
        "egress": egress(facts, load, kept * SECONDS_PER_MONTH),
    }
    in_one = choice.columns["gpus"][offer][:, None]
    busy = need.seconds[pool.kind, pool.scenario][:, None] * kept / pool.each[:, None] * in_one
    above = elsewhere.sum(axis=1) / np.maximum(1e-12, (need.prompt + need.waiting).sum(axis=1))
    words = {name: column[offer] for name, column in choice.words.items()}
    machines = Machines(count, count * in_one, busy, load.live, above, CONTRACTS[term], **words)
    return Bill(lines, choice.columns["key"][offer], np.ones(len(offer), bool), machines)


def _with_bursts(base: Bill, extra: Bill) -> Bill:
    """A base and its machines by the hour as one bill of one place."""
    names, none = dict.fromkeys([*base.lines, *extra.lines]), np.zeros_like(base.total)
    lines = {name: base.lines.get(name, none) + extra.lines.get(name, none) for name in names}
    mine, more = base.machines, extra.machines
    assert mine and more
    machines = replace(
        mine,
        gpus=mine.gpus + more.gpus,
        working=mine.working + more.working,
        spilled=np.zeros(len(mine.spilled)),
        contract=np.where((more.gpus > 0).any(axis=1), mine.contract + ", bursts by the hour", mine.contract),
    )
    return Bill(lines, base.offer, base.fits, machines)


STRETCH_CVS = (0.38, 0.71, 1.34)
"""Where data/assumptions.csv knows how much autoscaling stretches GPU hours, by cv of the hourly load."""

LAGS = (10.0, 60.0)
"""Delays of a start for which it knows that of a steady load [minute]."""


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
class Burst:
    """Machines rented by the hour for what comes above a base, over (pair): their offer, the request rate one carries
    [request/s], what it costs with its storage [USD/hour], what a request that can wait costs on spot [USD], and how
    much higher than the load they stand [ratio].
    """

    offer: Array
    rate: Array
    usd_per_hour: Array
    usd_waiting: Array
    stretch: Array

    def take(self, pair: Array) -> "Burst":
        """Some of the pairs."""
        return Burst(*(getattr(self, name)[pair] for name in self.__dataclass_fields__))

    def overflow(self, may: Array) -> Overflow:
        """Prices of passing work on to them. On average half of the last machine is idle while any is needed."""
        # machines that cannot hold a request carry none, and have no price for it
        usd = np.where(self.rate > 0, self.usd_per_hour / np.maximum(self.rate, 1e-12) / SECONDS_PER_HOUR, 0.0)
        return Overflow(may, usd, self.usd_waiting, self.usd_per_hour / 2, self.stretch)

    def machines(self, passed: Passed) -> Array:
        """Machines that run on average, over (pair, month)."""
        rate = np.where(self.rate > 0, self.rate, np.inf)[:, None]
        return passed.ready / rate + passed.hours / 2


def burst(facts: Facts, load: Load, need: Need, offer: Array, scenario: Array) -> Burst:
    """What machines on demand of an offer carry and cost for bursts, over the pairs of offer and scenario asked."""
    choice = offers(facts, "machines", need.model)
    each, kind = choice.each[offer], choice.kind[offer]
    rate = need.carried(kind, scenario, each[:, None])[:, 0]
    usd = choice.columns["on_demand_usd_per_h"][offer] + each * storage_usd(facts) / HOURS_PER_MONTH
    seconds = need.seconds[kind, scenario] * (1 + facts.value("rented.spot_overhead_share"))
    waiting = spot_price(choice.columns)[offer] * seconds / each / SECONDS_PER_HOUR
    by_scenario = stretch(facts, np.broadcast_to(load.curve.cv, (len(need.spare), 1)))
    load.curve.tabulate(by_scenario, facts.cached("stretch at nodes", lambda: stretch(facts, CV_NODES)))
    return Burst(offer, rate, usd, waiting, by_scenario[scenario, 0])


def cheapest_burst(facts: Facts, load: Load, need: Need, gpu: Array, factors: Array) -> Burst:
    """For every scenario the machines that cost least for what comes above the mean of the mean month."""
    choice = offers(facts, "machines", need.model)
    holds = need.possible[choice.kind] & ~choice.barred(gpu)
    holds[0] |= ~holds.any(axis=0)
    scenario, offer = np.nonzero(holds.T)
    found = burst(facts, load, need, offer, scenario)
    mean = need.mean(factors * load.live).prompt[scenario]
    ready, hours = load.curve.following(np.ones((len(offer), 1)), scenario)
    passed = Passed(mean * 0, np.zeros((1, 1)), mean * ready, hours)
    usd = passed.usd(found.overflow(np.ones(len(offer))))[:, 0]
    best = np.lexsort((usd, scenario))
    return found.take(best[np.searchsorted(scenario[best], np.arange(len(gpu)))])


def burst_bill(facts: Facts, load: Load, need: Need, hourly: Burst, passed: Passed) -> Bill:
    """Bill of machines by the hour that take what a base elsewhere passes on [USD by month], over (scenario, month)."""
    choice, offer = offers(facts, "machines", need.model), hourly.offer
    running = hourly.machines(passed)
    spot = np.broadcast_to(passed.waiting * hourly.usd_waiting[:, None] * SECONDS_PER_MONTH, running.shape)
    lines = {
        "burst machines": running * choice.columns["on_demand_usd_per_h"][offer][:, None] * HOURS_PER_MONTH,
        "spot machines": spot,
        "storage": running * choice.each[offer][:, None] * storage_usd(facts),
        "egress": egress(facts, load, (passed.prompt + passed.waiting) * SECONDS_PER_MONTH),
    }
    in_one = choice.columns["gpus"][offer][:, None]
    on_spot = spot / (spot_price(choice.columns)[offer][:, None] * HOURS_PER_MONTH) * in_one
    busy = (
        need.seconds[choice.kind[offer], np.arange(len(offer))][:, None] * passed.prompt / choice.each[offer][:, None]
    )
    words = {name: column[offer] for name, column in choice.words.items()}
    by_the_hour = np.full(len(offer), "by the hour", dtype=object)
    machines = Machines(
        running * 0,
        running * in_one + on_spot,
        busy * in_one + on_spot,
        load.live,
        running[:, 0] * 0,
        by_the_hour,
        **words,
    )
    return Bill(lines, choice.columns["key"][offer], need.possible[choice.kind[offer], np.arange(len(offer))], machines)
