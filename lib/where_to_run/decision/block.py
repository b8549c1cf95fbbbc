"""A block of scenarios, and the bill of whatever share of its traffic a place carries, each made once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..formulas import demand, finance
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts, remembered
from ..inputs.question import CRITERIA, GOOD_ENOUGH, PLACES, STREAMS
from ..places import own_gpus, rented_gpus, replicas, vendor_api
from ..places.bill import Bill, nothing
from ..places.fleet import Outlet, Passed
from ..places.offers import Offers
from ..places.own_gpus import Upkeep
from ..places.rented_gpus import Cloud
from ..places.replicas import Workload
from ..places.spares import AROUND_THE_CLOCK
from ..places.vendor_api import Api, tariffs
from ..places.workload import Load, load_of
from ..units import SECONDS_PER_HOUR, SECONDS_PER_MONTH, WEEKS_PER_MONTH, Array
from . import criteria, quality, staffing
from .permits import Permits, permits
from .routing import API, HARD, OWN, RENTED, SENSITIVE, SPECIALISED, Routing, by_hand
from .sites import DEDICATED
from .staffing import Staff, Team

WORTH_SPLITTING = 750
"""Scenarios that must be left out for a part of a block to be worth making: what is worked out once is shared in it."""


SHARED = [
    "permits",
    "called",
    "figures",
    "scales",
    "staff",
    "load",
    "shares",
    "premiums",
    "annuity",
    "factors",
    "families",
    "floors",
    "cloud",
    "whole",
]
"""What a block has whatever its machines serve."""


@dataclass(frozen=True)
class Question:
    """A block of scenarios as arrays: the demand, and each field by name.

    `curve` takes the place of the Gamma laws of their spikiness; `model` is the open model that machines serve, ""
    where there are none; `hosted` takes open weights alone at an API. `given` are the API offers that are called, in
    place of a choice. With `endpoints` the model is served at an API on what a vendor runs for one customer alone. Own
    servers are of a `kind`, by their delivery.
    """

    facts: Facts
    rows: Mapping[str, Array]
    curve: Curve | None = None
    model: str = ""
    hosted: bool = False
    given: tuple[str, ...] = ()
    endpoints: bool = False
    kind: str = own_gpus.DELIVERIES[0]

    @cached_property
    def whole(self) -> "Question":
        """The block that knows what hangs on no model."""
        return self

    def serving(self, model: str) -> "Question":
        """The same with an open model on machines; what does not hang on it is worked out once."""
        other = replace(self, model=model)
        other.__dict__.update({name: getattr(self, name) for name in SHARED})
        return other

    def on(self, kind: str) -> "Question":
        """The same with own servers of another kind."""
        other = replace(self, kind=kind)
        kept = [*SHARED, "work", "fleet_figure", "machines", "quality", "short"]
        other.__dict__.update({name: getattr(self, name) for name in kept})
        return other

    @cached_property
    def hosting(self) -> "Question":
        """The same with open weights alone at an API."""
        return self.calling((), True)

    def calling(self, offers: tuple[str, ...], hosted: bool) -> "Question":
        """The same with the API offers that are called given, or none given and open weights alone."""
        other = replace(self, model="", hosted=hosted, given=offers)
        other.__dict__.update({name: getattr(self, name) for name in SHARED if name != "whole"})
        return other

    @cached_property
    def at_endpoints(self) -> "Question":
        """The same with the open model on dedicated endpoints in place of an API."""
        other = replace(self, endpoints=True)
        other.__dict__.update({name: getattr(self, name) for name in [*SHARED, "work", "fleet_figure"]})
        other.__dict__["permits"] = permits(self.facts, self.rows, DEDICATED)
        return other

    @property
    def api_table(self) -> str:
        """The key of `Sites.of` with the offers of the API."""
        return DEDICATED if self.endpoints else PLACES[API]

    @cached_property
    def load(self) -> Load:
        """Demand of all streams together, month by month over the longest horizon of the block."""
        return load_of(self.facts, self.rows, self.curve)

    @cached_property
    def shares(self) -> Array:
        """Share of the requests in each stream, over (scenario, stream)."""
        return demand.stream_shares(*(self.rows[f"{name}_share"] for name in ("sensitive", "specialised", "hard")))

    @cached_property
    def permits(self) -> Permits:
        """Which offers may serve which stream."""
        return permits(self.facts, self.rows)

    @cached_property
    def called(self) -> Array:
        """Which of `apis` each stream calls: those that may call the same offers at the same price, and are as hard,
        share one.
        """
        said, present = (self.permits.may[API], self.permits.uplift[API]), self.shares.any(axis=0)
        keys = [(bool(hard), *(of[:, stream].tobytes() for of in said)) for stream, hard in enumerate(HARD)]
        number = {key: n for n, key in enumerate(dict.fromkeys(keys[stream] for stream in np.flatnonzero(present)))}
        alike = {key[0]: n for key, n in reversed(number.items())}
        # a stream without traffic calls what another does
        return np.array([number.get(key, alike.get(key[0], 0)) for key in keys])

    @cached_property
    def any_hard(self) -> bool:
        """Whether some scenario has hard requests."""
        return bool(self.shares[:, HARD].any())

    @cached_property
    def premiums(self) -> Array:
        """What the best of each criterion is worth, as a share of the cost, over (scenario, criterion)."""
        return criteria.premiums(self.rows)

    def ends_before(self, weeks: Array) -> Array:
        """Whether the project is over by what takes some weeks from the decision on, by scenario."""
        return np.asarray(weeks / WEEKS_PER_MONTH >= self.rows["horizon_months"])

    @cached_property
    def annuity(self) -> Array:
        """Worth today of a dollar in every month of the horizon, by scenario."""
        return np.einsum("sm,sm->s", self.load.live, self.factors)

    @cached_property
    def factors(self) -> Array:
        """Worth today of a dollar in each month, over (scenario, month)."""
        return finance.discount_factors(finance.monthly_rate(self.rows["discount_rate"]), self.load.live.shape[-1])

    def course(self, decline: str, drawn: Array | float = 1.0) -> Array | float:
        """What prices are of today's, over (scenario, month), by a field and a factor a year that is drawn; 1 where
        they stay.
        """
        yearly = np.ravel((1 - self.rows[decline]) * np.ravel(drawn))
        return 1.0 if (yearly == 1).all() else finance.price_course(yearly, self.load.live.shape[-1])

    @cached_property
    def families(self) -> Array:
        """Positions of the families of the tasks, by scenario."""
        return self.figures.families(self.rows["task"])

    @cached_property
    def floors(self) -> Array:
        """The least figure of easy and of hard requests, over (scenario, easy or hard) [point]."""
        return quality.floors(self.facts, self.rows)

    def take(self, rows: Array) -> "Question":
        """A block of some of the scenarios."""
        fields = {name: column[rows] for name, column in self.rows.items()}
        return Question(self.facts.take(rows), fields, self.curve)

    def part(self, rows: Array) -> "Question":
        """A block of some of the scenarios with the same model."""
        some = replace(self.take(rows), endpoints=self.endpoints, kind=self.kind)
        some.__dict__["permits"], some.__dict__["called"] = self.permits.take(rows), self.called
        months = some.load.live.shape[1]
        some.__dict__["apis"] = tuple(api.take(rows, months) for api in self.whole.apis)
        found = some.serving(self.model) if self.model else some
        found.__dict__.update({name: getattr(self, name)[rows] for name in ("fleet_figure", "quality", "short")})
        # what is worth a look for all is more than enough for some
        found.__dict__.update(
            {name: getattr(self, name) for name in ("dedicated" if self.endpoints else "machines", "servers")}
        )
        return found

    @cached_property
    def figures(self) -> quality.Figures:
        """Figures of quality of all models."""
        return quality.figures(self.facts)

    @cached_property
    def scales(self) -> criteria.Scales:
        """What the criteria are measured by."""
        return criteria.scales(self.facts)

    @cached_property
    def staff(self) -> Staff:
        """What places ask of people."""
        return staffing.staff(self.facts)

    @cached_property
    def lacks_of_an_api(self) -> tuple[Array, Array]:
        """What an API lacks but quality, as a share of the cost, and what a request costs beside its price [USD], by
        scenario.
        """
        everything = by_hand((API,) * len(STREAMS), len(self.shares))
        hands = team(self, everything.uses(self.shares > 0))
        weeks = np.maximum(hands.people_weeks, hands.setup_weeks)
        values = criteria.values(self.scales, self.shares, everything, weeks, hands.hires)
        lacks = sum(
            (self.premiums[:, CRITERIA.index(name)] * (1 - value) for name, value in values.items()),
            np.zeros(len(self.shares)),
        )
        beside = sum(np.einsum("sm,sm->s", line, self.factors) for line in hands.lines.values())
        return lacks, beside / np.einsum("sm,sm->s", self.load.requests, self.factors)

    def _worth_calling(self, stream: int) -> tuple[Array, Array]:
        """Keys of API offers, and over (offer, scenario) which of them a stream may call."""
        if self.given:
            key = self.given[self.called[stream]]
            return np.array([key], object), np.ones((1, len(self.shares)), bool)
        asked, known, hard = self.rows["api_model"], self.figures, int(HARD[stream])
        of = self.facts.table("api_offers")["open_model"]
        may = self.permits.may[API][:, stream] & ((of != "").to_numpy() | (not self.hosted))
        # where none may, the price of what there is
        may = may | ~may.any(axis=1, keepdims=True)
        ways = list(zip(self.rows["task"], [way.tobytes() for way in may[self.permits.code]], strict=True))
        named = asked != GOOD_ENOUGH if not self.hosted else np.zeros(len(asked), bool)
        fronts = {way: quality.worthwhile_offers(self.facts, *way, self.hosted) for way in dict.fromkeys(ways)}
        pinned = self.hosted & (self.rows["open_model"] != GOOD_ENOUGH)
        hosts = of.index[of.isin(self.rows["open_model"][pinned])]
        some = dict.fromkeys([*np.concatenate([*fronts.values()]), *asked[named], *hosts])
        # in the order of the table, so that of equals the same is taken whatever else is asked
        row = np.unique(self.row(some)) if some else np.zeros(1, np.intp)
        offers = of.index[row].to_numpy(object)
        figure = known.value[self.families][:, known.at(offers)].T
        number = {way: n for n, way in enumerate(fronts)}
        listed = np.stack([np.isin(offers, front) for front in fronts.values()])[[number[way] for way in ways]].T
        if pinned.any():
            # every host of the weights named, also where others are better or they have no figure
            hosted = of[offers].to_numpy()[:, None] == self.rows["open_model"]
            allowed = hosted & may[self.permits.code][:, row].T
            listed = np.where(pinned, np.where(allowed.any(axis=0), allowed, hosted), listed)
        good = listed & (figure >= self.floors[:, hard])
        reached = np.where(listed, np.nan_to_num(figure), -1)
        best = listed & (reached == reached.max(axis=0))
        return offers, np.where(named, offers[:, None] == asked, np.where(good.any(axis=0), good, best))

    def _api(self, stream: int) -> Api:
        offers, taken = self._worth_calling(stream)
        figure, row = self.figures.value[self.families][:, self.figures.at(offers)], self.row(offers)
        lack = 1 - self.figures.points(self.families, figure).T
        lacks, beside = self.lacks_of_an_api
        worth = 1 + lacks + self.premiums[:, CRITERIA.index("quality")] * lack
        uplift = self.permits.uplift[API][self.permits.code, stream][:, row].T
        found = vendor_api.api(tariffs(self.facts), self.load, offers, np.where(taken, worth, np.inf), uplift, beside)
        found = replace(found, fits=found.fits & taken.any(axis=0))
        course = self.course("api_price_decline", self.facts.factor("api_price"))
        return found.over(course, self.load.requests * self.factors) if isinstance(course, np.ndarray) else found

    def row(self, offers: Iterable[str]) -> Array:
        """Rows of API offers in their table."""
        position = tariffs(self.facts).position
        return np.array([position[offer] for offer in offers], np.intp)

    def api(self, stream: int) -> Api:
        """The API that a stream calls: the model named, or of those the rules allow that are good enough the one worth
        most.

        Of the front of cost and quality, by price and what its lack of quality is worth. Where none is good enough, the
        best there is, to be told.
        """
        return self.whole.apis[self.called[stream]]

    @cached_property
    def apis(self) -> tuple[Api, ...]:
        """The APIs that streams call, each chosen for the first stream with traffic that calls it."""
        present = self.shares.any(axis=0)
        return tuple(self._api(int(np.argmax(present & (self.called == n)))) for n in range(self.called.max() + 1))

    @property
    def offers(self) -> Array:
        """The API offer that each stream calls, over (scenario, stream); the open model on dedicated endpoints."""
        if self.endpoints:
            return np.full(self.shares.shape, self.model, object)
        return np.stack([api.offer for api in self.whole.apis], axis=1)[:, self.called]

    def calls(self, mix: Array) -> Api:
        """The API of a mixture of streams, by their parts over (scenario, stream)."""
        found, total = self.whole.apis[0], mix[:, self.called == 0].sum(axis=1)
        for number, other in enumerate(self.whole.apis[1:], start=1):
            if (more := mix[:, self.called == number].sum(axis=1)).any():
                total = total + more
                found = found.mixed(other, np.divide(more, total, out=np.zeros(len(total)), where=total > 0))
        return found

    @cached_property
    def quality(self) -> Array:
        """Figure of the model that serves each stream at each place, over (scenario, stream, place) [point].

        NaN where it has none for the task; a tuned model has what its owner measured of it.
        """
        fleet = np.broadcast_to(self.fleet_figure[:, None], self.shares.shape)
        tuned = (self.rows["tuned_quality"] > 0) & (self.rows["customisation"] != "prompting")
        fleet = np.where(tuned[:, None] & SPECIALISED, self.rows["tuned_quality"][:, None], fleet)
        if self.endpoints:
            return np.stack([fleet] * len(PLACES), axis=2)
        known = self.figures
        at_api = np.stack([known.value[self.families, known.at(api.offer)] for api in self.whole.apis], axis=1)
        return np.stack([at_api[:, self.called], fleet, fleet], axis=2)

    @cached_property
    def fleet_figure(self) -> Array:
        """Figure of the open model for the task of each scenario [point]."""
        return self.figures.value[self.families, self.figures.model.get(self.model, -1)]

    @cached_property
    def short(self) -> Array:
        """By how much each stream's model at each place is below what bars it, over (scenario, stream, place) [point].

        That is the floor; sensitive hard requests may stay on a fleet that reaches the floor of easy ones. Without a
        figure by nothing: such a model was named, and is the user's choice.
        """
        stay = (SENSITIVE & HARD)[:, None] & (np.arange(len(PLACES)) != API)
        floor = np.where(stay, self.floors[:, :1, None], self.floors[:, HARD.astype(int), None])
        return np.nan_to_num(np.maximum(0.0, floor - self.quality))

    def served(self, routing: Routing) -> Array:
        """Figure each stream is served with where it goes first, over (scenario, stream) [point]."""
        return np.take_along_axis(self.quality, routing.place[..., None], axis=2)[..., 0]

    @cached_property
    def work(self) -> Workload:
        """All of the demand."""
        need = replicas.needed(self.facts, self.model, self.load)
        kinds = quality.admitted_kinds(self.facts, self.model, self.fleet_figure, self.floors[:, 0])
        need = replace(need, possible=need.possible & kinds)
        return Workload(self.load, need, self.rows["gpu"], self.factors, course=self.course("rent_decline"))

    @cached_property
    def cloud(self) -> Cloud:
        """What all rented machines have in common."""
        return rented_gpus.cloud(self.facts)

    @cached_property
    def upkeep(self) -> Upkeep:
        """What all own servers of the kind have in common."""
        return own_gpus.upkeep(self.facts, self.kind)

    @cached_property
    def delivery(self) -> Array:
        """Weeks from an order until own servers of the kind serve, by scenario [week]."""
        weeks = np.ravel(own_gpus.weeks_to_serve(self.facts, self.kind))
        return np.broadcast_to(weeks, len(self.shares))

    @cached_property
    def operating(self) -> Array:
        """Share of each month in which own servers serve, over (scenario, month)."""
        return own_gpus.in_operation(self.upkeep, self.load.live)

    @cached_property
    def machines(self) -> Offers:
        """Machines worth a look, whatever share of the demand they carry."""
        return rented_gpus.machines(self.facts, self.work, self.permits.passes(RENTED))

    @cached_property
    def dedicated(self) -> Offers:
        """Dedicated endpoints worth a look."""
        return rented_gpus.machines(self.facts, self.work, self.permits.passes(API), DEDICATED)

    @cached_property
    def servers(self) -> Offers:
        """Servers worth a look, whatever share of the demand they carry."""
        return own_gpus.servers(self.facts, self.work, self.kind)

    @cached_property
    def made(self) -> dict[Any, Any]:
        """What was already made for this block, by what was asked."""
        return {}


@remembered
def team(question: Question, used: Array) -> Team:
    """Set-up, platform services and people for the places in use over (scenario, place), machines aside."""
    return staffing.team(question.staff, question.rows, question.load.live, used, question.delivery)


OFFERS = {API: DEDICATED, RENTED: "machines", OWN: "servers"}
"""The table with the machines of a place."""


@remembered
def carried(question: Question, place: int, share: Array, barred: Array | None = None) -> Bill:
    """Bill of a place with machines that carries a share of the requests by itself, without machines that are barred
    for it.
    """
    work = question.work.part(share, barred)
    if place == OWN:
        return own_gpus.bill(question.upkeep, question.servers, work, question.rows["capex_limit_usd"])[0]
    if place == API:
        # what a vendor runs for us comes with its storage and its traffic
        free = replace(question.cloud, storage_usd=0.0, egress_usd=0.0)
        bill = rented_gpus.alone(free, question.dedicated, work)
        bill = replace(bill, lines={"dedicated endpoints": bill.total})
    else:
        bill = rented_gpus.alone(question.cloud, question.machines, work)
    return bill.times(question.facts.factor("cloud_price"))


def machine_rows(facts: Facts, place: int, keys: Array | Sequence[str], otherwise: Array) -> Array:
    """Rows of machines in a place's table, over (scenario, 1); of what is none `otherwise`, over (scenario, any)."""
    at = facts.table(OFFERS[place]).index.get_indexer(pd.Index(keys))[:, None]
    return np.where(at < 0, otherwise, at)


@dataclass(frozen=True)
class Floor:
    """What machines of each offer cost at the least, over (offer, scenario) [USD today]: one that stands all the time,
    and a request on machines that always stand, on others by the hour, and one that can wait; each as busy as may be.
    They serve a part of the requests, `served` by scenario or 1.
    """

    machine: Array
    standing: Array
    by_hour: Array
    waiting: Array
    served: Array | float = 1.0

    def usd(self, question: Question, requests: Array, elsewhere: Array | float = np.inf) -> Array:
        """Least cost of some requests that may also go `elsewhere` at a price, by scenario."""
        if not len(self.machine):
            return np.full(len(requests), np.inf)
        waits = question.rows["batch_share"]
        price = np.where(np.isfinite(elsewhere), np.where(np.isfinite(elsewhere), elsewhere, 0.0) * self.served, np.inf)
        prompt = self._screened(question, requests, np.minimum(self.by_hour, price))
        waiting, usd = np.minimum(self.waiting, price), np.zeros(prompt.shape)
        for share, each in ((1 - waits, prompt), (waits, waiting)):
            usd += np.multiply(requests * share, each, out=np.zeros(usd.shape), where=requests * share > 0)
        # a machine stands, but for work that can wait
        return np.asarray(np.maximum(np.where(waits < 1, self.machine, 0.0), usd).min(axis=0))

    def _screened(self, question: Question, requests: Array, elsewhere: Array) -> Array:
        """Least cost of a request that cannot wait, over (offer, scenario): capacity that stands at one price, a
        machine or more, and what is above at another; no more capacity than the busiest hours take.

        Screening curves (Stoft 2002), for the mean month: what is above a capacity is convex in the load.
        """
        curve, need, clock = question.load.curve, question.work.need, question.load.clock
        live = (question.load.live > 0) & (need.prompt > 0)
        peak = np.divide(need.peak, need.prompt, out=np.full(live.shape, np.inf), where=live).min(axis=1)
        full = np.multiply(self.standing, requests, out=np.zeros(self.standing.shape), where=requests > 0)
        one = np.divide(self.machine, full, out=np.zeros(full.shape), where=np.isfinite(full) & (full > 0))
        one = np.where(question.rows["batch_share"] > 0, 0.0, one)
        usd = self.standing * np.maximum(np.where(np.isfinite(peak), peak, 1.0), one)
        if len(pair := np.flatnonzero(np.isfinite(elsewhere + self.standing))):
            scenario, own, away = pair % usd.shape[1], self.standing.ravel()[pair], elsewhere.ravel()[pair]
            share = np.divide(own, away, out=np.ones(len(pair)), where=away > own)
            level = np.where(share < 1, curve.level(share[:, None], scenario)[:, 0], 0.0)
            level = np.maximum(level, one.ravel()[pair])
            above = np.maximum(curve.spill(level[:, None], scenario)[:, 0] - WITHIN, 0.0)
            usd.ravel()[pair] = np.minimum(usd.ravel()[pair], own * level + away * above)
        # what is known to be idle needs no machine
        off = False if clock is None else clock.may
        return np.where(off, np.minimum(self.standing, elsewhere), usd)


WITHIN = 2e-3
"""How far the tables of the load curve may be off, in mean loads; taken off what is a least cost."""


def _least_seconds(question: Question, choice: Offers) -> tuple[Array, Array]:
    """Seconds of a machine that a request takes at the least, and one that can wait, over (offer, scenario); infinite
    where it holds none.
    """
    need = question.work.need
    of_replica = (need.planned / need.busiest_share, need.seconds)
    busy, waiting = (np.where(need.possible, of, np.inf)[choice.kind] / choice.each[:, None] for of in of_replica)
    return busy, waiting


@remembered
def machine_floor(question: Question) -> Floor:
    """What rented machines cost at the least, or dedicated endpoints."""
    choice, clock = question.dedicated if question.endpoints else question.machines, question.load.clock
    course = np.min(question.work.course, axis=-1) * np.ravel(question.facts.factor("cloud_price"))
    prices = [np.nan_to_num(choice.columns[name], nan=np.inf) for name in rented_gpus.COLUMNS]
    hour, on_demand, spot = (
        usd[:, None] * course / SECONDS_PER_HOUR
        for usd in (np.min(prices, axis=0), prices[0], np.fmin(rented_gpus.spot_price(choice), np.min(prices, axis=0)))
    )
    part = 1.0 if clock is None else np.where(clock.may, clock.paid.min(axis=1), 1.0)
    busy, waiting = _least_seconds(question, choice)
    return Floor(hour * SECONDS_PER_MONTH * part * question.annuity, busy * hour, busy * on_demand, waiting * spot)


@remembered
def server_floor(question: Question) -> Floor:
    """What own servers cost at the least, each from the first month to the end; requests that are made before it
    serves cost nothing.
    """
    choice, work = question.servers, question.work
    usd = own_gpus.purchase(question.upkeep, choice, work, question.rows["capex_limit_usd"]).mean_usd()
    asked, months = question.load.requests * question.factors, (question.factors * question.operating).sum(axis=1)
    served = np.einsum("sm,sm->s", asked, question.operating) / np.maximum(asked.sum(axis=1), 1e-12)
    standing, waiting = (
        np.multiply(usd / SECONDS_PER_MONTH * served, seconds, out=np.zeros(usd.shape), where=served > 0)
        for seconds in _least_seconds(question, choice)
    )
    return Floor(usd * months, standing, np.full(usd.shape, np.inf), waiting, served)


@dataclass(frozen=True)
class Based:
    """A base and what comes above it: the bill of the base, what it passes on [request/s], the bill of machines by the
    hour that take it where they do, and what serves there while machines of the base are down [USD by month].
    """

    bill: Bill
    passed: Passed
    bursts: Bill | None
    outages: Array


def overflow(
    question: Question, second: int, share: Array, may: Array, mix: Array
) -> tuple[Outlet, rented_gpus.Burst | None]:
    """What a base may pass on to a second place and at which price, and the machines by the hour where they take it.

    `mix` are the parts of the streams that may be passed on, over (scenario, stream).
    """
    if second == API:
        calls, none = question.calls(mix), np.zeros(len(share))
        return Outlet(may, may, calls.usd(), calls.usd(waiting=True), none), None
    work = question.work.part(share, question.permits.barred(RENTED, mix > 0))
    machines = rented_gpus.cheapest_burst(question.cloud, question.machines, work)
    outlet = machines.outlet(may, question.cloud.follower)
    return outlet.times(np.ravel(question.facts.factor("cloud_price"))), machines


@remembered
def based(
    question: Question, places: tuple[int, int], share: Array, may: Array, mix: Array, barred: Array | None
) -> Based:
    """A place that carries the base of a share of the requests, and passes on what comes above.

    `places` are the first place and the second, `may` the part of the share by scenario that may go to the second, and
    `mix` the parts of the streams in it; `barred` are machines that may not carry the base.
    """
    work = question.work.part(share, barred)
    if RENTED in places and not len(question.machines):
        none = np.zeros((5, *question.load.live.shape))
        return Based(nothing(question.load), Passed(*none[:4]), None, none[4])
    outlet, machines = overflow(question, places[1], share, may, mix)
    cloud = question.facts.factor("cloud_price")
    if places[0] == OWN:
        bill, passed = own_gpus.bill(question.upkeep, question.servers, work, question.rows["capex_limit_usd"], outlet)
        spares, serves = question.upkeep.spares, question.operating
    else:
        # rented machines are weighed against an API in prices of a cloud as it is today
        outlet = outlet.times(1 / np.ravel(cloud))
        bill, passed = rented_gpus.base(question.cloud, question.machines, work, outlet)
        bill, outlet = bill.times(cloud), outlet.times(np.ravel(cloud))
        spares, serves = question.cloud.spares, question.load.live
    burst = rented_gpus.burst_bill(question.cloud, work, machines, passed).times(cloud) if machines else None
    # machines that start when the load has risen are no spare around the clock
    through = work.load.availability >= spares.stand_from
    through &= (work.load.availability < AROUND_THE_CLOCK) | (places[1] == API)
    here = np.maximum(0.0, work.need.prompt * may[:, None] * serves - passed.prompt)
    outages = here * through * (outlet.usd * SECONDS_PER_MONTH * spares.unavailable)[:, None]
    return Based(bill, passed, burst, outages)


@remembered
def until_delivery(question: Question, share: Array, barred: Array | None = None) -> Bill:
    """Bill of machines rented on demand for a share of the requests while own servers are awaited."""
    if not len(question.machines):
        return nothing(question.load)
    # the cheapest machine for the months of waiting, not for the horizon
    load = question.load
    waiting = np.arange(min(2 + int(question.delivery.max() / WEEKS_PER_MONTH), load.live.shape[1]))
    weights = (question.factors * (load.live - question.operating))[:, waiting]
    work, after = question.work.part(share, barred).at(waiting, weights), load.live.shape[1] - len(waiting)
    bill = rented_gpus.alone(question.cloud, question.machines, work, terms=1)
    lines = {name: np.pad(line, ((0, 0), (0, after))) for name, line in bill.lines.items()}
    return Bill(lines, bill.offer, bill.fits).times(question.facts.factor("cloud_price"))
