"""The bill of rented machines with GPUs: paid by the hour, idle or busy, at the contract that costs least."""

from dataclasses import dataclass

import numpy as np

from . import finance
from .bills import Bill, Machines, Offers, offers, pick, spilled
from .facts import Facts
from .replicas import Load, Need
from .units import BYTES_PER_GB, HOURS_PER_MONTH, Array, whole

TERMS = {"on_demand_usd_per_h": 1, "reserved_1yr_usd_per_h": 12, "reserved_3yr_usd_per_h": 36}
"""Contracts for a machine by their price column, and the months each binds."""

CONTRACTS = np.array(["on demand", "reserved 1 year", "reserved 3 years"], dtype=object)
"""Their names, in the same order."""


@dataclass(frozen=True)
class Fleet:
    """Machines of every offer over (offer, scenario, month): those that stand ready, and machine-months of spot."""

    offers: Offers
    need: Need
    holds: Array
    count: Array
    spot: Array


def fleet(facts: Facts, load: Load, need: Need, gpu: Array) -> Fleet:
    """Whole machines of every offer: for what cannot wait those that stand ready, for the rest spot beyond idle hours.

    `gpu` is a type or `cheapest` for each scenario.
    """
    choice = offers(facts, "machines", need.model)
    each = choice.each[:, None, None]
    count = np.asarray(whole(need.replicas[choice.kind] / each))
    spot = np.zeros((len(choice), 1, 1))
    if load.batch_share.any():
        seconds = need.seconds[choice.kind][..., None]
        idle = np.maximum(0.0, count * each * facts.value("serving.busiest_share") - seconds * need.prompt)
        spot = np.maximum(0.0, seconds * need.waiting - idle) / each * (1 + facts.value("rented.spot_overhead_share"))
    holds = need.possible[choice.kind] & ~choice.barred(gpu)
    return Fleet(choice, need, holds, count, np.broadcast_to(spot, count.shape))


def bill(facts: Facts, load: Load, fleet: Fleet, rate: Array, terms: int = len(TERMS)) -> Bill:
    """Bill of the machine and contract with the least present value [USD by month], the same all along.

    rent + spot + what the contract still owes past the horizon + storage of the weights + egress. Machines for the
    busiest hours stand ready all month; work that can wait fills their idle hours and runs on spot beyond them.
    `rate` is the discount rate per month; `terms` = 1 allows no contract but on demand.
    """
    factors = finance.discount_factors(rate, load.live.shape[-1])
    spot_price = (
        np.where(
            np.isnan(fleet.offers.columns["spot_usd_per_h"]),
            fleet.offers.columns["on_demand_usd_per_h"],
            fleet.offers.columns["spot_usd_per_h"],
        )
        * HOURS_PER_MONTH
    )
    worth = [_worth(fleet, load, factors, term) for term in list(TERMS)[:terms]]
    spot_worth = np.einsum("osm,sm->os", fleet.spot, factors) * spot_price[:, None]
    total = np.where(fleet.holds, np.stack(worth) + spot_worth, np.inf)
    best = total.reshape(-1, len(rate)).argmin(axis=0)
    term, chosen = np.divmod(best, len(fleet.offers))
    fits = np.isfinite(total.reshape(-1, len(rate)).min(axis=0))
    count = pick(fleet.count, chosen)
    busiest = facts.value("serving.busiest_share")
    rent, owed = _rent(fleet, load, count, chosen, term)
    lines = _lines(facts, load, rent, pick(fleet.spot, chosen) * spot_price[chosen][:, None], owed, fleet, chosen)
    return Bill(lines, fleet.offers.columns["key"][chosen], fits, _machines(load, fleet, count, chosen, term, busiest))


def _terms(load: Load, months: int) -> tuple[Array, Array, Array]:
    """Of a contract: first month of each term, months of it within the horizon by (scenario, month), months owed after.

    A term that the horizon cuts is owed to its end.
    """
    starts = np.arange(1, load.live.shape[-1], months)
    horizon = load.live.sum(axis=-1).astype(int)
    owed = (-horizon) % months
    return starts, load.live, owed


def _worth(fleet: Fleet, load: Load, factors: Array, term: str) -> Array:
    """Present value of the rent under a contract [USD] over (offer, scenario); infinite where not offered.

    A term pays in each of its months for the most machines any of them needs.
    """
    months, price = TERMS[term], fleet.offers.columns[term] * HOURS_PER_MONTH
    starts, live, owed = _terms(load, months)
    horizon = live.sum(axis=-1).astype(int)
    weight = np.add.reduceat(factors * live, starts, axis=-1)
    rows = np.arange(len(horizon))
    weight[rows, (horizon - 1) // months] += owed * factors[rows, horizon]
    most = fleet.count[..., 1:] if months == 1 else np.maximum.reduceat(fleet.count, starts, axis=-1)
    worth = np.einsum("osb,sb->os", most, weight) * price[:, None]
    return np.where(np.isnan(worth), np.inf, worth)


def _rent(fleet: Fleet, load: Load, count: Array, chosen: Array, term: Array) -> tuple[Array, Array]:
    """Rent by month, and what is owed past the horizon in its last month, of the machine and contract chosen [USD]."""
    rent, owed = np.zeros(count.shape), np.zeros(count.shape)
    rows = np.arange(len(chosen))
    for number, (name, months) in enumerate(TERMS.items()):
        here = term == number
        if not here.any():
            continue
        price = (fleet.offers.columns[name][chosen] * HOURS_PER_MONTH)[:, None]
        starts, live, months_owed = _terms(load, months)
        most = np.maximum.reduceat(count, starts, axis=-1)
        paid = np.concatenate([np.zeros((len(count), 1)), np.repeat(most, months, axis=-1)], axis=-1)[
            :, : count.shape[-1]
        ]
        horizon = live.sum(axis=-1).astype(int)
        after = np.zeros(count.shape)
        after[rows, horizon] = most[rows, (horizon - 1) // months] * months_owed
        rent[here], owed[here] = (paid * live * price)[here], (after * price)[here]
    return rent, owed


def _lines(
    facts: Facts, load: Load, rent: Array, spot: Array, owed: Array, fleet: Fleet, chosen: Array
) -> dict[str, Array]:
    kept = pick(fleet.need.replicas, fleet.offers.kind[chosen])
    storage = facts.value("rented.storage_gb_per_replica") * facts.value("rented.storage_usd")
    bytes_out = load.requests * load.output_tokens * facts.value("rented.bytes_per_token")
    return {
        "machines": rent,
        "spot machines": np.nan_to_num(spot, posinf=0.0),
        "contract past the horizon": owed,
        "storage": kept * storage,
        "egress": bytes_out / BYTES_PER_GB * facts.value("rented.egress_usd"),
    }


def _machines(load: Load, fleet: Fleet, count: Array, chosen: Array, term: Array, busiest_share: float) -> Machines:
    each, kind = fleet.offers.each[chosen][:, None], fleet.offers.kind[chosen]
    gpus = count * fleet.offers.columns["gpus"][chosen][:, None]
    busy = np.minimum(fleet.need.busy_of(kind), count * each * busiest_share)
    per_replica = fleet.offers.columns["gpus"][chosen][:, None] / each
    words = {name: column[chosen] for name, column in fleet.offers.words.items()}
    above = spilled(load, fleet.need, (count * each)[:, 1], kind)
    return Machines(count, gpus, gpus, busy * per_replica, above, CONTRACTS[term], **words)
