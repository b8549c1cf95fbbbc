"""Stages: the ways of running a scenario one after another, and what each costs a month at any volume."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..decision import staffing
from ..decision.block import OFFERS, Question, overflow, team
from ..decision.models import shortlist
from ..decision.option import Outcome, costed, outage_usd
from ..decision.routing import API, HOSTED, NOWHERE, OWN, RENTED, ROUTINGS, TITLES, Routing, by_hand, candidates
from ..decision.search import gates
from ..decision.tuning import tuning_usd
from ..formulas import demand, finance, people
from ..formulas.lattice import Programme
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts
from ..inputs.question import BY_NAME, PLACES, SKILLS, STREAMS, ScenarioError, check, columns
from ..places import own_gpus
from ..places.bill import declared
from ..places.fleet import Fleet
from ..places.offers import Offers, offers
from ..places.rented_gpus import ON_DEMAND
from ..units import MONTHS_PER_YEAR, WEEKS_PER_MONTH, Array, Number

SIZES = 8
"""Numbers of own servers that are stages of their own, even on a log scale over those the likely volumes ask for."""


class Stage(NamedTuple):
    """A way of running: the option it is, whether each of PLACES is used, the API offer called, and its own servers,
    whose bursts go to the other place.
    """

    option: str
    used: tuple[bool, ...]
    api: str = ""
    servers: int = 0

    @property
    def words(self) -> str:
        """The stage in words."""
        if not self.servers:
            return NAMED[self.option] + (f" ({self.api})" if self.api else "")
        to = f", bursts to {self.api or 'rented machines'}" if sum(self.used) > 1 else ""
        return f"{self.servers:,} own server{'s' * (self.servers > 1)}{to}"


class Costed(NamedTuple):
    """A stage, and over the volumes what running it costs today, hardware aside, the rent contracts bind, and what of
    the cost goes by the prices of APIs and by rents [USD/month].
    """

    stage: Stage
    usd: Array
    rent: Array
    by_api: Array
    by_rent: Array


@dataclass(frozen=True)
class Server:
    """The server a scenario would buy: its name, its price with all that comes with it, and that its resale goes by
    [USD]; weeks from an order until it serves.
    """

    name: str = ""
    bought_usd: float = 0.0
    price_usd: float = 0.0
    weeks: float = 0.0

    def fetches(self, facts: Facts, month: Number, lot: Array) -> Array:
        """What one of a lot, or part of a lot, is sold for in a month [USD]."""
        age, resale = np.maximum(0, month - LOT * lot), own_gpus.upkeep(facts, own_gpus.DELIVERIES[0]).resale
        return self.price_usd * np.asarray(finance.share_left(age, *resale))


def stages(
    scenario: pd.DataFrame, facts: Facts, volumes: Array, likely: tuple[float, float], curve: Curve | None = None
) -> tuple[list[Costed], Server]:
    """Every stage the rules leave open to a one-row scenario, costed at each of the `volumes` [request/month].

    Without own servers they are the routings that `evaluate` tries, at steady volumes over a year, with the open model
    it tries first; with servers, in numbers that the `likely` volumes ask for.
    """
    rows = columns(scenario)
    model = str(shortlist(facts, rows)[0, 0])
    asked, question = (
        Question(facts, asked, curve).serving(model) for asked in (rows, columns(_steady(scenario, facts, volumes)))
    )
    allowed = gates(question).good_enough(question).allowed
    may, found = question.shares[0] @ allowed[0], _worthwhile(_flexible(question, allowed))
    limit = float(scenario["capex_limit_usd"].iloc[0])
    kinds = own_gpus.kinds_sold(facts, model)
    owns = [own for kind in kinds if (own := _own(asked.on(kind), question.on(kind), may, limit))]
    if not np.isclose(may[OWN], 1) or not owns:
        return found, Server()
    own = min(owns, key=lambda own: own.usd)
    found += [*own.stages(likely, limit), own.awaited(allowed)]
    weeks = own.question.delivery[0]
    return found, Server(str(own.offer.columns["key"][0]), own.units["ordered"], -own.units["left"], weeks)


def _steady(scenario: pd.DataFrame, facts: Facts, volumes: Array) -> pd.DataFrame:
    """The scenario at each volume, without growth, at today's prices, over whole years that outlast a delivery."""
    longest = max(own_gpus.upkeep(facts, kind).delivery_months for kind in own_gpus.DELIVERIES)
    years = int(np.ceil((longest + 1) / MONTHS_PER_YEAR))
    steady = {"growth_per_month": 0.0, "horizon_months": years * MONTHS_PER_YEAR, "requests_per_month": volumes}
    steady |= dict.fromkeys(DECLINES, 0.0)
    return scenario.iloc[np.zeros(len(volumes), int)].reset_index(drop=True).assign(**steady)


DECLINES = ("api_price_decline", "rent_decline")
"""Fields by which prices change; the roadmap takes what a stage costs today, and how prices go on, apart."""


def _flexible(question: Question, allowed: Array) -> Iterator[Costed]:
    """The routings without own servers that `evaluate` tries, where the rules and what is on offer leave them open."""
    here, everywhere, seen = question.shares[0] > 0, np.zeros(len(allowed), int), dict[Any, str]()
    ended = gates(at := question.at_endpoints).good_enough(at).allowed
    if ended[0, here, API].all() and (out := costed(at, by_hand((API,) * len(STREAMS), len(ended)), ended)).fits.all():
        yield _running(
            at, Stage(HOSTED, (True, False, False), called(at, out)), by_hand((API,) * len(STREAMS), len(ended)), out
        )
    for options, way in candidates(allowed[:1], question.any_hard):
        goes = way.of(here)
        may = np.take_along_axis(allowed[0], way.place.T, axis=1).all()
        if goes.key in seen or not may or (goes.place == OWN).any():
            continue
        # by whatever name its places go first
        seen[goes.key] = option = seen.setdefault(goes.key[:2], options[0])
        out = costed(question, routing := way.take(everywhere), allowed)
        if out.fits.all():
            used = way.uses(here[None])[0]
            offer = called(question) if used[API] else ""
            yield _running(question, Stage(option, tuple(used.tolist()), offer), routing, out)


def _running(question: Question, stage: Stage, routing: Routing, out: Outcome) -> Costed:
    """A stage at what month 1 costs, in which nothing one-off is due, and what changing models comes to a month."""
    once = (line[:, 1] for (_, name), line in out.lines.items() if declared()[name].kind != "tuning")
    usd = sum(once, tuning_usd(question, routing))
    bills, none = [bill for _, _, bill in out.bills], np.zeros(len(usd))
    by_api = sum((bill.total[:, 1] for bill in bills if not bill.machines), none)
    lines = [pair for bill in bills if bill.machines for pair in bill.lines.items()]
    by_rent = sum((line[:, 1] for name, line in lines if declared()[name].kind == "rent"), none)
    return Costed(stage, usd, _bound(out), by_api, by_rent)


def _bound(out: Outcome) -> Array:
    """Rent of machines under a contract of a year or more [USD/month]."""
    rent = np.zeros(len(out.fits))
    for _, _, bill in out.bills:
        if bill.machines and "machines" in bill.lines:
            free = np.char.startswith(bill.machines.contract.astype(str), ON_DEMAND)
            rent += np.where(free, 0.0, bill.lines["machines"][:, 1])
    return rent


def _worthwhile(found: Iterator[Costed]) -> list[Costed]:
    """Those that no other undercuts at every volume with no place more, and APIs whatever they cost."""
    kept = list[Costed]()
    for one in sorted(found, key=lambda one: float(one.usd.sum())):
        less = (k for k in kept if (k.usd <= one.usd).all() and not np.greater(k.stage.used, one.stage.used).any())
        if one.stage.option == "api" or not any(less):
            kept.append(one)
    return kept


def _others(question: Question) -> list[int]:
    """Places besides own servers that have something on offer."""
    rented = len(offers(question.facts, OFFERS[RENTED], question.model)) > 0
    return [API] * all(bool(api.fits.all()) for api in question.whole.apis) + [RENTED] * rented


def called(question: Question, out: Outcome | None = None) -> str:
    """Keys of the API offers a block calls, in words; of a routing that costs `out` the dedicated endpoint it is on."""
    if out and question.endpoints:
        return str(out.parts[0].bill.offer[0])
    return " and ".join(dict.fromkeys(str(api.offer[0]) for api in question.whole.apis))


def _own(asked: Question, question: Question, may: Array, limit: float) -> "_Own | None":
    """The server that serves all at least cost, of those the capital limit buys one of."""
    upkeep, capex = asked.upkeep, asked.rows["capex_limit_usd"]
    contract = own_gpus.purchase(upkeep, asked.servers, asked.work, capex)
    choice = asked.servers.take(np.flatnonzero(contract.bought[:, 0] <= limit))
    bill, _ = own_gpus.bill(upkeep, choice, asked.work, capex)
    if not bill.fits[0] or bill.machines is None:
        return None
    paid, served = (float((line * asked.factors).sum()) for line in (bill.total, asked.operating))
    return _Own(question, choice.of(bill.offer[0], bill.machines.replica[0]), may, paid / served)


class _Own:
    """Own servers of one offer over the volumes of a block; `may` is the share of traffic that may go to a place, `usd`
    what serving all that is asked costs in a month of service [USD].
    """

    def __init__(self, question: Question, offer: Offers, may: Array, usd: float) -> None:
        self.question, self.offer, self.may, self.usd = question, offer, may, usd
        prices = own_gpus.unit_prices(question.upkeep, offer).values()
        self.units = {one: sum(float(usd[0, 0]) for other, usd in prices if other == one) for one, _ in prices}
        self.every, first = np.arange(len(question.shares)), np.array([1])
        self.load, self.need = question.work.load.at(first), question.work.need.at(first)

    def stages(self, likely: tuple[float, float], limit: float) -> Iterator[Costed]:
        """Every number of servers, alone and with bursts to the place, of those open to some traffic, where they cost
        least over the likely volumes.
        """
        volume, others = self.question.load.requests[:, 1], _others(self.question)
        near = (volume >= likely[0]) & (volume <= likely[1])
        for servers in self._numbers(likely, limit):
            # too few for what must stay on them: not serving must not look like saving
            short = [self._usd(place, 1.0, servers)[0] for place in others]
            yield self._costed(NOWHERE, servers, short)
            bursts = [self._costed(place, servers, short) for place in others if self.may[place] > 0]
            yield from sorted(bursts, key=lambda one: float(one.usd[near].sum()))[:1]

    def awaited(self, allowed: Array) -> Costed:
        """People, and what serves until servers come where nothing else does; what is not served at what it missed."""
        alone = by_hand(ROUTINGS["owned"], len(allowed))
        out = costed(self.question, alone, allowed)
        usd = out.lines[PLACES[OWN], "bill while waiting for delivery"].sum(axis=1) + out.missed.sum(axis=1)
        usd = usd * WEEKS_PER_MONTH / self.question.delivery + self._hands(self._used(NOWHERE))
        return Costed(NOTHING._replace(option=WAITING), usd, *np.zeros((3, len(usd))))

    def _costed(self, second: int, servers: int, short: list[Array]) -> Costed:
        """Some servers with bursts to a second place; where they are too few, at the dearest of what is short."""
        option, share = ("owned", 0.0) if second == NOWHERE else ("base_and_burst", float(self.may[second]))
        (usd, passed), fewest = self._usd(second, share, servers), self._pool(second, share).held()[:, 0]
        usd = np.where(servers < fewest, np.max([usd, *short], axis=0), usd)
        stage = Stage(option, self._used(second), called(self.question) if second == API else "", servers)
        return Costed(stage, usd, np.zeros(len(usd)), passed * (second == API), passed * (second == RENTED))

    def _numbers(self, likely: tuple[float, float], limit: float) -> list[int]:
        """Numbers of servers, even on a log scale: from half of what the least likely volume needs, or what the capital
        limit buys where that is less, to what the most needs.
        """
        volume, fewest = self.question.load.requests[:, 1], self._pool(NOWHERE, 0.0).held()[:, 0]
        least, most = np.interp(likely, volume, fewest)
        first = max(1.0, min(least / 2, limit // self.units["ordered"]))
        return np.unique(np.round(np.geomspace(first, max(first, most), SIZES)).astype(int)).tolist()

    def _used(self, second: int) -> tuple[bool, ...]:
        return tuple(place in (OWN, second) for place in range(len(PLACES)))

    def _pool(self, second: int, share: float) -> Fleet:
        """The servers with what a share of the traffic may burst to."""
        may = np.full(len(self.every), share)
        outlet, _ = overflow(self.question, max(second, API), np.ones(len(may)), may, self.question.shares)
        kind, each = (np.repeat(of, len(may)) for of in (self.offer.kind, self.offer.each))
        return Fleet(self.load, self.need, outlet, kind, self.every, each, self.question.upkeep.spares)

    def _usd(self, second: int, share: float, servers: int) -> tuple[Array, Array]:
        """Running cost over the volumes, hardware aside, and that of what is passed on within it [USD/month]."""
        pool, count, units = self._pool(second, share), np.full((len(self.every), 1), float(servers)), self.units
        passed = pool.passed(count)
        carried = self.need.prompt + self.need.waiting - passed.prompt - passed.waiting
        work = self.need.seconds[pool.kind, self.every][:, None] * carried / self.offer.each[0]
        elsewhere = passed.usd(pool.outlet)[:, 0]
        usd = (count * units["standing"] + np.minimum(work, count) * units["working"])[:, 0] + elsewhere
        usd = usd + servers * self.question.upkeep.staff_usd + self._hands(self._used(second))
        routing = by_hand(ROUTINGS["owned"], len(self.every))
        routing = replace(routing, overflow=np.full_like(routing.place, second))
        usd = usd + tuning_usd(self.question, routing) + outage_usd(self.question, OWN, np.full(len(self.every), share))
        return usd, elsewhere

    def _hands(self, used: tuple[bool, ...]) -> Array:
        """People and platforms of the places in use [USD/month]."""
        lines = team(self.question, np.tile(used, (len(self.every), 1))).lines.values()
        return np.asarray(sum(line[:, 1] for line in lines))


WAITING = "waiting"
"""In place of an option: nothing of the team's own runs until its first servers are delivered."""

NAMED = TITLES | {"free_search": "Streams split over places", WAITING: "Waiting for own servers"}
"""What a stage without own servers is, in words."""


NOTHING = Stage("", (False,) * len(PLACES))
"""Before anything runs."""


def takes(
    scenario: pd.DataFrame, facts: Facts, before: Sequence[Stage], after: Sequence[Stage], delivery: float = 0.0
) -> tuple[Array, Array, Array]:
    """Weeks until a stage after serves, what that costs besides hardware, and whether a place is new, over (before,
    after) [week], [USD], for a one-row scenario.

    Skills that were needed before are there; the others are trained or hired. A place is set up where it is new,
    routing where two places are used and were not before; own servers take their `delivery` [week].
    """
    staff = staffing.staff(facts)
    rows, used = columns(scenario), [np.array([stage.used for stage in some]) for some in (before, after)]
    needed = [staffing.skills_needed(staff, places, rows)[0] for places in used]
    have = np.maximum(needed[0], [rows[f"skill_{area}"][0] for area in SKILLS])
    gap = people.gaps(needed[1], have[:, None])
    new, mixed = used[1] & ~used[0][:, None], (used[1].sum(axis=1) > 1) & (used[0].sum(axis=1) < 2)[:, None]
    ready = np.maximum(staff.weeks[:-1], delivery * (np.arange(len(PLACES)) == OWN))
    weeks = (new * ready).max(axis=-1) + mixed * staff.weeks[-1]
    usd = new @ staff.setup_usd[:-1] + mixed * staff.setup_usd[-1]
    hire = people.hired(gap, rows["people_available"][0], np.inf, staff.hiring)
    joining = people.monthly_payroll(hire * gap / people.HIGHEST_LEVEL * staff.full, staff.pay)
    usd = usd + people.cost_of_joining(joining, staff.benefits, staff.hiring)
    usd = usd + people.cost_of_training(gap, hire, staff.pay, staff.hiring)
    return np.maximum(weeks, people.weeks_to_fill(gap, hire, staff.hiring)), usd, new.any(axis=-1)


LOT = 6
"""Servers bought within so many months of each other count as of one age [month]."""


def lots(months: Number) -> Array:
    """The lot that servers bought in a month belong to: that of the nearest multiple of its months."""
    return np.floor(np.asarray(months) / LOT + 0.5).astype(int)


def hardware(
    facts: Facts, server: Server, fleet: tuple[Array, Array, Array], discount: float, months: int
) -> tuple[Array, Array]:
    """What it costs to go from some servers of a lot to others in each month, over (month, move) [USD], and their lot.

    `fleet` is, over (move), how many there were, their lot, and how many there are then. They count as bought in their
    mean month; what rounding it to a lot adds to their worth at the end is paid here, so no month is better to buy in.
    """
    owned, lot, owns = fleet
    month, fresh = np.arange(months)[:, None], np.maximum(owns - owned, 0)
    mean = np.where(owns > 0, (owned * LOT * lot + fresh * month) / np.maximum(owned + fresh, 1), 0.0)
    rounded = server.fetches(facts, months, lots(mean)) - server.fetches(facts, months, mean / LOT)
    sold = np.maximum(owned - owns, 0) * server.fetches(facts, month, lot)
    return fresh * server.bought_usd - sold + owns * rounded * discount ** (months - month), lots(mean)


EARLY = 16
"""Months by which the lattice begins before month 0, so that a trigger can be read off its first months too."""

POINTS = 97
"""Volumes at which stages are costed; between them cost runs straight."""

TAILS, LIKELY = 4.0, 1.2816
"""Standard deviations within which volumes are costed, and within which 8 in 10 lie, which set the sizes of fleets."""

NEVER = 1e12
"""Cost of a month of waiting past the deadline [USD]."""


@dataclass(frozen=True)
class Journey:
    """The programme of a scenario with its names.

    A state is a stage and, with own servers, the lot they were bought in: `stage` and `lot` of every state,
    `to_stage` of every move. `volumes` are over (month, level) and `likely` over (month, low and high) between which
    8 paths in 10 lie [request/month]. From nothing, `weeks` and `price` lead to each stage [week], [USD].
    """

    scenario: pd.DataFrame
    programme: Programme
    stages: tuple[Stage, ...]
    server: Server
    stage: Array
    lot: Array
    to_stage: Array
    volumes: Array
    likely: Array
    weeks: Array
    price: Array

    @property
    def horizon(self) -> int:
        """Months of the scenario; the programme looks further."""
        return int(self.scenario["horizon_months"].iloc[0])

    def state(self, stage: int) -> int:
        """The first state of a stage."""
        return int(np.flatnonzero(self.stage == stage)[0])


def journey(scenario: pd.DataFrame, facts: Facts, curve: Curve | None = None) -> Journey:
    """The programme of a one-row scenario over its horizon and the months beyond that facts say.

    Every month's volume is what growth makes of the first times a multiple with mean 1, which goes up by u = e^sigma
    with the chance 1 / (1 + u) and else down by it (methods 8).
    """
    row = check(scenario.iloc[:1], facts.keys())
    volumes, grid, likely = _lattice(row, facts)
    costed, server = stages(row, facts, grid, (float(likely.min()), float(likely.max())), curve)
    if not costed:
        raise ScenarioError(
            "no roadmap: no way without own servers is allowed in any month, and of own servers it knows those that "
            "may serve all traffic alone. See what would lift the rules, on Decide."
        )
    ways, *parts = zip(*costed, strict=True)
    cost = _over_months(row, *(np.stack([np.interp(volumes, grid, line) for line in part], -1) for part in parts))
    deadline = int(np.ceil(row["weeks_to_launch"].iloc[0] / WEEKS_PER_MONTH))
    cost[0, deadline:, :, [way.option == WAITING for way in ways]] += NEVER
    weeks, price, _ = takes(row, facts, [NOTHING], ways)
    every = int(lots(len(volumes) - 1)) + 1
    stage, lot = np.array([(s, n) for s, way in enumerate(ways) for n in range(every if way.servers else 1)]).T
    programme, to_stage = _programme(row, facts, ways, server, (stage, lot), cost)
    return Journey(row, programme, ways, server, stage, lot, to_stage, volumes, likely, weeks[0], price[0])


def _over_months(row: pd.DataFrame, usd: Array, bound: Array, by_api: Array, by_rent: Array) -> Array:
    """Running cost and bound rent over (2, month, level, stage) as prices go on, from those of today."""
    month = np.arange(len(usd))
    # month 0 of the lattice is the first that is served
    api, rent = (finance.price_course(1 - row[name].iloc[0], len(usd) + 1)[1:, None, None] for name in DECLINES)
    # a contract keeps its price for a year
    agreed = rent[month // MONTHS_PER_YEAR * MONTHS_PER_YEAR]
    usd = usd + by_api * (api - 1) + (by_rent - bound) * (rent - 1) + bound * (agreed - 1)
    return np.array([usd, bound * agreed])


def spread(scenario: pd.DataFrame, facts: Facts) -> float:
    """Standard deviation of the log volume that each month adds [ratio].

    Such that at the horizon it comes to  volume + volume_drift x sqrt(horizon)  of data/assumptions.csv, rows
    `spread.*`, which the draws of `draws` have too (methods 7).
    """
    start, month = facts.value("spread.volume"), facts.value("spread.volume_drift")
    return month + start / float(np.sqrt(scenario["horizon_months"].iloc[0]))


def _lattice(row: pd.DataFrame, facts: Facts) -> tuple[Array, Array, Array]:
    """Volumes over (month, level), those to cost stages at, and the likely ones of each month [request/month]."""
    horizon, field = int(row["horizon_months"].iloc[0]), BY_NAME["requests_per_month"]
    month = np.arange(horizon + int(facts.value("roadmap.months_beyond_horizon")) + 1)[:, None]
    sigma, level = spread(row, facts), np.arange(EARLY + len(month))
    # month 0 of the lattice is the first that is served
    mean = np.asarray(demand.monthly_requests(row[field.name].iloc[0], row["growth_per_month"].iloc[0], month + 1))
    tails, likely = (mean * np.exp(sigma * np.sqrt(month) * [-reach, reach]) for reach in (TAILS, LIKELY))
    first, last = np.clip([tails.min(), tails.max()], field.low, field.high)
    grid = np.geomspace(min(first, 0.5 * field.high), last, POINTS)
    volumes = mean * np.exp(sigma * (2 * level - month - EARLY))
    return volumes, grid, likely[: horizon + 1]


def _moves(stage: Array, ways: Sequence[Stage]) -> tuple[Array, Array]:
    """Every move: the state it leaves and the stage it leads to. Waiting leads to own servers, and nothing to it."""
    start, to_stage = (part.ravel() for part in np.indices((len(stage), len(ways))))
    waits, owns = (np.array(part) for part in zip(*((w.option == WAITING, w.servers > 0) for w in ways), strict=True))
    open_ = (stage[start] != to_stage) & ~waits[to_stage] & (~waits[stage[start]] | owns[to_stage])
    return start[open_], to_stage[open_]


def _programme(
    row: pd.DataFrame, facts: Facts, ways: Sequence[Stage], server: Server, states: tuple[Array, Array], usd: Array
) -> tuple[Programme, Array]:
    """The programme, and the stage each move leads to; `usd` is running cost and rent over (2, month, level, stage)."""
    (stage, lot), months = states, usd.shape[1] - 1
    start, to_stage = _moves(stage, ways)
    servers = np.array([way.servers for way in ways])
    before, more = stage[start], servers[to_stage] > servers[stage[start]]
    weeks, paid, new = (part[before, to_stage] for part in takes(row, facts, ways, ways, server.weeks))
    weeks = np.maximum(weeks, more * server.weeks)
    lead = np.maximum(1, np.ceil(weeks / WEEKS_PER_MONTH - 1e-9)).astype(int)
    discount = 1 / (1 + float(finance.monthly_rate(row["discount_rate"].iloc[0])))
    fleet = servers[before], lot[start], servers[to_stage]
    bought, to_lot = hardware(facts, server, fleet, discount, months)
    there = lots(np.arange(months))[:, None] >= lot[start]
    # as in `evaluate`, the limit is on the first servers, not on those a fleet grows by
    there &= (fleet[0] > 0) | (fleet[2] * server.bought_usd <= row["capex_limit_usd"].iloc[0])
    left = -servers[stage] * server.fetches(facts, months, lot)
    running, bound = usd[:, :-1, :, stage]
    programme = Programme(
        running=running,
        end=np.tile(left, (running.shape[1], 1)),
        bound=bound,
        start=start,
        to=np.searchsorted(stage, to_stage) + to_lot,
        price=np.where(there, paid + bought, np.inf),
        lead=lead,
        beside=new * facts.value("roadmap.double_running_months"),
        # a contract ends anywhere in its year: what the lead leaves of it on average
        left=np.maximum(0, MONTHS_PER_YEAR - lead) ** 2 / (2 * MONTHS_PER_YEAR),
        up=float(1 / (1 + np.exp(spread(row, facts)))),
        discount=discount,
        early=EARLY,
    )
    return programme, to_stage
