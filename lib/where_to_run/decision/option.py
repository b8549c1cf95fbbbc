"""An option: what a routing of the streams costs, who serves until own servers come, its people, when it can start."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..inputs.question import PLACES, STREAMS
from ..places.bill import Bill, Machines, either
from ..places.fleet import Fleet, Passed
from ..places.offers import Offers, offers
from ..places.spares import spares
from ..units import HOURS_PER_MONTH, SECONDS_PER_MONTH, Array
from . import quality, staffing
from .block import OFFERS, Question, based, carried, machine_floor, overflow, server_floor, team, until_delivery
from .routing import API, HARD, NOWHERE, OWN, RENTED, Routing
from .staffing import Team
from .tuning import tuning_lines


@dataclass(frozen=True)
class Part:
    """What a routing sends to one place, over the scenarios of a block: a share of the requests, and its bill there.

    Of the share `may` is the part that may overflow to a `second` place, or NOWHERE; what does is `passed` on and is
    not in the bill, and `overflow_offer` takes it. `mix` are the parts of the streams in it, at an API of what goes
    there first, over (scenario, stream); `barred` are machines that the rules bar for it.
    """

    place: int
    second: int
    share: Array
    may: Array
    bill: Bill
    passed: Passed | None = None
    mix: Array = field(default_factory=lambda: np.zeros((1, len(STREAMS))))
    barred: Array | None = None
    overflow_offer: Array | tuple[str] = ("",)

    @property
    def machines(self) -> Machines:
        """The machines that stand at the place."""
        assert self.bill.machines is not None, "an API has no machines"
        return self.bill.machines


@dataclass
class Outcome:
    """What one option costs and needs, over the scenarios of a block; arrays over (scenario) or (scenario, month)."""

    lines: dict[tuple[str, str], Array] = field(default_factory=dict)
    bills: list[tuple[str, Array, Bill]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    people_weeks: Array = field(default_factory=lambda: np.zeros(0))
    setup_weeks: Array = field(default_factory=lambda: np.zeros(0))
    hires: Array = field(default_factory=lambda: np.zeros(0))
    on_call: Array = field(default_factory=lambda: np.zeros(0))
    served: Array = field(default_factory=lambda: np.zeros(0))
    missed: Array = field(default_factory=lambda: np.zeros(0))
    fits: Array = field(default_factory=lambda: np.zeros(0))

    def add(self, place: str, name: str, line: Array) -> None:
        """Add a line, or to the line of that name."""
        self.lines[place, name] = self.lines[place, name] + line if (place, name) in self.lines else line


@dataclass(frozen=True)
class Option:
    """An option of one scenario: the block of it alone, the routing taken, and what that costs, place by place."""

    question: Question
    routing: Routing
    outcome: Outcome

    @property
    def fits(self) -> bool:
        """Whether something on offer can serve wherever it sends traffic."""
        return bool(self.outcome.fits[0])

    @property
    def comes_to(self) -> tuple[Any, ...]:
        """The same for two options that come to the same: the routing of what traffic there is, the open model where
        machines serve it, and the APIs.
        """
        place, overflow, model = self.routing.of(self.question.shares[0] > 0).key
        by_machines = {*place, *overflow} - {API, NOWHERE} or self.question.endpoints
        kind = self.question.kind if OWN in place else ""
        return place, overflow, model if by_machines else "", self.calls, kind

    @property
    def calls(self) -> tuple[str, ...]:
        """The API offers that may be called."""
        if self.question.endpoints:
            return ()
        return tuple(str(api.offer[0]) for api in self.question.whole.apis)

    @property
    def places(self) -> set[int]:
        """Where it sends requests first, of those there are."""
        return {part.place for part in self.parts if part.share[0] > 0}

    @property
    def firms(self) -> list[str]:
        """The firms that are paid for what it runs on, own servers aside."""
        facts, tables = self.question.facts, {API: ("api_offers", "vendor"), RENTED: ("machines", "provider")}
        if self.question.endpoints:
            tables[API] = (OFFERS[API], "provider")
        keys = [(part.place, part.bill.offer[0]) for part in self.parts if part.share[0] > 0]
        keys += [(part.second, part.overflow_offer[0]) for part in self.parts if part.second in tables and part.may[0]]
        sold = [(tables[place], key) for place, key in keys if place in tables]
        vendors = [facts.table(table).at[key, column] for (table, column), key in sold]
        return list(dict.fromkeys(str(facts.table("vendors").at[vendor, "firm"]) for vendor in vendors))

    @property
    def parts(self) -> list[Part]:
        """What goes to each place, in the order of PLACES."""
        return sorted(self.outcome.parts, key=lambda part: part.place)

    @property
    def base(self) -> Part | None:
        """The part that overflows; none where nothing does, or where nothing on offer can serve."""
        return next((part for part in self.parts if part.second != NOWHERE and self.fits), None)

    def offer(self, part: Part) -> Offers:
        """The one offer that stands at the place of a part."""
        every = offers(self.question.facts, OFFERS[part.place], self.question.model)
        return every.of(part.bill.offer[0], part.machines.replica[0])

    def stopgap(self, share: Array) -> Bill:
        """Bill of the machines that may be rented for a share of the requests while own servers are awaited."""
        permits = self.question.permits
        open_ = np.asarray(permits.may[RENTED].any(axis=2))[permits.code]
        waits = (self.routing.place == OWN) & (self.question.shares > 0) & open_
        return until_delivery(self.question, share, permits.barred(RENTED, waits))

    def fleet(self, part: Part, months: Array) -> Fleet:
        """The machines of a part that overflows, in some months, and what they may pass on; of one pair."""
        work, offer = self.question.work.part(part.share), self.offer(part)
        outlet, _ = overflow(self.question, part.second, part.share, part.may, part.mix)
        here, load, need = np.zeros(1, np.intp), work.load.at(months), work.need.at(months)
        return Fleet(load, need, outlet, offer.kind, here, offer.each, spares(self.question.facts, PLACES[part.place]))


def doubts(option: Option) -> list[str]:
    """What is to be minded about how good an option's models are, a sentence each.

    A converted figure whose low end is below the floor, a model named without a figure, and hard requests that stay on
    a fleet that is not good enough for them.
    """
    question, routing, told = option.question, option.routing, dict[str, None]()
    task, known = str(question.rows["task"][0]), question.figures
    for stream in np.flatnonzero(question.shares[0] > 0):
        key = str(question.offers[0, stream]) if routing.place[0, stream] == API else question.model
        at, floor = (known.family[task], known.model[key]), question.floors[0, int(HARD[stream])]
        figure = question.quality[0, stream, routing.place[0, stream]]
        if np.isnan(figure):
            told[f"{quality.name(question.facts, key)} has no figure for this task; it is your choice"] = None
        elif figure < floor:
            share = question.shares[0][HARD & (routing.place[0] == routing.place[0, stream])].sum()
            said = quality.described(question.facts, key, task)
            short = f"{floor - figure:g} points below the floor of hard requests serves them ({said})"
            told[f"{share:.0%} of the requests are hard and stay where a model {short}"] = None
        elif figure == known.value[at] and known.low[at] < floor and not known.measured[at]:
            said = quality.described(question.facts, key, task)
            told[f"{said} is close to the floor of {floor:g}; try it on 200 of your own requests"] = None
    return list(told)


def costed(question: Question, routing: Routing, allowed: Array) -> Outcome:
    """The bill of a routing: places, waiting for delivery, people and what mixing places takes; none where it misfits
    or would be ready only after the project.

    `allowed` says over (scenario, stream, place) where streams may go; it decides who serves while own servers are
    awaited. Sharing one traffic, streams keep its hourly shape; at a place they pool.
    """
    result = Outcome()
    at = question.shares[..., None] * (routing.place[..., None] == np.arange(len(PLACES)))
    shares = at.sum(axis=1)
    used = shares > 0
    number = len(used)
    result.fits = np.ones(number, bool)
    calls = np.zeros((len(question.whole.apis), 2, *question.load.requests.shape))
    for place in (OWN, RENTED, API) if question.endpoints else (OWN, RENTED):
        if used[:, place].any():
            _place(question, result, routing, place, at[..., place], used, calls)
    if not question.endpoints:
        _call(question, result, at[..., API], calls)
    _beside(question, routing, result)
    result.served, result.missed = question.load.live, np.zeros((number, 1))
    if used[:, OWN].any():
        _wait_for_delivery(question, result, at[..., OWN], allowed)
    _staff(question, result, used)
    result.fits &= ~question.ends_before(result.setup_weeks)
    if not result.fits.all():
        result.lines = {name: line * result.fits[:, None] for name, line in result.lines.items()}
    return result


def _staff(question: Question, result: Outcome, used: Array) -> None:
    """Add the people of the places in use, those that the machines of a team take among them, and their set-up."""
    machines = dict[str, Array]()
    for place, share, bill in result.bills:
        if place in staffing.PEOPLE_OF and (stand := bill.machines):
            count = stand.count * stand.operating * (share > 0)[:, None]
            machines[place] = machines[place] + count if place in machines else count
    rows, live = question.rows, question.load.live
    hands = staffing.team(question.staff, rows, live, used, question.delivery, machines) if machines else None
    hands = hands or team(question, used)
    for (part, name), line in hands.lines.items():
        result.add(part, name, line)
    for name in ("people_weeks", "setup_weeks", "hires", "on_call"):
        setattr(result, name, getattr(hands, name))


def _beside(question: Question, routing: Routing, result: Outcome) -> None:
    """Add what is paid beside the places: changing models, the outages to be expected, and telling requests apart."""
    for (place, name), line in tuning_lines(question, routing).items():
        result.add(place, name, line)
    if question.rows["outage_usd_per_hour"].any():
        for part in result.parts:
            usd = outage_usd(question, part.place, part.may) * part.share
            result.add(PLACES[part.place], "outages", usd[:, None] * question.load.live)
    if (apart := told_apart(question, routing)).any():
        usd = question.load.requests * apart[:, None] * question.facts.value("router.usd_per_request")
        result.add(staffing.ROUTING, "telling requests apart", usd)


def outage_usd(question: Question, place: int, may: Array) -> Array:
    """What outages of a place are to be expected to cost if it serves everything [USD/month], by scenario.

    Machines answer more where failures are to be lived through, and for the part that `may` overflow elsewhere.
    """
    names = ("vendor_api", "without_spare", "with_spare")
    api, bare, spared = (np.ravel(question.facts.value(f"availability.{name}")) for name in names)
    covered = np.where(question.rows["availability"] != "none", 1.0, may)
    serves = api if place == API else bare + (spared - bare) * covered
    return np.asarray((1 - serves) * HOURS_PER_MONTH * question.rows["outage_usd_per_hour"])


def _call(question: Question, result: Outcome, at: Array, overflows: Array) -> None:
    """Add the bills of the APIs that streams call, those that overflow with those that go there first.

    `at` are the shares of the streams that go to an API, `overflows` requests over (API, 2, scenario, month).
    """
    for api, here, (prompt, waiting) in zip(question.whole.apis, _by_api(question), overflows, strict=True):
        mix = at * here
        share = mix.sum(axis=1)
        direct = question.load.requests * share[:, None]
        if direct.any() or prompt.any() or waiting.any():
            waits = direct * question.load.batch_share
            curve = None if prompt.any() else question.load.curve
            bill = api.bill(direct - waits + prompt, waits + waiting, curve)
            some = (share > 0) | (prompt + waiting).any(axis=1)
            _add(result, API, bill, some, np.where(some, 1.0, 0.0))
            if direct.any():
                result.parts.append(Part(API, NOWHERE, share, np.zeros(len(share)), bill, None, mix))


def _by_api(question: Question) -> Array:
    """Whether a stream calls each of the APIs of a block, over (API, stream)."""
    return np.arange(len(question.whole.apis))[:, None] == question.called


def told_apart(question: Question, routing: Routing) -> Array:
    """Whether easy and hard requests of some stream are served by different models, so that a router must tell."""
    present, easy, hard = question.shares > 0, routing.place[:, ~HARD], routing.place[:, HARD]
    offers = question.offers[:, ~HARD] != question.offers[:, HARD]
    differ = (easy != hard) | ((easy == API) & offers)
    return np.asarray((differ & present[:, ~HARD] & present[:, HARD]).any(axis=1), float)


def least_cost(question: Question, routing: Routing) -> Array:
    """What a routing costs at the least, by scenario [USD today].

    People, set-up and platforms, and every request at the price of the cheaper of the two ways it may be served,
    machines full at all times; but a machine at every place with machines.
    """
    fixed = team(question, routing.uses(question.shares > 0))
    requests = np.einsum("sm,sm->s", question.load.requests, question.factors)[:, None] * question.shares
    if question.endpoints:
        return _payroll(question, fixed) + machine_floor(question).usd(question, requests.sum(axis=1))
    calls = np.stack([api.least_usd for api in question.whole.apis], axis=1)[:, question.called]
    usd = _payroll(question, fixed) + (requests * calls * (routing.place == API)).sum(axis=1)
    away = np.where(routing.overflow == API, calls, np.inf)
    if (over := routing.overflow == RENTED).any():
        rent = machine_floor(question).waiting.min(axis=0, initial=np.inf)
        away = np.where(over, rent[:, None], away)
    for place in (RENTED, OWN):
        here = (routing.place == place) & (question.shares > 0)
        if (some := here.any(axis=1)).any():
            floor = server_floor(question) if place == OWN else machine_floor(question)
            elsewhere = np.where(here, away, np.inf).min(axis=1)
            usd = usd + np.where(some, floor.usd(question, (requests * here).sum(axis=1), elsewhere), 0.0)
    return np.asarray(usd)


def _payroll(question: Question, hands: Team) -> Array:
    """Worth today of all that a team takes, by scenario [USD]."""
    worth = [np.einsum("sm,sm->s", line, question.factors) for line in hands.lines.values()]
    return np.asarray(sum(worth, np.zeros(len(question.shares))))


def _place(
    question: Question, result: Outcome, routing: Routing, place: int, at: Array, used: Array, calls: Array
) -> None:
    """Add what a place with machines costs, and what its overflow costs on rented ones; marks the places used.

    Adds to `calls` the requests that overflow to APIs, those that cannot wait and those that can, over (API, 2,
    scenario, month).
    """
    share, here = at.sum(axis=1), used[:, place].copy()
    barred = question.permits.barred(place, at > 0) if place != OWN else None
    goes = np.where(at > 0, routing.overflow, NOWHERE)
    if (goes == NOWHERE).all():
        bill = carried(question, place, share, barred)
        _add(result, place, bill, here, share)
        result.parts.append(Part(place, NOWHERE, share, np.zeros(len(share)), bill, barred=barred))
        return
    second = int(goes.max())
    over = at * (goes == second)
    mix = over / np.maximum(over.sum(axis=1, keepdims=True), 1e-300)
    may = over.sum(axis=1) / np.where(share > 0, share, 1.0)
    found, some = based(question, (place, second), share, may, mix, barred), may > 0
    bill = found.bill if (some | ~here).all() else either(some, found.bill, carried(question, place, share, barred))
    _add(result, place, bill, here, share)
    result.add(PLACES[second], "calls during repairs", found.outages * some[:, None])
    offer = found.bursts.offer if found.bursts else question.offers[np.arange(len(mix)), mix.argmax(axis=1)]
    result.parts.append(Part(place, second, share, may, bill, found.passed, mix, barred, offer))
    used[:, second] |= some
    if found.bursts:
        _add(result, second, found.bursts, some, share)
    elif second == API:
        parts = mix @ _by_api(question).T.astype(float)
        for number, rate in enumerate((found.passed.prompt, found.passed.waiting)):
            passed = rate * some[:, None] * SECONDS_PER_MONTH
            for api, part in enumerate(parts.T):
                calls[api, number] += passed * part[:, None]


def _add(result: Outcome, place: int, bill: Bill, here: Array, share: Array) -> None:
    """Add the bill of a place in the scenarios that use it for a share of their requests."""
    result.bills.append((PLACES[place], share * here, bill))
    result.fits &= bill.fits | ~here
    everywhere = bool(here.all())
    for name, line in bill.lines.items():
        result.add(PLACES[place], name, line if everywhere else line * here[:, None])


def _wait_for_delivery(question: Question, result: Outcome, at: Array, allowed: Array) -> None:
    """Until own servers are delivered their traffic runs at the API or on machines rented on demand, the cheaper.

    A stream that may go to one of the two alone goes there; one that may go to neither is not served until delivery.
    What is missed then is valued at the price of the API, for the comparison alone: being late must not look like
    saving.
    """
    waiting = question.load.live - question.operating
    load, (by_api, by_rented) = question.load, (np.where(allowed[..., place], at, 0.0) for place in (API, RENTED))
    # where none may, what is missed has the price of all
    calls = question.calls(np.where(by_api.any(axis=1, keepdims=True), by_api, at))
    barred, waits = question.permits.barred(RENTED, by_rented > 0), load.requests * load.batch_share
    api, rented = calls.bill(load.requests - waits, waits), until_delivery(question, at.sum(axis=1), barred)
    may = [allowed[..., place] & fits[:, None] for place, fits in ((API, api.fits), (RENTED, rented.fits))]
    first = [may[0], may[1] & ~may[0]], [may[0] & ~may[1], may[1]]
    plans = []
    for to_api, to_rented in first:
        usd = api.total * (at * to_api).sum(axis=1)[:, None]
        share = (at * to_rented).sum(axis=1)
        plans.append((usd + until_delivery(question, share, barred).total if share.any() else usd) * waiting)
    cheaper = np.argmin([np.einsum("sm,sm->s", plan, question.factors) for plan in plans], axis=0)
    result.add(PLACES[OWN], "bill while waiting for delivery", np.where(cheaper[:, None] == 0, *plans))
    missed = (at * ~(may[0] | may[1])).sum(axis=1)
    result.served = question.load.live - waiting * missed[:, None]
    if missed.any():
        result.missed = api.total * waiting * missed[:, None]
