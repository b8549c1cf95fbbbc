"""A base of own servers: as many as pay for themselves, and what comes above them served elsewhere."""

from dataclasses import dataclass, replace

import numpy as np

from . import finance, own_gpus
from .bills import HARDWARE, Bill, Offers, nothing, offers
from .bursts import Overflow, Passed, Pool, least
from .facts import Facts
from .own_gpus import OUT_OF_REACH, Limits
from .replicas import Load, Need
from .units import Array


@dataclass(frozen=True)
class Server:
    """What a server costs, over (offer, scenario) or by pair: bought, its list price, and a month's run."""

    bought: Array
    price: Array
    monthly: Array

    def take(self, offer: Array, scenario: Array) -> "Server":
        """The pairs of offer and scenario asked."""
        return Server(*(own_gpus.of(usd, offer, scenario) for usd in (self.bought, self.price, self.monthly)))


def bill(
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
    prices = own_gpus.unit_prices(facts, choice, limits, load.levers)
    every = _server(prices)
    holds = need.possible[choice.kind] & ~choice.barred(gpu)
    fits = np.asarray(holds.any(axis=0))
    holds[0] |= ~fits
    scenario, offer = np.nonzero(holds.T)
    operating = own_gpus.in_operation(facts, load)
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
    rack = own_gpus.filled(facts, load, count[None], work[None])
    here = np.zeros(len(gpu), np.intp)
    lines = own_gpus.priced(facts, load, rack, prices, (here, offer), factors)
    passed = Passed(*(getattr(passed, name) * operating for name in Passed.__dataclass_fields__))
    total = np.maximum(1e-12, ((need.prompt + need.waiting) * operating).sum(axis=1))
    above = (passed.prompt + passed.waiting).sum(axis=1) / total
    return Bill(lines, choice.columns["key"][offer], fits, own_gpus.stood(choice, rack, (here, offer), above)), passed


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
    order = np.maximum(0, months - 1 - own_gpus.months_ahead(facts, load))
    age = np.maximum(horizon[:, None] - order, 0)
    left = finance.share_left(age, *own_gpus.residual_curve(facts)) * factors[np.arange(len(horizon)), horizon][:, None]
    running = np.cumsum((factors * operating)[:, ::-1], axis=1)[:, ::-1]
    then = factors[:, order] if order.ndim == 1 else np.take_along_axis(factors, order, axis=1)
    cost = server.bought[:, None] * then - server.price[:, None] * left + server.monthly[:, None] * running
    return np.where(load.live > 0, cost, 0.0)


def user_cost(facts: Facts, load: Load, limits: Limits, factors: Array, choice: Offers, offer: Array) -> Array:
    """Worth today of having a server one month sooner, over (scenario, month) [USD]; in the last month all it costs.

    `offer` is the position among `choice` of each scenario's server.
    """
    every = _server(own_gpus.unit_prices(facts, choice, limits, load.levers))
    server = every.take(offer, np.arange(len(offer)))
    cost = _from_month(facts, load, server, factors, own_gpus.in_operation(facts, load))
    user = cost.copy()
    user[:, :-1] -= cost[:, 1:]
    return user


def _cheapest_offer(facts: Facts, pool: Pool, server: Server, weights: Array, limits: Limits, factors: Array) -> Array:
    """For every scenario the pair that costs least in the mean month of service, a server at its mean cost."""
    load, scenario = pool.load, pool.scenario
    horizon = load.live.sum(axis=1).astype(int)
    left = finance.share_left(horizon, *own_gpus.residual_curve(facts)) * factors[np.arange(len(horizon)), horizon]
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
    day_one = np.arange(path.shape[1]) <= 1 + own_gpus.months_ahead(facts, pool.load)
    path = np.where(day_one, np.minimum(path, np.maximum(affordable, fewest)), path)
    path = np.maximum.accumulate(np.maximum(path, fewest), axis=1)

    def cost(most: Array, pairs: Array) -> Array:
        return cost_by_month(np.minimum(path[pairs], most), pairs).sum(axis=1, keepdims=True)

    most, _ = least(cost, np.maximum(fewest[:, -1:], 1.0), np.maximum(path[:, -1:], 1.0))
    return np.minimum(path, most)
