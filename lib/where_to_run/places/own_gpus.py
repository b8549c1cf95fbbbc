"""The bill of own servers with GPUs: bought whole, powered, housed and maintained, worth something in the end."""

from dataclasses import dataclass, replace

import numpy as np

from ..formulas import finance, people
from ..inputs.facts import Facts
from ..units import HOURS_PER_MONTH, MONTHS_PER_YEAR, WEEKS_PER_MONTH, Array, whole
from .bill import CAPITAL, HARDWARE, Bill, Machines, nothing, spilled
from .fleet import Overflow, Passed, Pool, least
from .offers import Offers, offers, pick
from .replicas import Need
from .workload import Levers, Load

OUT_OF_REACH = 1e15
"""Added to the worth of a server above the capital limit, so that it is taken only where none keeps it [USD]."""


@dataclass(frozen=True)
class Limits:
    """What bears on the choice of a server: the limit for hardware on day one by scenario [USD], and the cost of
    tending one more server [USD/month].
    """

    capex: Array
    usd_per_further_server: float


def limits(facts: Facts, capex: Array) -> Limits:
    """Limits for hardware by scenario [USD], and what a part of a person in the machine room costs."""
    wage = facts.table("roles").at["hardware", "wage_usd_per_year"]
    person = people.loaded_monthly_wage(wage, facts.value("people.benefits_share"))
    return Limits(capex, facts.value("people.fte_per_extra_server") * float(person))


@dataclass(frozen=True)
class Rack:
    """Servers of every offer over (offer, scenario, month): ordered, standing ready, and at work on average.

    `ordered` falls a delivery before the servers are needed, so the first order is sized for the day it arrives.
    `operating` is the share of each month they serve, over (scenario, month), and `left` the share of their price all
    servers fetch in the end, over (offer, scenario).
    """

    ordered: Array
    standing: Array
    working: Array
    operating: Array
    left: Array

    def worth(self, driver: str, factors: Array, horizon: Array) -> Array:
        """Present value of a dollar on every unit of a driver, over (offer, scenario)."""
        if driver == "left":
            return self.left * factors[np.arange(len(horizon)), horizon]
        weights = factors if driver == "ordered" else factors * self.operating
        if driver == "further":
            first = self.standing.any(axis=-1) * weights.sum(axis=1)
            return np.einsum("osm,sm->os", self.standing, weights) - first
        return np.einsum("osm,sm->os", getattr(self, driver), weights)

    def units(self, driver: str, chosen: Array, horizon: Array) -> Array:
        """Units of a driver of the offers chosen, over (scenario, month)."""
        if driver == "left":
            units = np.zeros(self.operating.shape)
            units[np.arange(len(horizon)), horizon] = pick(self.left, chosen)
            return units
        if driver == "further":
            return np.maximum(0.0, pick(self.standing, chosen) - 1) * self.operating
        return pick(getattr(self, driver), chosen) * (1.0 if driver == "ordered" else self.operating)


def bill(facts: Facts, load: Load, need: Need, gpu: Array, factors: Array, limits: Limits) -> Bill:
    """Bill of the server with the least present value among those within the capital limit [USD by month].

    servers + network + spare parts + installation + power + colocation + maintenance + staff for further servers +
    capital tied up - residual value. Servers are ordered whole, and none is sold before the horizon ends. Nothing runs
    before delivery. `factors` are the worth today of a dollar in each month.
    """
    choice = contenders(offers(facts, "servers", need.model), need.take(load.distinct()), gpu)
    rack, prices = _rack(facts, load, choice, need), unit_prices(facts, choice, limits, load.levers)
    horizon = load.live.sum(axis=-1).astype(int)
    worth = np.zeros(rack.left.shape)
    for driver in dict.fromkeys(driver for driver, _ in prices.values()):
        usd_per_unit = sum((usd for other, usd in prices.values() if other == driver), np.zeros(1))
        worth += rack.worth(driver, factors, horizon) * usd_per_unit
    upfront = rack.ordered[..., 0] * sum((prices[name][1] for name in HARDWARE), np.zeros(1))
    worth += np.where(upfront > limits.capex, OUT_OF_REACH, 0.0)
    holds = need.possible[choice.kind] & ~choice.barred(gpu)
    chosen = np.where(holds, worth, np.inf).argmin(axis=0)
    lines = priced(facts, load, rack, prices, (chosen, chosen), factors)
    first, every = (rack.operating > 0).argmax(axis=1), np.arange(len(chosen))
    carried = pick(rack.standing, chosen)[every, first] * choice.each[chosen]
    above = spilled(load, need, carried, choice.kind[chosen], first)
    machines = stood(choice, rack, (chosen, chosen), above)
    return Bill(lines, choice.columns["key"][chosen], np.asarray(holds.any(axis=0)), machines)


def contenders(choice: Offers, need: Need, gpu: Array) -> Offers:
    """The servers worth a look: no other costs, draws and installs at most as much, never short of what it carries.

    All are where a scenario insists on a GPU.
    """
    if not (gpu == "cheapest").all():
        return choice
    one, other = np.nonzero(~np.eye(len(choice), dtype=bool))
    cost = np.stack([choice.columns[name].astype(float) for name in ("server_usd", "rated_kw", "installation_usd")])
    beats = (cost[:, one] <= cost[:, other]).all(axis=0)
    one, other = one[beats], other[beats]
    beats = need.times(choice.kind, choice.each, one, other) <= 1
    # of two that beat each other the first stays
    mutual = np.isin(one * len(choice) + other, (other * len(choice) + one)[beats])
    beats &= ~mutual | (one < other)
    return choice.take(np.setdiff1d(np.arange(len(choice)), other[beats]))


def priced(
    facts: Facts,
    load: Load,
    rack: Rack,
    prices: dict[str, tuple[str, Array]],
    chosen: tuple[Array, Array],
    factors: Array,
) -> dict[str, Array]:
    """Lines of the servers chosen [USD by month]: their place in the rack, and the offer whose prices they have."""
    horizon = load.live.sum(axis=-1).astype(int)
    lines: dict[str, Array] = {}
    for name, (driver, usd) in prices.items():
        line = rack.units(driver, chosen[0], horizon) * of(usd, chosen[1], np.arange(len(horizon)))[:, None]
        group = name.removesuffix(AT_WORK)
        lines[group] = lines[group] + line if group in lines else line
    lines[CAPITAL] = _capital(facts, load, lines["servers"], factors)
    return lines


def in_operation(facts: Facts, load: Load) -> Array:
    """Share of each month in which own servers serve, once delivered and set up [share], over (scenario, month)."""
    return np.clip(np.arange(load.live.shape[-1]) - delivery_months(facts, load), 0.0, 1.0) * load.live


def delivery_months(facts: Facts, load: Load | None = None) -> Array | float:
    """Months from an order until the servers serve: delivery and set-up [month], over (scenario, 1) or one for all."""
    weeks = facts.value("own.delivery_weeks") * (load.levers.column("lead") if load else 1.0)
    return (weeks + facts.value("setup_weeks.own_gpus")) / WEEKS_PER_MONTH


def months_ahead(facts: Facts, load: Load) -> Array:
    """Whole months from an order until the servers serve, over (scenario, 1) or one for all."""
    return np.ceil(delivery_months(facts, load)).astype(int)


def residual_curve(facts: Facts) -> tuple[Array, Array]:
    """Ages [month] and the share of its price a server fetches at each, of data/assumptions.csv."""
    ages = np.arange(1, 6) * MONTHS_PER_YEAR
    return ages.astype(float), np.array([facts.value(f"residual.{age}_months") for age in ages])


def _rack(facts: Facts, load: Load, choice: Offers, need: Need) -> Rack:
    """Whole servers for the busiest hours; work that can wait fills idle hours, and adds servers only beyond them."""
    each, kind, scenario = choice.each[:, None, None], choice.kind[:, None], np.arange(len(load.live))
    work = need.busy(kind, scenario)
    work /= each
    standing = need.replicas(kind, scenario)
    standing /= each
    if load.batch_share.any():
        np.maximum(standing, work / need.busiest_share, out=standing)
    # what is ordered on the day of the decision is sized for the months it serves, not for those it is awaited in
    standing *= in_operation(facts, load) > 0
    return filled(facts, load, np.maximum.accumulate(np.asarray(whole(standing)), axis=-1), work)


def filled(facts: Facts, load: Load, standing: Array, work: Array) -> Rack:
    """A rack of the servers that are to stand over (offer, scenario, month), never fewer than before, and their work.

    Work comes in busy servers on average.
    """
    ordered = _orders(standing, months_ahead(facts, load))
    standing *= load.live
    working = np.minimum(standing, work, out=work)
    age = load.live.sum(axis=-1)[:, None] - np.arange(load.live.shape[-1])
    fetched = np.where(age >= 0, finance.share_left(np.maximum(age, 0), *residual_curve(facts)), 0.0)
    left = np.einsum("osm,sm->os", ordered, fetched)
    return Rack(ordered, standing, working, in_operation(facts, load), left)


def _orders(standing: Array, lead: Array) -> Array:
    """Servers ordered in each month so that they stand when needed, `lead` months after the order."""
    last = standing.shape[-1] - 1
    then = np.minimum(np.arange(last + 1) + 1 + lead, last)
    ahead = np.take_along_axis(standing, then[None], axis=-1) if then.ndim > 1 else standing[..., then]
    return np.diff(ahead, axis=-1, prepend=0.0)


AT_WORK = ", at work"
"""Ending of the part of a line that only busy servers cause."""


def unit_prices(facts: Facts, choice: Offers, limits: Limits, levers: Levers) -> dict[str, tuple[str, Array]]:
    """For each line, what drives it and what one unit of that costs [USD], over (offer, scenario) or (offer, 1).

    Power is drawn by every standing server at its idle share of the peak, and by busy ones in full.
    """
    price, kw, installation = (
        choice.columns[name].astype(float)[:, None] for name in ("server_usd", "rated_kw", "installation_usd")
    )
    price, further = price * levers["server_price"], limits.usd_per_further_server * levers["wages"]
    peak_kwh = kw * facts.value("own.peak_power_share") * facts.value("own.pue") * HOURS_PER_MONTH
    power, idle = peak_kwh * facts.value("own.electricity_usd"), facts.value("own.idle_power_share")
    power = power * (levers["pue"] * levers["electricity"])
    return {
        "servers": ("ordered", price),
        "network": ("ordered", price * facts.value("own.network_share")),
        "spare parts": ("ordered", price * facts.value("own.spares_share")),
        "installation": ("ordered", installation),
        "power": ("standing", power * idle),
        "power" + AT_WORK: ("working", power * (1 - idle)),
        "colocation": ("standing", kw * facts.value("own.colocation_usd")),
        "maintenance": ("standing", price * facts.value("own.maintenance_share") / MONTHS_PER_YEAR),
        "residual value": ("left", -price * levers["residual"]),
        "staff for further servers": ("further", np.ones(kw.shape) * further),
    }


def of(usd: Array, offer: Array, scenario: Array) -> Array:
    """Prices of `unit_prices` of the pairs of offer and scenario asked."""
    return usd[offer, scenario * (usd.shape[1] > 1)]


def _capital(facts: Facts, load: Load, bought: Array, factors: Array) -> Array:
    """Interest on what the servers are worth at the start of each month [USD by month]."""
    worth = finance.value_left(bought, *residual_curve(facts))
    held = np.concatenate([np.zeros_like(worth[:, :1]), worth[:, :-1]], axis=-1)
    return held * load.live * (factors[:, :1] / factors[:, 1:2] - 1)


def stood(choice: Offers, rack: Rack, chosen: tuple[Array, Array], above: Array) -> Machines:
    """The servers chosen, by their place in the rack and their offer; `above` is the share of the traffic they miss."""
    gpus = choice.columns["gpus"][chosen[1]][:, None].astype(float)
    count = pick(rack.standing, chosen[0])
    words = {name: column[chosen[1]] for name, column in choice.words.items()}
    bought = np.full(len(count), "bought", dtype=object)
    working = pick(rack.working, chosen[0]) * gpus
    return Machines(count, count * gpus, working, rack.operating, above, bought, **words)


@dataclass(frozen=True)
class Server:
    """What a server costs, over (offer, scenario) or by pair: bought, its list price, and a month's run."""

    bought: Array
    price: Array
    monthly: Array

    def take(self, offer: Array, scenario: Array) -> "Server":
        """The pairs of offer and scenario asked."""
        return Server(*(of(usd, offer, scenario) for usd in (self.bought, self.price, self.monthly)))


def base_bill(
    facts: Facts, load: Load, need: Need, gpu: Array, factors: Array, limits: Limits, overflow: Overflow
) -> tuple[Bill, Passed]:
    """Bill of a base of own servers [USD by month], and what it passes on once it serves, over (scenario, month).

    The lines of `own_gpus.bill`. The offer is the one that costs least in the mean month. A server is bought for the
    first month in which having it costs less than passing on what it would carry, unless it would not pay for itself
    by the end of the horizon; what is ordered on day one keeps the capital limit where that leaves one.
    """
    choice = offers(facts, "servers", need.model)
    if not len(choice):
        return nothing(load), Passed(*np.zeros((4, len(gpu), 1)))
    prices = unit_prices(facts, choice, limits, load.levers)
    every = _server(prices)
    holds = need.possible[choice.kind] & ~choice.barred(gpu)
    fits = np.asarray(holds.any(axis=0))
    holds[0] |= ~fits
    scenario, offer = np.nonzero(holds.T)
    operating = in_operation(facts, load)
    if overflow.usd_per_hour.any():
        load.curve.tabulate(overflow.stretch[:, None])
    kept = need.part(1 - overflow.may)
    spare = np.zeros(len(offer))
    pool = Pool(load, need, kept, overflow.at(scenario), choice.kind[offer], scenario, choice.each[offer], spare)
    chosen = _cheapest_offer(facts, pool, every.take(offer, scenario), factors * operating, limits, factors)
    pool, offer = pool.take(chosen), offer[chosen]
    server = every.take(offer, np.arange(len(gpu)))
    user = user_cost(facts, load, limits, factors, choice, offer)
    count = _counts(facts, pool, server, user, factors * operating, limits)
    passed = pool.passed(count)
    carried = need.prompt + need.waiting - passed.prompt - passed.waiting
    work = need.seconds[pool.kind, pool.scenario][:, None] * carried / pool.each[:, None]
    rack = filled(facts, load, count[None], work[None])
    here = np.zeros(len(gpu), np.intp)
    lines = priced(facts, load, rack, prices, (here, offer), factors)
    passed = Passed(*(getattr(passed, name) * operating for name in Passed.__dataclass_fields__))
    total = np.maximum(1e-12, ((need.prompt + need.waiting) * operating).sum(axis=1))
    above = (passed.prompt + passed.waiting).sum(axis=1) / total
    return Bill(lines, choice.columns["key"][offer], fits, stood(choice, rack, (here, offer), above)), passed


def _server(prices: dict[str, tuple[str, Array]]) -> Server:
    bought = sum((usd for name, (_, usd) in prices.items() if name in HARDWARE), np.zeros(1))
    monthly = sum((usd for driver, usd in prices.values() if driver in ("standing", "further")), np.zeros(1))
    return Server(bought, -prices["residual value"][1], monthly)


def _from_month(facts: Facts, load: Load, server: Server, factors: Array, operating: Array) -> Array:
    """Worth today of all that a server costs that stands from a month to the horizon's end, over (pair, month) [USD].

    It is ordered a delivery earlier, and fetches at the end what its age leaves.
    """
    months = np.arange(load.live.shape[-1])
    horizon = load.live.sum(axis=1).astype(int)
    order = np.maximum(0, months - 1 - months_ahead(facts, load))
    age = np.maximum(horizon[:, None] - order, 0)
    left = finance.share_left(age, *residual_curve(facts)) * factors[np.arange(len(horizon)), horizon][:, None]
    running = np.cumsum((factors * operating)[:, ::-1], axis=1)[:, ::-1]
    then = factors[:, order] if order.ndim == 1 else np.take_along_axis(factors, order, axis=1)
    cost = server.bought[:, None] * then - server.price[:, None] * left + server.monthly[:, None] * running
    return np.where(load.live > 0, cost, 0.0)


def user_cost(facts: Facts, load: Load, limits: Limits, factors: Array, choice: Offers, offer: Array) -> Array:
    """Worth today of having a server one month sooner, over (scenario, month) [USD]; in the last month all it costs.

    `offer` is the position among `choice` of each scenario's server.
    """
    every = _server(unit_prices(facts, choice, limits, load.levers))
    server = every.take(offer, np.arange(len(offer)))
    cost = _from_month(facts, load, server, factors, in_operation(facts, load))
    user = cost.copy()
    user[:, :-1] -= cost[:, 1:]
    return user


def _cheapest_offer(facts: Facts, pool: Pool, server: Server, weights: Array, limits: Limits, factors: Array) -> Array:
    """For every scenario the pair that costs least in the mean month of service, a server at its mean cost."""
    load, scenario = pool.load, pool.scenario
    horizon = load.live.sum(axis=1).astype(int)
    left = finance.share_left(horizon, *residual_curve(facts)) * factors[np.arange(len(horizon)), horizon]
    months = np.maximum(weights.sum(axis=1), 1e-12)
    usd = (server.bought - server.price * left[scenario]) / months[scenario] + server.monthly
    one_month = replace(load, live=np.ones((len(horizon), 1)))
    month = replace(pool, load=one_month, need=pool.need.mean(weights), kept=pool.kept.mean(weights))

    def cost(machines: Array, pairs: Array) -> Array:
        some = month.take(pairs)
        return machines * usd[pairs, None] + some.usd(machines)

    every = np.arange(len(usd))
    found = np.minimum(*(cost(n, every) for n in month.bracket(usd[:, None], rough=True)))[:, 0]
    found = found + np.where(server.bought > limits.capex[scenario], OUT_OF_REACH, 0.0)
    best = np.lexsort((found, scenario))
    chosen: Array = best[np.searchsorted(scenario[best], np.arange(len(horizon)))]
    return chosen


def _counts(facts: Facts, pool: Pool, server: Server, user: Array, weights: Array, limits: Limits) -> Array:
    """Servers that stand over (scenario, month), never fewer than before."""
    serving = weights > 0
    monthly = np.where(serving, user / np.where(serving, weights, 1.0), 0.0)

    def cost_by_month(machines: Array, pairs: Array) -> Array:
        some = pool.take(pairs)
        return machines * user[pairs] + some.usd(machines) * weights[pairs]

    low, high = (np.where(serving, count, 0.0) for count in pool.bracket(np.maximum(monthly, 1e-9)))
    path, _ = least(cost_by_month, low, high)
    fewest = np.maximum.accumulate(np.where(serving, pool.held(), 0.0), axis=1)
    affordable = np.maximum(np.floor(limits.capex / server.bought), 1.0)[:, None]
    day_one = np.arange(path.shape[1]) <= 1 + months_ahead(facts, pool.load)
    path = np.where(day_one, np.minimum(path, np.maximum(affordable, fewest)), path)
    path = np.maximum.accumulate(np.maximum(path, fewest), axis=1)

    def cost(most: Array, pairs: Array) -> Array:
        return cost_by_month(np.minimum(path[pairs], most), pairs).sum(axis=1, keepdims=True)

    most, _ = least(cost, np.maximum(fewest[:, -1:], 1.0), np.maximum(path[:, -1:], 1.0))
    return np.minimum(path, most)
