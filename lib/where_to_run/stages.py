"""Stages: the ways of running a scenario one after another, and what each costs a month at any volume."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import finance, own_gpus, rules
from .bills import HARDWARE, Offers, offers
from .bursts import Pool
from .evaluate import Answer, evaluate
from .facts import Facts
from .judgement import PROFILE
from .moves import Server
from .options import team
from .pools import OFFERS, Question, limits, overflow
from .rented_gpus import CONTRACTS
from .routings import API, NOWHERE, OWN, RENTED, TITLES
from .scenario import BY_NAME, PLACES
from .units import MONTHS_PER_YEAR, Array

FLEXIBLE = ("api", "rented", "split_by_sensitivity", "split_by_domain", "base_and_burst")
"""Options without own servers."""

SIZES = 8
"""Numbers of own servers that are stages of their own, even on a log scale over those the likely volumes ask for."""

WAITING = "waiting"
"""In place of an option: nothing of the team's own runs until its first servers are delivered."""


@dataclass(frozen=True)
class Stage:
    """A way of running: an option, the PLACES it uses, and its own servers; bursts go to the other place."""

    option: str
    used: tuple[bool, ...]
    servers: int = 0

    @property
    def words(self) -> str:
        """The stage in words."""
        if not self.servers:
            return TITLES.get(self.option, "Waiting for own servers")
        to = {API: ", bursts to the API", RENTED: ", bursts to rented machines"}
        bursts = "".join(words for place, words in to.items() if self.used[place])
        return f"{self.servers:,} own server{'s' * (self.servers > 1)}{bursts}"


Costed = tuple[Stage, Array, Array]
"""A stage, and over the volumes what running it costs, hardware aside, and the rent a contract binds [USD/month]."""


def stages(
    scenario: pd.DataFrame, facts: Facts, volumes: Array, likely: tuple[float, float]
) -> tuple[list[Costed], Server]:
    """Every stage the rules leave open to a one-row scenario, costed at each of the `volumes` [request/month].

    Stages without own servers by `evaluate`, at steady volumes over a year; those with servers, in numbers that the
    `likely` volumes ask for, by the formulas beneath it.
    """
    answer = evaluate(_steady(scenario, facts, volumes), facts, names=(*FLEXIBLE, "owned"))
    found, question = list(_flexible(answer)), answer._opened[0].question
    level, _ = rules.judge(facts.rules["rules"], {name: question.rows[name][0] for name in PROFILE})
    may = (level < rules.BLOCKED) & (question.shares[0] > 0)[:, None]
    offer = _server(question, scenario)
    if not len(offer) or (may[:, OWN] != (question.shares[0] > 0)).any():
        return found, Server()
    own = _Own(question, offer, question.shares[0] @ may)
    server = Server(str(offer.columns["key"][0]), own.units["bought"], -own.units["left"])
    return [
        *found,
        *own.stages(likely, scenario["capex_limit_usd"].iloc[0]),
        _waiting(answer, own.hands(own.used(NOWHERE))),
    ], server


def _steady(scenario: pd.DataFrame, facts: Facts, volumes: Array) -> pd.DataFrame:
    """The scenario at each volume, without growth and without limits, over whole years that outlast a delivery."""
    years = np.ceil((own_gpus.delivery_months(facts) + 1) / MONTHS_PER_YEAR)
    free = {name: BY_NAME[name].high for name in ("weeks_to_launch", "budget_usd_per_month")}
    # no hardware may be bought, so that a base with bursts is a rented one
    steady = {"growth_per_month": 0.0, "capex_limit_usd": 0.0, "horizon_months": int(years * MONTHS_PER_YEAR)}
    rows = scenario.iloc[np.zeros(len(volumes), int)].reset_index(drop=True)
    return rows.assign(requests_per_month=volumes, **free, **steady)


def _flexible(answer: Answer) -> Iterator[Costed]:
    """The stages without own servers that are open at every volume; a split or base of one place alone is none."""
    block = answer._opened[0]
    blocked = (answer.options["verdict"] == "blocked").to_numpy().reshape(-1, len(answer.names))
    usd, rent = np.zeros((2, len(FLEXIBLE), len(blocked)))
    used = np.zeros((len(FLEXIBLE), len(PLACES)), bool)
    for option, rows, here, out in block.found.parts():
        if (number := answer.names.index(option)) == len(FLEXIBLE):
            continue
        # in month 1 nothing one-off is due
        usd[number, rows] += sum(line[here, 1] for line in out.lines.values())
        for place, share, bill in out.bills:
            used[number, PLACES.index(place)] |= bool(share[here].any())
            if bill.machines is not None and "machines" in bill.lines:
                bound = np.isin(bill.machines.contract[here], CONTRACTS[1:])
                rent[number, rows] += bill.lines["machines"][here, 1] * bound
    for number, option in enumerate(FLEXIBLE):
        alone = option not in ("api", "rented") and used[number].sum() < 2
        if not (blocked[:, number].any() or used[number, OWN] or alone):
            yield Stage(option, tuple(used[number].tolist())), usd[number], rent[number]


def _waiting(answer: Answer, hands: Array) -> Costed:
    """People, and what serves until own servers come where nothing else does; unserved traffic at what it missed."""
    owned = answer.options[answer.options["option"] == "owned"]
    usd, months = np.zeros(len(owned)), owned["missed_usd_per_month"].to_numpy() * answer.scenarios["horizon_months"]
    for option, rows, here, out in answer._opened[0].found.parts():
        if option == "owned":
            usd[rows] = out.lines[PLACES[OWN], "bill while waiting for delivery"][here].sum(axis=1)
    usd = (usd + months.to_numpy()) / own_gpus.delivery_months(answer.facts) + hands
    return Stage(WAITING, (False,) * len(PLACES)), usd, np.zeros(len(usd))


def _server(question: Question, scenario: pd.DataFrame) -> Offers:
    """The server within the capital limit that costs least for what it carries, to the horizon's end; one or none."""
    facts, choice = question.facts, offers(question.facts, OFFERS[OWN], question.model)
    units, need = _units(question, choice), question.needs(np.ones(len(question.shares)))[1]
    row, here = scenario.iloc[0], np.zeros(len(choice), int)
    left = float(finance.share_left(row["horizon_months"], *own_gpus.residual_curve(facts)))
    monthly = (units["bought"] + left * units["left"]) / row["horizon_months"] + units["standing"] + units["working"]
    fits = need.possible[choice.kind, 0] & ~choice.barred(question.rows["gpu"][:1])[:, 0]
    fits &= units["bought"] <= row["capex_limit_usd"]
    usd = np.where(fits, monthly, np.inf) / np.maximum(
        1e-12, need.carried(choice.kind, here, choice.each[:, None])[:, 0]
    )
    return choice.take(np.argsort(usd)[: int(fits.any())])


def _units(question: Question, choice: Offers) -> dict[str, Array]:
    """What a unit of each driver of the bill costs, and a server with all bought with it, over (offer) [USD]."""
    prices = own_gpus.unit_prices(question.facts, choice, limits(question), question.levers)
    units: dict[str, Array] = {}
    for name, (driver, usd) in prices.items():
        for unit in (driver, *["bought"] * (name in HARDWARE)):
            units[unit] = units.get(unit, 0.0) + usd[:, 0]
    return units


class _Own:
    """Own servers of one offer over the volumes of a block; `may` is the share of traffic that may go to a place."""

    def __init__(self, question: Question, offer: Offers, may: Array) -> None:
        self.question, self.offer, self.may = question, offer, may
        self.units = {name: float(usd[0]) for name, usd in _units(question, offer).items()}
        self.every = np.arange(len(question.shares))
        load, need = question.needs(np.ones(len(self.every)))
        first = np.array([1])
        self.load, self.need = load.at(first), need.at(first)

    def stages(self, likely: tuple[float, float], limit: float) -> Iterator[Costed]:
        """Every number of servers, alone and with bursts to the place, of those open to some traffic, where they cost
        least over the likely volumes.
        """
        rented = len(offers(self.question.facts, OFFERS[RENTED], self.question.model)) > 0
        places = [API] * bool(self.question.api().fits.all()) + [RENTED] * rented
        volume = self.question.load.requests[:, 1]
        near = (volume >= likely[0]) & (volume <= likely[1])
        for servers in self._numbers(likely, limit):
            # too few for what must stay on them: not serving must not look like saving
            short = [self._usd(place, 1.0, servers) for place in places]
            bursts = [(place, self._costed(place, servers, short)) for place in places if self.may[place] > 0]
            yield self._costed(NOWHERE, servers, short)
            if bursts:
                yield min(bursts, key=lambda found: float(found[1][1][near].sum()))[1]

    def _costed(self, second: int, servers: int, short: list[Array]) -> Costed:
        """Some servers with bursts to a second place; where they are too few, at the dearest of what is short."""
        option, share = ("owned", 0.0) if second == NOWHERE else ("base_and_burst", float(self.may[second]))
        usd, fewest = self._usd(second, share, servers), self._pool(second, share).held()[:, 0]
        usd = np.where(servers < fewest, np.max([usd, *short], axis=0), usd)
        return Stage(option, self.used(second), servers), usd, np.zeros(len(usd))

    def _numbers(self, likely: tuple[float, float], limit: float) -> list[int]:
        """Numbers of servers, even on a log scale: from half of what the least likely volume needs, or what the capital
        limit buys where that is less, to what the most needs.
        """
        volume, fewest = self.question.load.requests[:, 1], self._pool(NOWHERE, 0.0).held()[:, 0]
        least, most = np.interp(likely, volume, fewest)
        first = max(1.0, min(least / 2, limit // self.units["bought"]))
        return np.unique(np.round(np.geomspace(first, max(first, most), SIZES)).astype(int)).tolist()

    @property
    def _kind(self) -> Array:
        return np.repeat(self.offer.kind, len(self.every))

    def used(self, second: int) -> tuple[bool, ...]:
        """Whether each place is used where bursts go to a second."""
        return tuple(place in (OWN, second) for place in range(len(PLACES)))

    def _pool(self, second: int, share: float) -> Pool:
        """The servers with what a share of the traffic may burst to."""
        may = np.full(len(self.every), share)
        outlet, _ = overflow(self.question, max(second, API), np.ones(len(may)), may, False)
        each = np.repeat(self.offer.each, len(may))
        # without bursts a failed replica must be spared, as `own_gpus` has it
        spare = self.need.spare * (share == 0)
        return Pool(self.load, self.need, self.need.part(1 - may), outlet, self._kind, self.every, each, spare)

    def _usd(self, second: int, share: float, servers: int) -> Array:
        """Running cost over the volumes [USD/month], hardware aside."""
        pool, count, units = self._pool(second, share), np.full((len(self.every), 1), float(servers)), self.units
        passed = pool.passed(count)
        carried = self.need.prompt + self.need.waiting - passed.prompt - passed.waiting
        work = self.need.seconds[self._kind, self.every][:, None] * carried / self.offer.each[0]
        usd = count * units["standing"] + np.minimum(work, count) * units["working"] + passed.usd(pool.overflow)
        return usd[:, 0] + (servers - 1) * units["further"] + self.hands(self.used(second))

    def hands(self, used: tuple[bool, ...]) -> Array:
        """People and platforms of the places in use [USD/month]."""
        lines = team(self.question, np.tile(used, (len(self.every), 1))).lines.values()
        return np.asarray(sum(line[:, 1] for line in lines))
