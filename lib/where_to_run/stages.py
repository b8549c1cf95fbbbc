"""Stages: the ways of running a scenario one after another, and what each costs a month at any volume."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from . import own_gpus
from .bills import Offers, offers
from .bursts import Pool
from .curves import Curve
from .facts import Facts
from .judgement import gates
from .moves import NOTHING, WAITING, Server, Stage
from .options import Outcome, outcome, team
from .parts import Part
from .pools import OFFERS, Question, limits, overflow
from .rented_gpus import CONTRACTS
from .routings import API, NOWHERE, OWN, RENTED, ROUTINGS, by_hand, candidates
from .scenario import PLACES, columns
from .units import MONTHS_PER_YEAR, Array

SIZES = 8
"""Numbers of own servers that are stages of their own, even on a log scale over those the likely volumes ask for."""


class Costed(NamedTuple):
    """A stage, and over the volumes what running it costs, hardware aside, and the rent contracts bind [USD/month]."""

    stage: Stage
    usd: Array
    rent: Array


def stages(
    scenario: pd.DataFrame, facts: Facts, volumes: Array, likely: tuple[float, float], curve: Curve | None = None
) -> tuple[list[Costed], Server]:
    """Every stage the rules leave open to a one-row scenario, costed at each of the `volumes` [request/month].

    Without own servers they are the routings that `evaluate` tries, at steady volumes over a year, with the API asked
    for and with the cheapest vendor of the open weights; with servers, in numbers that the `likely` volumes ask for,
    they call the cheaper of the two.
    """
    model, many = str(scenario["open_model"].iloc[0]), _steady(scenario, facts, volumes)
    asked, question = (Question(facts, columns(rows), model, curve) for rows in (scenario, many))
    allowed = gates(question)[0].allowed
    may, found = question.shares[0] @ allowed[0], _worthwhile(_flexible(question, allowed))
    limit = float(scenario["capex_limit_usd"].iloc[0])
    if not np.isclose(may[OWN], 1) or (own := _own(asked, question, may, limit)) is None:
        return found, Server()
    found += [*own.stages(likely, limit), own.awaited(allowed)]
    return found, Server(str(own.offer.columns["key"][0]), own.units["ordered"], -own.units["left"])


def _steady(scenario: pd.DataFrame, facts: Facts, volumes: Array) -> pd.DataFrame:
    """The scenario at each volume, without growth, over whole years that outlast a delivery."""
    years = int(np.ceil((own_gpus.delivery_months(facts) + 1) / MONTHS_PER_YEAR))
    steady = {"growth_per_month": 0.0, "horizon_months": years * MONTHS_PER_YEAR, "requests_per_month": volumes}
    return scenario.iloc[np.zeros(len(volumes), int)].reset_index(drop=True).assign(**steady)


def _flexible(question: Question, allowed: Array) -> Iterator[Costed]:
    """The routings without own servers that `evaluate` tries, where the rules and what is on offer leave them open."""
    here, everywhere, seen = question.shares[0] > 0, np.zeros(len(allowed), int), dict[Any, str]()
    for options, way in candidates(allowed[:1], question.cheaper_host):
        goes = way.of(here)
        may = np.take_along_axis(allowed[0], way.place.T, axis=1).all()
        if goes.key in seen or not may or (goes.place == OWN).any():
            continue
        # by whatever name its places go first
        seen[goes.key] = option = seen.setdefault(goes.key[:2], options[0])
        out = outcome(question, way.take(everywhere), allowed)
        if out.fits.all():
            used = way.uses(here[None])[0]
            offer = str(question.api(way.least_api).offer[0]) if used[API] else ""
            # in month 1 nothing one-off is due
            usd = np.asarray(sum(line[:, 1] for line in out.lines.values()))
            yield Costed(Stage(option, tuple(used.tolist()), offer), usd, _bound(out))


def _bound(out: Outcome) -> Array:
    """Rent of machines under a contract of a year or more [USD/month]."""
    rent = np.zeros(len(out.fits))
    for _, _, bill in out.bills:
        if bill.machines and "machines" in bill.lines:
            free = np.char.startswith(bill.machines.contract.astype(str), CONTRACTS[0])
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
    return [API] * bool(question.api(question.cheaper_host).fits.all()) + [RENTED] * rented


def _own(asked: Question, question: Question, may: Array, limit: float) -> "_Own | None":
    """The server `evaluate` takes to serve all, or else for a base, if within the capital limit."""
    for second in (NOWHERE, *_others(asked)):
        part = Part(asked, OWN, second, np.ones(1), may[[second]] * (second != NOWHERE), asked.cheaper_host)
        if part.bill.fits[0]:
            choice, position = part.offer
            own = _Own(question, choice.take(position), may)
            if own.units["ordered"] <= limit:
                return own
    return None


class _Own:
    """Own servers of one offer over the volumes of a block; `may` is the share of traffic that may go to a place."""

    def __init__(self, question: Question, offer: Offers, may: Array) -> None:
        self.question, self.offer, self.may, self.least = question, offer, may, question.cheaper_host
        prices = own_gpus.unit_prices(question.facts, offer, limits(question), question.levers).values()
        self.units = {one: sum(float(usd[0, 0]) for other, usd in prices if other == one) for one, _ in prices}
        self.every, first = np.arange(len(question.shares)), np.array([1])
        load, need = question.needs(np.ones(len(self.every)))
        self.load, self.need = load.at(first), need.at(first)

    def stages(self, likely: tuple[float, float], limit: float) -> Iterator[Costed]:
        """Every number of servers, alone and with bursts to the place, of those open to some traffic, where they cost
        least over the likely volumes.
        """
        volume, others = self.question.load.requests[:, 1], _others(self.question)
        near = (volume >= likely[0]) & (volume <= likely[1])
        for servers in self._numbers(likely, limit):
            # too few for what must stay on them: not serving must not look like saving
            short = [self._usd(place, 1.0, servers) for place in others]
            yield self._costed(NOWHERE, servers, short)
            bursts = [self._costed(place, servers, short) for place in others if self.may[place] > 0]
            yield from sorted(bursts, key=lambda one: float(one.usd[near].sum()))[:1]

    def awaited(self, allowed: Array) -> Costed:
        """People, and what serves until servers come where nothing else does; what is not served at what it missed."""
        alone = by_hand(ROUTINGS["owned"], len(allowed), self.least)
        out = outcome(self.question, alone, allowed)
        usd = out.lines[PLACES[OWN], "bill while waiting for delivery"].sum(axis=1) + out.missed
        usd = usd / own_gpus.delivery_months(self.question.facts) + self._hands(self._used(NOWHERE))
        return Costed(NOTHING._replace(option=WAITING), usd, np.zeros(len(usd)))

    def _costed(self, second: int, servers: int, short: list[Array]) -> Costed:
        """Some servers with bursts to a second place; where they are too few, at the dearest of what is short."""
        option, share = ("owned", 0.0) if second == NOWHERE else ("base_and_burst", float(self.may[second]))
        usd, fewest = self._usd(second, share, servers), self._pool(second, share).held()[:, 0]
        usd = np.where(servers < fewest, np.max([usd, *short], axis=0), usd)
        offer = str(self.question.api(self.least).offer[0]) if second == API else ""
        return Costed(Stage(option, self._used(second), offer, servers), usd, np.zeros(len(usd)))

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

    def _pool(self, second: int, share: float) -> Pool:
        """The servers with what a share of the traffic may burst to."""
        may = np.full(len(self.every), share)
        outlet, _ = overflow(self.question, max(second, API), np.ones(len(may)), may, self.least)
        kind, each = (np.repeat(of, len(may)) for of in (self.offer.kind, self.offer.each))
        # without bursts a failed replica must be spared, as `own_gpus` has it
        spare = self.need.spare * (share == 0)
        return Pool(self.load, self.need, self.need.part(1 - may), outlet, kind, self.every, each, spare)

    def _usd(self, second: int, share: float, servers: int) -> Array:
        """Running cost over the volumes [USD/month], hardware aside."""
        pool, count, units = self._pool(second, share), np.full((len(self.every), 1), float(servers)), self.units
        passed = pool.passed(count)
        carried = self.need.prompt + self.need.waiting - passed.prompt - passed.waiting
        work = self.need.seconds[pool.kind, self.every][:, None] * carried / self.offer.each[0]
        usd = count * units["standing"] + np.minimum(work, count) * units["working"] + passed.usd(pool.overflow)
        return usd[:, 0] + (servers - 1) * units["further"] + self._hands(self._used(second))

    def _hands(self, used: tuple[bool, ...]) -> Array:
        """People and platforms of the places in use [USD/month]."""
        lines = team(self.question, np.tile(used, (len(self.every), 1))).lines.values()
        return np.asarray(sum(line[:, 1] for line in lines))
