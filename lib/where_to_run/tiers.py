"""Rented machines in tiers: a base under the contract that costs least, and what comes above it served elsewhere."""

from dataclasses import dataclass, replace

import numpy as np

from . import hourly
from .bills import Bill, Machines, Offers, nothing, offers
from .bursts import Overflow, Passed, Pool, least
from .facts import Facts
from .rented_gpus import CONTRACTS, TERMS, Fleet, egress, rent, spot_price, storage_usd, terms
from .replicas import Load, Need
from .units import HOURS_PER_MONTH, SECONDS_PER_MONTH, Array, whole

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
            overflow = hourly.burst(self.facts, self.load, self.need, offer, scenario).overflow(np.ones(len(offer)))
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


def bill(
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
    rented = hourly.burst(facts, load, need, np.asarray(found.position), every)
    return _with_bursts(found, hourly.burst_bill(facts, load, need, rented, passed))


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
