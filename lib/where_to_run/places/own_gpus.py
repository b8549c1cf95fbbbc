"""The bill of own servers with GPUs: bought whole, powered, housed and maintained, worth something in the end."""

from dataclasses import dataclass

import numpy as np

from ..formulas import finance, people
from ..inputs.facts import Facts
from ..units import HOURS_PER_MONTH, MONTHS_PER_YEAR, WEEKS_PER_MONTH, Array
from .bill import CAPITAL, HARDWARE, Bill, Machines, nothing, spilled
from .fleet import Outlet, Passed, Price, Taken, Way, cheapest, no_outlet
from .offers import Offers, offers, undominated
from .replicas import Workload
from .workload import Levers, Load


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
class Purchase:
    """Servers bought: a contract that binds to the horizon's end, at some `prices` of `unit_prices`.

    Over (offer, scenario): what one costs when `bought`, its list price, and a `monthly` run [USD]. Over (scenario,
    month): live months, the share of each in which servers serve, and the worth today of a dollar. `ahead` are whole
    months from an order until the servers serve, `resale` ages and what is still fetched at each.
    """

    prices: dict[str, tuple[str, Array]]
    bought: Array
    price_usd: Array
    monthly: Array
    live: Array
    operating: Array
    factors: Array
    capex: Array
    ahead: Array
    resale: tuple[Array, Array]

    def _at_end(self) -> tuple[Array, Array]:
        """Live months, and the worth today of a dollar in the last of them, by scenario."""
        horizon = self.live.sum(axis=1).astype(int)
        return horizon, self.factors[np.arange(len(horizon)), horizon]

    def mean_usd(self) -> Array:
        """Price less what it fetches over the months it serves, and a month's run [USD/month]."""
        horizon, last = self._at_end()
        months = np.maximum((self.factors * self.operating).sum(axis=1), 1e-12)
        left = finance.share_left(horizon, *self.resale) * last
        return (self.bought - self.price_usd * left) / months + self.monthly

    def affordable(self) -> Array:
        """Servers the limit for hardware allows on day one, over (offer, scenario)."""
        return np.floor(self.capex / self.bought + 1e-9)

    def price(self, offer: Array, scenario: Array) -> Price:
        """What having a server one month sooner costs today; in the last month all it costs."""
        user = self.user_cost(offer, scenario)
        months = np.arange(1, self.live.shape[1])
        day_one = months <= 1 + (self.ahead if self.ahead.ndim == 1 else self.ahead[scenario])
        affordable = np.where(day_one, self.affordable()[offer, scenario][:, None], np.inf)
        return Price(user[:, 1:], months, (self.factors * self.operating)[scenario], affordable)

    def user_cost(self, offer: Array, scenario: Array) -> Array:
        """Worth today of all a server costs that stands from a month to the end, less that from the next month on.

        Over (pair, month) [USD]. It is ordered a delivery earlier, and fetches at the end what its age leaves.
        """
        horizon, last = (part[scenario, None] for part in self._at_end())
        months, factors = np.arange(self.live.shape[1]), self.factors[scenario]
        ahead = self.ahead if self.ahead.ndim == 1 else self.ahead[scenario]
        order = np.broadcast_to(np.maximum(0, months - 1 - ahead), factors.shape)
        left = finance.share_left(np.maximum(horizon - order, 0), *self.resale) * last
        running = np.cumsum((factors * self.operating[scenario])[:, ::-1], axis=1)[:, ::-1]
        bought, price, monthly = (usd[offer, scenario][:, None] for usd in (self.bought, self.price_usd, self.monthly))
        cost = bought * np.take_along_axis(factors, order, axis=1) - price * left + monthly * running
        cost = np.where(self.live[scenario] > 0, cost, 0.0)
        return cost - np.append(cost[:, 1:], np.zeros((len(cost), 1)), axis=1)


def purchase(facts: Facts, choice: Offers, work: Workload, limits: Limits) -> Purchase:
    """The contract of some servers."""
    prices = unit_prices(facts, choice, limits, work.load.levers)

    def together(*drivers: str, names: tuple[str, ...] = ()) -> Array:
        some = [usd for name, (driver, usd) in prices.items() if driver in drivers or name in names]
        return np.broadcast_to(sum(some, np.zeros((len(choice), 1))), (len(choice), len(work)))

    return Purchase(
        prices=prices,
        bought=together(names=HARDWARE),
        price_usd=-together("left"),
        monthly=together("standing", "further"),
        live=work.load.live,
        operating=in_operation(facts, work.load),
        factors=work.factors,
        capex=limits.capex,
        ahead=np.atleast_1d(months_ahead(facts, work.load)),
        resale=residual_curve(facts),
    )


def servers(facts: Facts, work: Workload) -> Offers:
    """The servers worth a look for a load, and for every part of it."""
    choice = offers(facts, "servers", work.need.model)
    if not len(choice):
        return choice
    # a further server takes a further part of a person, so their number counts as a price
    prices = [choice.columns[name].astype(float) for name in ("server_usd", "rated_kw", "installation_usd")]
    return undominated(choice, work, np.stack([*prices, np.ones(len(choice))]))


def bill(
    facts: Facts, choice: Offers, work: Workload, limits: Limits, outlet: Outlet | None = None
) -> tuple[Bill, Passed]:
    """Bill of own servers [USD by month], and what they pass on once they serve, over (scenario, month).

    servers + network + spare parts + installation + power + colocation + maintenance + staff for further servers +
    capital tied up - residual value. Servers are ordered whole, for the months they serve, and none is sold before the
    horizon ends. With an `outlet` over (scenario) a server is bought for the first month in which having it costs less
    than passing on what it would carry, unless it would not pay for itself by the end. What is ordered on day one
    keeps the limit for hardware where that leaves a server. `factors` are the worth today of a dollar in each month.
    """
    if not len(choice):
        return nothing(work.load), Passed(*np.zeros((4, len(work), 1)))
    beside, contract = outlet or no_outlet(len(work)), purchase(facts, choice, work, limits)
    way = Way([contract], lambda _, scenario: beside.at(scenario), spare=False)
    taken = cheapest(choice, [way], work, work.factors * contract.operating)
    lines = _lines(facts, choice, work, contract, taken)
    passed, machines = taken.passed.times(contract.operating), _machines(choice, work, contract, taken)
    if outlet:
        served = np.maximum(1e-12, (work.rates * contract.operating).sum(axis=1))
        machines.spilled = (passed.prompt + passed.waiting).sum(axis=1) / served
    return Bill(lines, choice.columns["key"][taken.offer], taken.fits, machines), passed


def _working(choice: Offers, work: Workload, taken: Taken) -> Array:
    """Servers at work on average, over (scenario, month)."""
    carried = (work.rates - taken.passed.prompt - taken.passed.waiting) * taken.fits[:, None]
    seconds = work.need.seconds[choice.kind[taken.offer], np.arange(len(work))][:, None]
    return np.minimum(taken.count * work.load.live, seconds * carried / choice.each[taken.offer][:, None])


def _lines(facts: Facts, choice: Offers, work: Workload, contract: Purchase, taken: Taken) -> dict[str, Array]:
    """Lines of the servers that stand [USD by month]."""
    rows, standing, operating = np.arange(len(work)), taken.count * work.load.live, contract.operating
    ordered = _orders(taken.count, contract.ahead)
    age = work.horizon[:, None] - np.arange(work.load.live.shape[1])
    fetched = np.where(age >= 0, finance.share_left(np.maximum(age, 0), *contract.resale), 0.0)
    left = np.zeros(ordered.shape)
    left[rows, work.horizon] = (ordered * fetched).sum(axis=1)
    units = {
        "ordered": ordered,
        "standing": standing * operating,
        "working": _working(choice, work, taken) * operating,
        "further": np.maximum(0.0, standing - 1) * operating,
        "left": left,
    }
    lines: dict[str, Array] = {}
    for name, (driver, usd) in contract.prices.items():
        line, group = units[driver] * of(usd, taken.offer, rows)[:, None], name.removesuffix(AT_WORK)
        lines[group] = lines[group] + line if group in lines else line
    lines[CAPITAL] = _capital(facts, work.load, lines["servers"], work.factors)
    return lines


def _machines(choice: Offers, work: Workload, contract: Purchase, taken: Taken) -> Machines:
    """The servers that stand, and the share of the traffic above them in the first month of service."""
    offer, rows, standing = taken.offer, np.arange(len(work)), taken.count * work.load.live
    first, kind = (contract.operating > 0).argmax(axis=1), choice.kind[offer]
    above = spilled(work, standing[rows, first] * choice.each[offer], kind, first)
    gpus = choice.columns["gpus"][offer][:, None].astype(float)
    words = {name: column[offer] for name, column in choice.words.items()}
    bought, working = np.full(len(work), "bought", dtype=object), _working(choice, work, taken) * gpus
    return Machines(standing, standing * gpus, working, contract.operating, above, bought, **words)


def _orders(standing: Array, ahead: Array) -> Array:
    """Servers ordered in each month so that they stand when needed, so many months `ahead`."""
    last = standing.shape[-1] - 1
    then = np.broadcast_to(np.minimum(np.arange(last + 1) + 1 + ahead, last), standing.shape)
    return np.diff(np.take_along_axis(standing, then, axis=1), axis=1, prepend=0.0)


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
