"""A block of scenarios, and the bill of whatever share of its traffic a place carries, each made once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..formulas import demand, finance, scoring
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts, remembered
from ..inputs.question import CRITERIA
from ..places import own_gpus, rented_gpus, replicas
from ..places.bill import Bill, nothing
from ..places.fleet import Outlet, Passed
from ..places.offers import Offers, offers
from ..places.own_gpus import Upkeep
from ..places.rented_gpus import Cloud
from ..places.replicas import Workload
from ..places.vendor_api import Api, api, tariffs
from ..places.workload import Load, load_of
from ..units import MONTHS_PER_YEAR, SECONDS_PER_HOUR, Array
from .routing import API, OWN, RENTED

WORTH_SPLITTING = 0.8
"""Of the scenarios of a block; what is worth a try in more of them is tried in all, which saves making them a block."""


@dataclass(frozen=True)
class Question:
    """A block of scenarios that share an open model, as arrays: the demand, and each field by name.

    `curve` takes the place of the Gamma laws of their spikiness.
    """

    facts: Facts
    rows: Mapping[str, Array]
    model: str
    curve: Curve | None = None

    @cached_property
    def load(self) -> Load:
        """Demand of all streams together, month by month over the longest horizon of the block."""
        return load_of(self.facts, self.rows, self.curve)

    @cached_property
    def shares(self) -> Array:
        """Share of the requests in each stream, over (scenario, stream)."""
        return demand.stream_shares(self.rows["sensitive_share"], self.rows["specialised_share"])

    @cached_property
    def premiums(self) -> Array:
        """What the best of each criterion is worth, as a share of the cost, over (scenario, criterion)."""
        asked = list(zip(self.rows["priorities"], self.rows["premium"].tolist(), strict=True))
        known = {pair: scoring.premiums([p for p in pair[0].split(",") if p], CRITERIA, pair[1]) for pair in set(asked)}
        return np.stack([known[pair] for pair in asked])

    @cached_property
    def annuity(self) -> Array:
        """Worth today of a dollar in every month of the horizon, by scenario."""
        return np.einsum("sm,sm->s", self.load.live, self.factors)

    @cached_property
    def factors(self) -> Array:
        """Worth today of a dollar in each month, over (scenario, month)."""
        return finance.discount_factors(finance.monthly_rate(self.rows["discount_rate"]), self.load.live.shape[-1])

    def take(self, rows: Array) -> "Question":
        """A block of some of the scenarios."""
        fields = {name: column[rows] for name, column in self.rows.items()}
        return Question(self.facts.take(rows), fields, self.model, self.curve)

    @remembered
    def api(self, least: bool) -> Api:
        """The API model asked for, or the cheapest among it and the vendors that host the open model."""
        asked, in_region = self.rows["api_model"], self.rows["control"] == "region"
        found = api(tariffs(self.facts), self.load, asked, in_region, self.model if least else "")
        if not isinstance(course := self.facts.factor("api_price"), np.ndarray):
            return found
        years = np.arange(self.load.live.shape[-1]) / MONTHS_PER_YEAR
        return found.over(course**years, self.load.requests * self.factors)

    @property
    def cheaper_host(self) -> bool:
        """Whether in some scenario a vendor that hosts the open model undercuts the API asked for."""
        return bool((self.api(True).offer != self.api(False).offer).any())

    @cached_property
    def work(self) -> Workload:
        """All of the demand."""
        need = replicas.needed(self.facts, self.model, self.load)
        return Workload(self.load, need, self.rows["gpu"], self.factors)

    @cached_property
    def cloud(self) -> Cloud:
        """What all rented machines have in common."""
        return rented_gpus.cloud(self.facts)

    @cached_property
    def upkeep(self) -> Upkeep:
        """What all own servers have in common."""
        return own_gpus.upkeep(self.facts)

    @cached_property
    def operating(self) -> Array:
        """Share of each month in which own servers serve, over (scenario, month)."""
        return own_gpus.in_operation(self.upkeep, self.load.live)

    @cached_property
    def machines(self) -> Offers:
        """Machines worth a look, whatever share of the demand they carry."""
        return rented_gpus.machines(self.facts, self.work)

    @cached_property
    def servers(self) -> Offers:
        """Servers worth a look, whatever share of the demand they carry."""
        return own_gpus.servers(self.facts, self.work)

    @cached_property
    def made(self) -> dict[Any, Any]:
        """What was already made for this block, by what was asked."""
        return {}


OFFERS = {RENTED: "machines", OWN: "servers"}
"""The table with the offers of a place that has machines."""


@remembered
def carried(question: Question, place: int, share: Array, least_api: bool) -> Bill:
    """Bill of a place that carries a share of the requests by itself."""
    work = question.work.part(share)
    if place == API:
        waits = work.load.requests * work.load.batch_share
        return question.api(least_api).bill(work.load.requests - waits, waits)
    if place == OWN:
        return own_gpus.bill(question.upkeep, question.servers, work, question.rows["capex_limit_usd"])[0]
    return rented_gpus.alone(question.cloud, question.machines, work).times(question.facts.factor("cloud_price"))


@remembered
def full_machine_usd(question: Question) -> Array:
    """Least rent of a request, by scenario: the cheapest rented machine at its cheapest contract, full at all times."""
    choice = offers(question.facts, "machines", question.model)
    if not len(choice):
        return np.full(len(question.shares), np.inf)
    need = question.work.need
    prices = np.nanmin([column for name, column in choice.columns.items() if name.endswith("_usd_per_h")], axis=0)
    seconds = np.where(need.possible, need.seconds, np.inf)[choice.kind]
    least: Array = (seconds * (prices / choice.each)[:, None]).min(axis=0) / SECONDS_PER_HOUR
    return least * np.ravel(question.facts.factor("cloud_price"))


@dataclass(frozen=True)
class Based:
    """A base and what comes above it: the bill of the base, what it passes on [request/s], the bill of machines by the
    hour that take it where they do.
    """

    bill: Bill
    passed: Passed
    bursts: Bill | None


def overflow(
    question: Question, second: int, share: Array, may: Array, least_api: bool
) -> tuple[Outlet, rented_gpus.Burst | None]:
    """What a base may pass on to a second place and at which price, and the machines by the hour where they take it."""
    if second == API:
        calls, none = question.api(least_api), np.zeros(len(share))
        return Outlet(may, may, calls.usd(), calls.usd(waiting=True), none), None
    machines = rented_gpus.cheapest_burst(question.cloud, question.machines, question.work.part(share))
    outlet = machines.outlet(may, question.cloud.follower)
    return outlet.times(np.ravel(question.facts.factor("cloud_price"))), machines


@remembered
def based(question: Question, places: tuple[int, int], share: Array, may: Array, least_api: bool) -> Based:
    """A place that carries the base of a share of the requests, and passes on what comes above.

    `places` are the first place and the second, `may` the part of the share by scenario that may go to the second.
    """
    work = question.work.part(share)
    if RENTED in places and not len(question.machines):
        return Based(nothing(question.load), Passed(*np.zeros((4, len(share), 1))), None)
    outlet, machines = overflow(question, places[1], share, may, least_api)
    cloud = question.facts.factor("cloud_price")
    if places[0] == OWN:
        bill, passed = own_gpus.bill(question.upkeep, question.servers, work, question.rows["capex_limit_usd"], outlet)
    else:
        # rented machines are weighed against an API in prices of a cloud as it is today
        outlet = outlet.times(1 / np.ravel(cloud))
        bill, passed = rented_gpus.base(question.cloud, question.machines, work, outlet)
        bill = bill.times(cloud)
    burst = rented_gpus.burst_bill(question.cloud, work, machines, passed).times(cloud) if machines else None
    return Based(bill, passed, burst)


@remembered
def until_delivery(question: Question, share: Array) -> Bill:
    """Bill of machines rented on demand for a share of the requests while own servers are awaited."""
    if not len(question.machines):
        return nothing(question.load)
    # the cheapest machine for the months of waiting, not for the horizon
    load = question.load
    waiting = np.arange(min(2 + int(np.max(question.upkeep.delivery_months)), load.live.shape[1]))
    weights = (question.factors * (load.live - question.operating))[:, waiting]
    work, after = question.work.part(share).at(waiting, weights), load.live.shape[1] - len(waiting)
    bill = rented_gpus.alone(question.cloud, question.machines, work, terms=1)
    lines = {name: np.pad(line, ((0, 0), (0, after))) for name, line in bill.lines.items()}
    return Bill(lines, bill.offer, bill.fits).times(question.facts.factor("cloud_price"))
