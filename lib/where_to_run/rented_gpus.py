"""The bill of rented machines with GPUs: paid by the hour, idle or busy, at the contract that costs least."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .bills import Bill, Machines, Offers, offers, spilled
from .facts import Facts
from .replicas import Load, Need
from .units import BYTES_PER_GB, HOURS_PER_MONTH, Array, whole

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
