"""Options: routings of the streams to places, each with its bill, its people and its time to launch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from . import bills, demand, finance, own_gpus, people, rented_gpus, replicas, serving, staffing, vendor_api
from .bills import Bill, offers
from .facts import Facts
from .replicas import Load, Need
from .scenario import BY_NAME, PLACES, SKILLS, STREAMS
from .units import Array

API, RENTED, OWN = range(len(PLACES))

ROUTINGS: dict[str, tuple[int, ...]] = {
    "api": (API,) * len(STREAMS),
    "rented": (RENTED,) * len(STREAMS),
    "owned": (OWN,) * len(STREAMS),
    "split_by_sensitivity": tuple(RENTED if data == "sensitive" else API for data, _ in STREAMS),
    "split_by_domain": tuple(RENTED if task == "specialised" else API for _, task in STREAMS),
}
"""For each option the place (a position in PLACES) of each of STREAMS."""

TITLES = {
    "api": "Vendor API",
    "rented": "Rented cloud GPUs",
    "owned": "Own servers",
    "split_by_sensitivity": "Split by sensitivity",
    "split_by_domain": "Split by domain",
}


@dataclass(frozen=True)
class Question:
    """A block of scenarios that share an open model, as arrays: the demand, and each field by name."""

    facts: Facts
    rows: Mapping[str, Array]
    model: str

    @cached_property
    def load(self) -> Load:
        """Demand of all streams together, month by month over the longest horizon of the block."""
        return _load(self.facts, self.rows)

    @cached_property
    def shares(self) -> Array:
        """Share of the requests in each stream, over (scenario, stream)."""
        return demand.stream_shares(self.rows["sensitive_share"], self.rows["specialised_share"])

    @cached_property
    def factors(self) -> Array:
        """Worth today of a dollar in each month, over (scenario, month)."""
        return finance.discount_factors(finance.monthly_rate(self.rows["discount_rate"]), self.load.live.shape[-1])

    @cached_property
    def api_bill(self) -> Bill:
        """Bill of all requests at the API model asked for."""
        return vendor_api.bill(self.facts, self.load, self.rows["api_model"], self.rows["control"] == "region")

    def needs(self, share: Array) -> tuple[Load, Need]:
        """A share of the demand, and the replicas it needs."""
        key = ("needs", share.tobytes())
        if key not in self.made:
            load = self.load.part(share)
            self.made[key] = (load, replicas.needed(self.facts, self.model, load))
        needed: tuple[Load, Need] = self.made[key]
        return needed

    def fleet(self, share: Array) -> tuple[Load, rented_gpus.Fleet]:
        """A share of the demand, and the rented machines of every offer it needs."""
        key = ("fleet", share.tobytes())
        if key not in self.made:
            load, need = self.needs(share)
            self.made[key] = (load, rented_gpus.fleet(self.facts, load, need, self.rows["gpu"], self.factors))
        found: tuple[Load, rented_gpus.Fleet] = self.made[key]
        return found

    @cached_property
    def made(self) -> dict[Any, Any]:
        """What was already made for this block, by what was asked."""
        return {}


def _load(facts: Facts, rows: Mapping[str, Array]) -> Load:
    months = np.arange(int(rows["horizon_months"].max()) + 1)
    column = {name: np.asarray(rows[name], float)[:, None] for name in (*AS_ASKED, *MADE_INTO_MONTHS)}
    live = ((months >= 1) & (months <= column["horizon_months"])).astype(float)
    requests = demand.monthly_requests(column["requests_per_month"], column["growth_per_month"], months)
    return Load(
        requests=np.asarray(requests) * live,
        live=live,
        cv=np.asarray(demand.cv_from_spikiness(column["spikiness"])),
        headroom_beta=_by_level(facts, rows["latency"], "wait_probability", serving.headroom_beta),
        derate=_by_level(facts, rows["latency"], "derate"),
        spare_replicas=_by_level(facts, rows["latency"], "spare_replicas"),
        **{name: column[name] for name in AS_ASKED},
    )


AS_ASKED = ("input_tokens", "output_tokens", "cached_share", "batch_share", "spikiness")
MADE_INTO_MONTHS = ("requests_per_month", "growth_per_month", "horizon_months")

OFFERS = {RENTED: "machines", OWN: "servers"}
"""The table with the offers of a place that has machines."""

LEVELS = tuple(BY_NAME["latency"].choices)


def _by_level(facts: Facts, latency: Array, name: str, make: Callable[[float], Any] = float) -> Array:
    """A figure of the service level each scenario asks for, over (scenario, 1)."""
    values = facts.cached(("level", name), lambda: {v: make(facts.value(f"service.{v}.{name}")) for v in LEVELS})
    return np.array([values[level] for level in latency])[:, None]


@dataclass
class Outcome:
    """What one option costs and needs, over the scenarios of a block; arrays over (scenario) or (scenario, month)."""

    lines: dict[tuple[str, str], Array] = field(default_factory=dict)
    bills: dict[str, tuple[Array, Bill]] = field(default_factory=dict)
    people_weeks: Array = field(default_factory=lambda: np.zeros(0))
    setup_weeks: Array = field(default_factory=lambda: np.zeros(0))
    hires: Array = field(default_factory=lambda: np.zeros(0))
    served: Array = field(default_factory=lambda: np.zeros(0))
    missed: Array = field(default_factory=lambda: np.zeros(0))
    fits: Array = field(default_factory=lambda: np.zeros(0))

    def add(self, place: str, name: str, line: Array) -> None:
        """Add a line, or to the line of that name."""
        self.lines[place, name] = self.lines[place, name] + line if (place, name) in self.lines else line


def share_at(question: Question, routing: tuple[int, ...], place: int) -> Array:
    """Share of the requests an option sends to a place, by scenario."""
    return question.shares[:, np.array(routing) == place].sum(axis=1)


def outcome(question: Question, routing: tuple[int, ...], allowed: Array) -> Outcome:
    """The bill of a routing: places, waiting for delivery, people and what mixing places takes; none where it misfits.

    `allowed` says over (scenario, place) whether all traffic may go to a place; it decides who serves while own
    servers are awaited. Sharing one traffic, streams keep its hourly shape; at a place they pool.
    """
    result = Outcome()
    shares = [share_at(question, routing, place) for place in range(len(PLACES))]
    used = np.stack([share > 0 for share in shares], axis=1)
    result.fits = np.ones(len(used), bool)
    for place in np.flatnonzero(used.any(axis=0)):
        bill = place_bill(question, int(place), shares[place])
        result.bills[PLACES[place]] = (shares[place], bill)
        result.fits &= bill.fits | ~used[:, place]
        for name, line in bill.lines.items():
            result.add(PLACES[place], name, line if used[:, place].all() else line * used[:, place, None])
    if used[:, OWN].any():
        result.fits &= ~used[:, OWN] | own_gpus.in_operation(question.facts, question.load).any(axis=1)
    result.served, result.missed = question.load.live, np.zeros(len(used))
    if used[:, OWN].any():
        _wait_for_delivery(question, result, allowed)
    _run(question, result, used)
    _staff(question, result, used)
    if not result.fits.all():
        result.lines = {name: line * result.fits[:, None] for name, line in result.lines.items()}
    return result


def place_bill(question: Question, place: int, share: Array) -> Bill:
    """Bill of a place for a share of the requests; made once for each share asked."""
    facts, rows = question.facts, question.rows
    key = (place, share.tobytes())
    if key not in question.made:
        if place == API:
            bill = question.api_bill.scaled(share)
        elif not len(offers(facts, OFFERS[place], question.model)):
            bill = bills.nothing(question.load)
        elif place == RENTED:
            bill = rented_gpus.bill(facts, *question.fleet(share), question.factors)
        else:
            hands = facts.value("people.fte_per_extra_server") * staffing.roles(facts)[2][SKILLS.index("hardware")]
            limits = own_gpus.Limits(rows["capex_limit_usd"], hands)
            bill = own_gpus.bill(facts, *question.needs(share), rows["gpu"], question.factors, limits)
        question.made[key] = bill
    made: Bill = question.made[key]
    return made


def _wait_for_delivery(question: Question, result: Outcome, allowed: Array) -> None:
    """Until own servers are delivered the traffic runs at the cheaper of the API and machines rented on demand.

    Only where all traffic may go there; where it may go to neither, it is not served until delivery. What is missed
    then is valued at the dearer of the two, for the score alone: not serving must not look like saving.
    """
    facts, live = question.facts, question.load.live
    waiting = live - own_gpus.in_operation(facts, question.load)
    api, rented = question.api_bill, bills.nothing(question.load)
    if len(offers(facts, "machines", question.model)):
        # the cheapest machine for the months of waiting, not for the horizon
        weights = question.factors * waiting
        load, need = question.needs(np.ones(len(allowed)))
        fleet = rented_gpus.fleet(facts, load, need, question.rows["gpu"], weights)
        rented = rented_gpus.bill(facts, load, fleet, weights, terms=1)
    usd = np.stack([b.total * waiting for b in (api, rented)])
    possible = np.stack([allowed[:, API] & api.fits, allowed[:, RENTED] & rented.fits])
    cost = np.where(possible, np.einsum("bsm,sm->bs", usd, question.factors), np.inf)
    cheaper = np.argmin(cost, axis=0)
    served = np.isfinite(cost.min(axis=0))
    bill = np.where(served[:, None], usd[cheaper, np.arange(len(allowed))], 0.0)
    result.add(PLACES[OWN], "bill while waiting for delivery", bill)
    result.served = np.where(served[:, None], live, live - waiting)
    result.missed = np.where(served, 0.0, usd.sum(axis=-1).max(axis=0))


def _run(question: Question, result: Outcome, used: Array) -> None:
    """Set-up and platform services of each place in use, and of the routing where there are two or more."""
    facts, live = question.facts, question.load.live
    mixed = used.sum(axis=1) > 1
    for name, here in [*((PLACES[p], used[:, p]) for p in range(len(PLACES))), (staffing.ROUTING, mixed)]:
        if here.any():
            result.add(name, "set-up project", on_day_one(here * facts.value(f"setup_usd.{name}"), live))
            result.add(name, "platform services", live * here[:, None] * facts.value(f"platform_usd.{name}"))


def on_day_one(usd: Array, live: Array) -> Array:
    """A line that falls due on the day of the decision alone."""
    line = np.zeros(live.shape)
    line[:, 0] = usd
    return line


def _staff(question: Question, result: Outcome, used: Array) -> None:
    """Least staff, people to add, their joining, and the weeks until the team and its machines are ready."""
    facts, rows, live = question.facts, question.rows, question.load.live
    needed, floor = staffing.needed(
        facts, used, (rows["customisation"] != "prompting") & (rows["specialised_share"] > 0)
    )
    have = np.stack([rows[f"skill_{area}"] for area in SKILLS], axis=1)
    gap = people.gaps(needed, have)
    full, wages, pay, hiring = staffing.roles(facts)
    result.hires = np.asarray(people.people_to_add(gap, full))
    added = people.monthly_payroll(gap / people.HIGHEST_LEVEL * full, pay)
    joining = people.cost_of_joining(gap, full, wages, pay, hiring)
    result.add("people", "least staff", live * np.asarray(people.monthly_payroll(floor, pay))[:, None])
    result.add("people", "people to add", live * np.asarray(added)[:, None])
    result.add("people", "recruiting and ramp-up", on_day_one(np.asarray(joining), live))
    result.people_weeks = np.asarray(people.weeks_to_fill(gap, hiring))
    result.setup_weeks = staffing.weeks_to_set_up(facts, used)
