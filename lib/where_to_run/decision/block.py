"""A block of scenarios, and the bill of whatever share of its traffic a place carries, each made once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..formulas import demand, finance
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts
from ..places import own_gpus, rented_gpus, replicas
from ..places.bill import Bill, cheaper, nothing
from ..places.fleet import Overflow, Passed
from ..places.offers import offers
from ..places.replicas import Need
from ..places.vendor_api import Api, api
from ..places.workload import Levers, Load, load_of
from ..units import MONTHS_PER_YEAR, SECONDS_PER_HOUR, Array
from .routing import API, OWN, RENTED

WORTH_SPLITTING = 0.8
"""Of the scenarios of a block; what is worth a try in more of them is tried in all, which saves making them a block."""


@dataclass(frozen=True)
class Question:
    """A block of scenarios that share an open model, as arrays: the demand, and each field by name.

    `curve` takes the place of the Gamma laws of their spikiness; `levers` are what is drawn for each.
    """

    facts: Facts
    rows: Mapping[str, Array]
    model: str
    curve: Curve | None = None
    levers: Levers = field(default_factory=Levers)

    @cached_property
    def load(self) -> Load:
        """Demand of all streams together, month by month over the longest horizon of the block."""
        return load_of(self.facts, self.rows, self.curve, self.levers)

    @cached_property
    def shares(self) -> Array:
        """Share of the requests in each stream, over (scenario, stream)."""
        return demand.stream_shares(self.rows["sensitive_share"], self.rows["specialised_share"])

    @cached_property
    def factors(self) -> Array:
        """Worth today of a dollar in each month, over (scenario, month)."""
        return finance.discount_factors(finance.monthly_rate(self.rows["discount_rate"]), self.load.live.shape[-1])

    def take(self, rows: Array) -> "Question":
        """A block of some of the scenarios."""
        fields = {name: column[rows] for name, column in self.rows.items()}
        return Question(self.facts, fields, self.model, self.curve, self.levers.take(rows))

    def api(self, least: bool = False) -> Api:
        """The API model asked for, or the cheapest among it and the vendors that host the open model."""
        asked, in_region = self.rows["api_model"], self.rows["control"] == "region"
        hosted = self.model if least else ""

        def make() -> Api:
            found = api(self.facts, self.load, asked, in_region, hosted)
            if "api_price" not in self.levers:
                return found
            years = np.arange(self.load.live.shape[-1]) / MONTHS_PER_YEAR
            return found.over(self.levers.column("api_price") ** years, self.load.requests * self.factors)

        found: Api = self.kept(("api", least), make)
        return found

    @property
    def cheaper_host(self) -> bool:
        """Whether in some scenario a vendor that hosts the open model undercuts the API asked for."""
        return bool((self.api(least=True).offer != self.api().offer).any())

    def kept(self, key: Any, make: Callable[[], Any]) -> Any:
        """What was made before under a key, or made now."""
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]

    def needs(self, share: Array) -> tuple[Load, Need]:
        """A share of the demand, and the replicas it needs."""

        def make() -> tuple[Load, Need]:
            load = self.load.part(share)
            return load, replicas.needed(self.facts, self.model, load)

        needed: tuple[Load, Need] = self.kept(("needs", share.tobytes()), make)
        return needed

    @cached_property
    def made(self) -> dict[Any, Any]:
        """What was already made for this block, by what was asked."""
        return {}


OFFERS = {RENTED: "machines", OWN: "servers"}
"""The table with the offers of a place that has machines."""


def carried(question: Question, place: int, share: Array, least_api: bool = False) -> Bill:
    """Bill of a place that carries a share of the requests by itself."""

    def make() -> Bill:
        bill = _carried(question, place, share, least_api)
        return bill.times(question.levers.column("cloud_price")) if place == RENTED else bill

    made: Bill = question.kept((place, share.tobytes(), least_api), make)
    return made


def _carried(question: Question, place: int, share: Array, least_api: bool) -> Bill:
    facts, rows = question.facts, question.rows
    load, need = question.needs(share)
    if place == API:
        waits = load.requests * load.batch_share
        return question.api(least_api).bill(load.requests - waits, waits)
    if not len(offers(facts, OFFERS[place], question.model)):
        return nothing(question.load)
    if place == OWN:
        return own_gpus.bill(facts, load, need, rows["gpu"], question.factors, limits(question))
    fleet = rented_gpus.fleet(facts, load, need, rows["gpu"], question.factors)
    standing = rented_gpus.bill(facts, load, fleet, question.factors)
    factors = question.factors
    worth = np.einsum("sm,sm->s", standing.total - standing.lines["egress"], factors)
    some = np.flatnonzero(rented_gpus.least_worth(facts, load, need, rows["gpu"], factors) < worth * (1 - 1e-9))
    if not len(some):
        return standing
    looked_at = contenders(question)
    if len(some) > WORTH_SPLITTING * len(share):
        return cheaper(standing, rented_gpus.autoscaled(facts, load, need, rows["gpu"], factors, looked_at), factors)
    part = load.take(some), need.take(some), rows["gpu"][some], factors[some]
    tiered = rented_gpus.autoscaled(facts, *part, looked_at)
    return cheaper(standing, tiered.spread(some, len(share)), factors)


def contenders(question: Question) -> Array:
    """Machines worth a look, over (contract, offer); the same for every share of the demand."""

    def make() -> Array:
        load, need = question.needs(np.ones(len(question.shares)))
        return rented_gpus.contenders(question.facts, need.take(load.distinct()), question.rows["gpu"])

    found: Array = question.kept("contenders", make)
    return found


def full_machine_usd(question: Question) -> Array:
    """Least rent of a request, by scenario: the cheapest rented machine at its cheapest contract, full at all times."""

    def make() -> Array:
        choice = offers(question.facts, "machines", question.model)
        if not len(choice):
            return np.full(len(question.shares), np.inf)
        _, need = question.needs(np.ones(len(question.shares)))
        prices = np.nanmin([column for name, column in choice.columns.items() if name.endswith("_usd_per_h")], axis=0)
        seconds = np.where(need.possible, need.seconds, np.inf)[choice.kind]
        least: Array = (seconds * (prices / choice.each)[:, None]).min(axis=0) / SECONDS_PER_HOUR
        return least * question.levers["cloud_price"]

    least: Array = question.kept("full machine", make)
    return least


def limits(question: Question) -> own_gpus.Limits:
    """What bears on the choice of own servers."""
    return own_gpus.limits(question.facts, question.rows["capex_limit_usd"])


@dataclass(frozen=True)
class Based:
    """A base and what comes above it: the bill of the base, what it passes on [request/s], the bill of machines by the
    hour that take it where they do.
    """

    bill: Bill
    passed: Passed
    bursts: Bill | None


def based(question: Question, places: tuple[int, int], share: Array, may: Array, least_api: bool) -> Based:
    """A place that carries the base of a share of the requests, and passes on what comes above.

    `places` are the first place and the second, `may` the part of the share by scenario that may go to the second.
    """
    key = (places, share.tobytes(), may.tobytes(), least_api)
    found: Based = question.kept(key, lambda: _based(question, places, share, may, least_api))
    return found


def overflow(
    question: Question, second: int, share: Array, may: Array, least_api: bool
) -> tuple[Overflow, rented_gpus.Burst | None]:
    """What a base may pass on to a second place and at which price, and the machines by the hour where they take it."""
    if second == API:
        calls, none = question.api(least_api), np.zeros(len(share))
        return Overflow(may, calls.usd(), calls.usd(waiting=True), none, none + 1), None
    load, need = question.needs(share)
    machines = rented_gpus.cheapest_burst(question.facts, load, need, question.rows["gpu"], question.factors)
    return machines.overflow(may).times(question.levers["cloud_price"]), machines


def _based(question: Question, places: tuple[int, int], share: Array, may: Array, least_api: bool) -> Based:
    facts, gpu, factors = question.facts, question.rows["gpu"], question.factors
    if RENTED in places and not len(offers(facts, "machines", question.model)):
        return Based(nothing(question.load), Passed(*np.zeros((4, len(share), 1))), None)
    load, need = question.needs(share)
    outlet, machines = overflow(question, places[1], share, may, least_api)
    cloud = question.levers.column("cloud_price")
    if places[0] == OWN:
        bill, passed = own_gpus.base_bill(facts, load, need, gpu, factors, limits(question), outlet)
    else:
        # rented machines are weighed against an API in prices of a cloud as it is today
        outlet = outlet.times(1 / question.levers["cloud_price"])
        bill, passed = rented_gpus.base_bill(facts, load, need, gpu, factors, contenders(question), outlet)
        bill = bill.times(cloud)
    burst = rented_gpus.burst_bill(facts, load, need, machines, passed).times(cloud) if machines else None
    return Based(bill, passed, burst)


def until_delivery(question: Question, share: Array) -> Bill:
    """Bill of machines rented on demand for a share of the requests while own servers are awaited."""

    def make() -> Bill:
        if not len(offers(question.facts, "machines", question.model)):
            return nothing(question.load)
        # the cheapest machine for the months of waiting, not for the horizon
        load, need = question.needs(share)
        longest = int(np.max(own_gpus.delivery_months(question.facts, load)))
        waiting = np.arange(min(2 + longest, load.live.shape[1]))
        weights = (question.factors * (load.live - own_gpus.in_operation(question.facts, load)))[:, waiting]
        load, need, after = load.at(waiting), need.at(waiting), load.live.shape[1] - len(waiting)
        fleet = rented_gpus.fleet(question.facts, load, need, question.rows["gpu"], weights)
        bill = rented_gpus.bill(question.facts, load, fleet, weights, terms=1)
        lines = {name: np.pad(line, ((0, 0), (0, after))) for name, line in bill.lines.items()}
        return Bill(lines, bill.offer, bill.fits).times(question.levers.column("cloud_price"))

    bill: Bill = question.kept(("until delivery", share.tobytes()), make)
    return bill
