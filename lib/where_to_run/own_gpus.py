"""The bill of own servers with GPUs: bought whole, powered, housed and maintained, worth something in the end."""

from dataclasses import dataclass

import numpy as np

from . import finance
from .bills import CAPITAL, HARDWARE, Bill, Machines, Offers, offers, pick, spilled
from .facts import Facts
from .replicas import Load, Need
from .units import HOURS_PER_MONTH, MONTHS_PER_YEAR, WEEKS_PER_MONTH, Array, whole

OUT_OF_REACH = 1e15
"""Added to the worth of a server above the capital limit, so that it is taken only where none keeps it [USD]."""


@dataclass(frozen=True)
class Rack:
    """Servers of every offer over (offer, scenario, month): standing, ordered, running, busy, and sold at the end.

    `ordered` falls a month before the servers are needed, `running` counts server-months after delivery, `busy` those
    at work, `sold` the share of their price all servers fetch in the last month.
    """

    standing: Array
    ordered: Array
    running: Array
    busy: Array
    sold: Array


def bill(facts: Facts, load: Load, need: Need, gpu: Array, rate: Array, capex_limit: Array) -> Bill:
    """Bill of the server with the least present value among those within the capital limit [USD by month].

    servers + network + spare parts + installation + power + colocation + maintenance + capital tied up - residual
    value. Servers are ordered whole, and none is sold before the horizon ends. Nothing runs before delivery.
    """
    choice = offers(facts, "servers", need.model)
    rack = _rack(facts, load, choice, need)
    prices = _unit_prices(facts, choice)
    factors = finance.discount_factors(rate, load.live.shape[-1])
    worth = sum(
        (np.einsum("osm,sm->os", getattr(rack, driver), factors) * usd[:, None] for driver, usd in prices.values()),
        np.zeros(1),
    )
    upfront = sum((rack.ordered[..., 0] * prices[name, "ordered"][1][:, None] for name in HARDWARE), np.zeros(1))
    worth = worth + np.where(upfront > capex_limit, OUT_OF_REACH, 0.0)
    holds = need.possible[choice.kind] & ~choice.barred(gpu)
    chosen = np.where(holds, worth, np.inf).argmin(axis=0)
    lines = _lines(facts, load, rack, prices, choice, chosen, rate)
    return Bill(
        lines, choice.columns["key"][chosen], np.asarray(holds.any(axis=0)), _machines(load, choice, need, rack, chosen)
    )


def in_operation(facts: Facts, load: Load) -> Array:
    """Share of each month after the first servers were delivered [share], over (scenario, month)."""
    wait = facts.value("own.delivery_weeks") / WEEKS_PER_MONTH
    return np.clip(np.arange(load.live.shape[-1]) - wait, 0.0, 1.0) * load.live


def residual_curve(facts: Facts) -> tuple[Array, Array]:
    """Ages [month] and the share of its price a server fetches at each, of data/assumptions.csv."""
    ages = np.arange(1, 6) * MONTHS_PER_YEAR
    return ages.astype(float), np.array([facts.value(f"residual.{age}_months") for age in ages])


def _rack(facts: Facts, load: Load, choice: Offers, need: Need) -> Rack:
    """Whole servers for the busiest hours; work that can wait fills idle hours, and adds servers only beyond them."""
    each = choice.each[:, None, None]
    work = need.busy(choice.kind)
    wanted = np.maximum(need.replicas[choice.kind], work / facts.value("serving.busiest_share"))
    standing = np.maximum.accumulate(np.asarray(whole(wanted / each)), axis=-1) * load.live
    ordered = np.zeros_like(standing)
    ordered[..., :-1] = np.maximum(0.0, np.diff(standing, axis=-1))
    running = standing * in_operation(facts, load)
    busy = np.minimum(standing, work / each) * in_operation(facts, load)
    return Rack(standing, ordered, running, busy, _sold(facts, load, ordered))


def _sold(facts: Facts, load: Load, ordered: Array) -> Array:
    """Share of their price that all servers ordered fetch, in the last month of the horizon."""
    horizon = load.live.sum(axis=-1).astype(int)
    age = horizon[:, None] - np.arange(load.live.shape[-1])
    left = np.where(age >= 0, finance.share_left(np.maximum(age, 0), *residual_curve(facts)), 0.0)
    sold = np.zeros_like(ordered)
    sold[:, np.arange(len(horizon)), horizon] = np.einsum("osm,sm->os", ordered, left)
    return sold


def _unit_prices(facts: Facts, choice: Offers) -> dict[tuple[str, str], tuple[str, Array]]:
    """For each line, what drives it and what one unit of that costs with each offer [USD].

    Power is drawn by every running server at its idle share of the peak, and by busy ones in full.
    """
    price, kw = choice.columns["server_usd"].astype(float), choice.columns["rated_kw"].astype(float)
    drawn = (
        kw
        * facts.value("own.peak_power_share")
        * facts.value("own.pue")
        * HOURS_PER_MONTH
        * facts.value("own.electricity_usd")
    )
    idle = facts.value("own.idle_power_share")
    lines = [
        ("servers", "ordered", price),
        ("network", "ordered", price * facts.value("own.network_share")),
        ("spare parts", "ordered", price * facts.value("own.spares_share")),
        ("installation", "ordered", choice.columns["installation_usd"].astype(float)),
        ("power", "running", drawn * idle),
        ("power", "busy", drawn * (1 - idle)),
        ("colocation", "running", kw * facts.value("own.colocation_usd")),
        ("maintenance", "running", price * facts.value("own.maintenance_share") / MONTHS_PER_YEAR),
        ("residual value", "sold", -price),
    ]
    return {(name, driver): (driver, usd) for name, driver, usd in lines}


def _lines(
    facts: Facts,
    load: Load,
    rack: Rack,
    prices: dict[tuple[str, str], tuple[str, Array]],
    choice: Offers,
    chosen: Array,
    rate: Array,
) -> dict[str, Array]:
    """The lines of the server chosen, and the interest on what its hardware is still worth."""
    lines: dict[str, Array] = {}
    for (name, driver), (_, usd) in prices.items():
        line = pick(getattr(rack, driver), chosen) * usd[chosen][:, None]
        lines[name] = lines[name] + line if name in lines else line
    worth = finance.value_left(
        pick(rack.ordered, chosen) * choice.columns["server_usd"][chosen][:, None], *residual_curve(facts)
    )
    held = np.concatenate([np.zeros_like(worth[:, :1]), worth[:, :-1]], axis=-1)
    return lines | {CAPITAL: held * load.live * rate[:, None]}


def _machines(load: Load, choice: Offers, need: Need, rack: Rack, chosen: Array) -> Machines:
    gpus = choice.columns["gpus"][chosen][:, None].astype(float)
    count, carried = pick(rack.standing, chosen), pick(rack.standing, chosen)[:, 1] * choice.each[chosen]
    words = {name: column[chosen] for name, column in choice.words.items()}
    bought = np.full(len(chosen), "bought", dtype=object)
    above = spilled(load, need, carried, choice.kind[chosen])
    running, busy = pick(rack.running, chosen) * gpus, pick(rack.busy, chosen) * gpus
    return Machines(count, count * gpus, running, busy, above, bought, **words)
