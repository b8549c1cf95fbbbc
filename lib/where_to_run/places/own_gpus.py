"""The bill of own servers with GPUs: bought whole, powered, housed and maintained, worth something in the end."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..formulas import finance, people
from ..inputs.facts import Facts, remembered
from ..inputs.tables import schema
from ..units import HOURS_PER_MONTH, MONTHS_PER_YEAR, WEEKS_PER_MONTH, Array, Number
from .bill import CAPITAL, HARDWARE, Bill, Machines, nothing, spilled
from .fleet import Outlet, Passed, Price, Taken, Way, cheapest, no_outlet
from .offers import Offers, offers, undominated
from .replicas import Workload
from .spares import Spares, spares

DELIVERIES = tuple(schema()["tables"]["servers"]["columns"]["delivery"]["among"])
"""Kinds of server by how soon they are delivered."""


@dataclass(frozen=True)
class Upkeep:
    """What all own servers have in common; numbers, or over (1, scenario) where they are drawn.

    Servers that stand against failures. The curve of their resale: ages [month] and the share of the price fetched at
    each. Parts of a server's price: network, spare parts, maintenance a year. Power of a full server [USD/kW-month],
    and the share an idle one draws. Housing [USD/kW-month], and a part of a person for every server [USD/month].
    Factors on prices and on what servers fetch, and months from an order until a kind of server serves.
    """

    spares: Spares
    resale: tuple[Array, Array]
    network_share: Number
    spares_share: Number
    maintenance_share: Number
    power_usd: Number
    idle_share: Number
    housing_usd: Number
    staff_usd: Number
    price_factor: Number
    resale_factor: Number
    delivery_months: Number


@remembered
def upkeep(facts: Facts, kind: str) -> Upkeep:
    """What data/assumptions.csv and the wages of data/roles.csv say of own servers of a kind of DELIVERIES."""
    wage = facts.table("roles").at["hardware", "wage_usd_per_year"]
    person = people.loaded_monthly_wage(wage, facts.value("people.benefits_share")) * facts.factor("wages")
    kwh = facts.value("own.peak_power_share") * facts.value("own.pue") * HOURS_PER_MONTH
    ages = np.arange(1, 6) * MONTHS_PER_YEAR
    fetched = np.array([facts.value(f"residual.{age}_months") for age in ages])
    numbers: list[Any] = [
        *(facts.value(f"own.{name}_share") for name in ("network", "spares", "maintenance")),
        kwh * facts.value("own.electricity_usd"),
        facts.value("own.idle_power_share"),
        facts.value("own.colocation_usd"),
        facts.value("people.fte_per_machine.own_gpus") * person,
        facts.factor("server_price"),
        facts.factor("residual"),
        weeks_to_serve(facts, kind) / WEEKS_PER_MONTH,
    ]
    resale = ages.astype(float), fetched
    return Upkeep(spares(facts, "own_gpus"), resale, *(np.transpose(number) for number in numbers))


def weeks_to_serve(facts: Facts, kind: str) -> Any:
    """Weeks from an order until a kind of server serves [week], by data/assumptions.csv; an array where drawn."""
    return facts.value(f"own.delivery_weeks.{kind}") * facts.factor("lead") + facts.value("setup_weeks.own_gpus")


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

    def _ahead(self, scenario: Array) -> Array:
        return self.ahead[scenario * (len(self.ahead) > 1)]

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
        day_one = months <= 1 + self._ahead(scenario)
        affordable = np.where(day_one, self.affordable()[offer, scenario][:, None], np.inf)
        return Price(user[:, 1:], months, (self.factors * self.operating)[scenario], affordable)

    def user_cost(self, offer: Array, scenario: Array) -> Array:
        """Worth today of all a server costs that stands from a month to the end, less that from the next month on.

        Over (pair, month) [USD]. It is ordered a delivery earlier, and fetches at the end what its age leaves.
        """
        horizon, last = (part[scenario, None] for part in self._at_end())
        months, factors = np.arange(self.live.shape[1]), self.factors[scenario]
        order = np.broadcast_to(np.maximum(0, months - 1 - self._ahead(scenario)), factors.shape)
        left = finance.share_left(np.maximum(horizon - order, 0), *self.resale) * last
        running = np.cumsum((factors * self.operating[scenario])[:, ::-1], axis=1)[:, ::-1]
        bought, price, monthly = (usd[offer, scenario][:, None] for usd in (self.bought, self.price_usd, self.monthly))
        cost = bought * np.take_along_axis(factors, order, axis=1) - price * left + monthly * running
        cost = np.where(self.live[scenario] > 0, cost, 0.0)
        return cost - np.append(cost[:, 1:], np.zeros((len(cost), 1)), axis=1)


def purchase(upkeep: Upkeep, choice: Offers, work: Workload, capex: Array) -> Purchase:
    """The contract of some servers, with a limit for hardware on day one by scenario [USD]."""
    prices = unit_prices(upkeep, choice)

    def together(*drivers: str, names: tuple[str, ...] = ()) -> Array:
        some = [usd for name, (driver, usd) in prices.items() if driver in drivers or name in names]
        return np.broadcast_to(sum(some, np.zeros((len(choice), 1))), (len(choice), len(work)))

    return Purchase(
        prices=prices,
        bought=together(names=HARDWARE),
        price_usd=-together("left"),
        # people are not in this bill, but a server that takes some is not taken for nothing
        monthly=together("standing") + np.reshape(upkeep.staff_usd, (1, -1)),
        live=work.load.live,
        operating=in_operation(upkeep, work.load.live),
        factors=work.factors,
        capex=capex,
        ahead=np.ceil(np.atleast_2d(upkeep.delivery_months).T).astype(int),
        resale=upkeep.resale,
    )


def kinds_sold(facts: Facts, model: str) -> tuple[str, ...]:
    """Kinds of DELIVERIES of the servers that hold a model; the first where none does."""
    sold = set(offers(facts, "servers", model).columns["delivery"])
    return tuple(kind for kind in DELIVERIES if kind in sold) or DELIVERIES[:1]


def servers(facts: Facts, work: Workload, kind: str) -> Offers:
    """The servers of a kind of DELIVERIES worth a look for a load, and for every part of it."""
    choice = offers(facts, "servers", work.need.model)
    choice = choice.take(np.flatnonzero(choice.columns["delivery"] == kind))
    if not len(choice):
        return choice
    # every server takes a part of a person, so their number counts as a price
    prices = [choice.columns[name].astype(float) for name in ("server_usd", "rated_kw", "installation_usd")]
    return undominated(choice, work, np.stack([*prices, np.ones(len(choice))]))


def bill(
    upkeep: Upkeep, choice: Offers, work: Workload, capex: Array, outlet: Outlet | None = None
) -> tuple[Bill, Passed]:
    """Bill of own servers [USD by month], and what they pass on once they serve, over (scenario, month).

    servers + network + spare parts + installation + power + colocation + maintenance + capital tied up - residual
    value. Servers are ordered whole, for the months they serve, and none is sold before the
    horizon ends. With an `outlet` over (scenario) a server is bought for the first month in which having it costs less
    than passing on what it would carry, unless it would not pay for itself by the end. What is ordered on day one
    keeps the limit for hardware where that leaves a server: `capex`, by scenario [USD].
    """
    if not len(choice):
        return nothing(work.load), Passed(*np.zeros((4, *work.load.live.shape)))
    beside, contract = outlet or no_outlet(len(work)), purchase(upkeep, choice, work, capex)
    way = Way([contract], lambda _, scenario: beside.at(scenario))
    taken = cheapest(choice, [way], work, upkeep.spares, work.factors * contract.operating)
    lines = _lines(choice, work, contract, taken)
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


def _lines(choice: Offers, work: Workload, contract: Purchase, taken: Taken) -> dict[str, Array]:
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
        "left": left,
    }
    lines: dict[str, Array] = {}
    for name, (driver, usd) in contract.prices.items():
        line, group = units[driver] * of(usd, taken.offer, rows)[:, None], name.removesuffix(AT_WORK)
        lines[group] = lines[group] + line if group in lines else line
    lines[CAPITAL] = _capital(work, contract.resale, lines["servers"])
    return lines


def _machines(choice: Offers, work: Workload, contract: Purchase, taken: Taken) -> Machines:
    """The servers that stand, and the share of the traffic above them in the first month of service."""
    offer, rows, standing = taken.offer, np.arange(len(work)), taken.count * work.load.live
    first, kind = (contract.operating > 0).argmax(axis=1), choice.kind[offer]
    above = spilled(work, standing[rows, first] * choice.each[offer], kind, first)
    gpus = choice.columns["gpus"][offer][:, None].astype(float)
    words = choice.said(work, offer)
    bought, working = np.full(len(work), "bought", dtype=object), _working(choice, work, taken) * gpus
    spare = taken.spare * work.load.live
    return Machines(standing, spare, standing * gpus, working, contract.operating, above, bought, **words)


def _orders(standing: Array, ahead: Array) -> Array:
    """Servers ordered in each month so that they stand when needed, so many months `ahead`."""
    last = standing.shape[-1] - 1
    then = np.broadcast_to(np.minimum(np.arange(last + 1) + 1 + ahead, last), standing.shape)
    return np.diff(np.take_along_axis(standing, then, axis=1), axis=1, prepend=0.0)


def in_operation(upkeep: Upkeep, live: Array) -> Array:
    """Share of each live month in which own servers serve, once delivered and set up, over (scenario, month)."""
    return np.clip(np.arange(live.shape[-1]) - np.transpose(upkeep.delivery_months), 0.0, 1.0) * live


AT_WORK = ", at work"
"""Ending of the part of a line that only busy servers cause."""


def unit_prices(upkeep: Upkeep, choice: Offers) -> dict[str, tuple[str, Array]]:
    """For each line, what drives it and what one unit of that costs [USD], over (offer, scenario) or (offer, 1).

    Power is drawn by every standing server at its idle share of the peak, and by busy ones in full.
    """
    price, kw, installation = (
        choice.columns[name].astype(float)[:, None] for name in ("server_usd", "rated_kw", "installation_usd")
    )
    price, power = price * upkeep.price_factor, kw * upkeep.power_usd
    return {
        "servers": ("ordered", price),
        "network": ("ordered", price * upkeep.network_share),
        "spare parts": ("ordered", price * upkeep.spares_share),
        "installation": ("ordered", installation),
        "power": ("standing", power * upkeep.idle_share),
        "power" + AT_WORK: ("working", power * (1 - upkeep.idle_share)),
        "colocation": ("standing", kw * upkeep.housing_usd),
        "maintenance": ("standing", price * upkeep.maintenance_share / MONTHS_PER_YEAR),
        "residual value": ("left", -price * upkeep.resale_factor),
    }


def of(usd: Array, offer: Array, scenario: Array) -> Array:
    """Prices of `unit_prices` of the pairs of offer and scenario asked."""
    return usd[offer, scenario * (usd.shape[1] > 1)]


def _capital(work: Workload, resale: tuple[Array, Array], bought: Array) -> Array:
    """Interest on what the servers are worth at the start of each month [USD by month]."""
    worth = finance.value_left(bought, *resale)
    held = np.concatenate([np.zeros_like(worth[:, :1]), worth[:, :-1]], axis=-1)
    return held * work.load.live * (work.factors[:, :1] / work.factors[:, 1:2] - 1)
