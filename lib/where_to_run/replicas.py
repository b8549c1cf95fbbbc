"""Replicas: the demand on a place, and how many replicas of every kind it needs."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from . import serving, throughput
from .curves import Curve
from .facts import Facts
from .kinds import kinds, roofline_of_kinds, spread_of_kinds
from .levers import Levers
from .units import SECONDS_PER_MONTH, Array


@dataclass(frozen=True)
class Load:
    """Demand on one place. Arrays over (scenario, month 0..H), or (scenario, 1) for what stays the same all along.

    `requests` counts all requests of a month [request/month]; `live` is 1 in the months of the horizon and 0 in
    month 0, the day of the decision, and after the horizon. Where it is 0 there are no requests. `curve` tells how
    the hours of a month spread about their mean, `levers` what is drawn for each scenario.
    """

    requests: Array
    live: Array
    input_tokens: Array
    output_tokens: Array
    cached_share: Array
    batch_share: Array
    spikiness: Array
    curve: Curve
    headroom_beta: Array
    derate: Array
    spare_replicas: Array
    levers: Levers = field(default_factory=Levers)

    def take(self, rows: Array) -> "Load":
        """The same demand in some of the scenarios."""
        own = {name: getattr(self, name).take(rows) for name in ("curve", "levers")}
        columns = [name for name in self.__dataclass_fields__ if name not in own]
        return replace(self, **own, **{name: getattr(self, name)[rows] for name in columns})

    def at(self, months: Array) -> "Load":
        """The same demand in some of the months."""
        return replace(self, requests=self.requests[:, months], live=self.live[:, months])

    def distinct(self) -> Array:
        """Positions of scenarios that between them have every size of request and service level there is."""
        asked = [self.input_tokens, self.output_tokens, self.cached_share, self.headroom_beta, self.derate]
        asked += [self.levers["throughput"][:, None]] if "throughput" in self.levers else []
        columns = np.concatenate([*asked, self.spare_replicas], axis=1)
        first: Array = np.unique(columns, axis=0, return_index=True)[1]
        return first

    def part(self, share: Array) -> "Load":
        """The same demand thinned to a share of its requests, one share a scenario."""
        return replace(self, requests=self.requests * share[:, None])


def rates(facts: Facts, model: str, load: Load) -> tuple[Array, Array]:
    """Seconds of replica time a request takes and requests a replica holds at once, over (kind, scenario, 1).

    The seconds include the share of the published engine maximum a team reaches. They are infinite where a kind cannot
    hold a single request, or where the request is longer than the model's context.
    """
    rows = kinds(facts, model)
    column = facts.cached(("kind columns", model), lambda: {n: rows[n].to_numpy()[:, None, None] for n in rows.columns})
    isl, osl, cached = load.input_tokens, load.output_tokens, load.cached_share
    slots = serving.sequences(column["kv_gb"], column["kv_bytes_per_token"], isl + osl, column["max_sequences"])
    seconds = serving.seconds_per_request((column["alpha"], column["beta"], column["gamma"]), isl, osl, cached)
    estimated = column["basis"] != throughput.FITTED
    if estimated.any():
        roofline = roofline_of_kinds(facts, model, np.maximum(slots, 1), isl, osl, cached)
        seconds = np.where(estimated, roofline / column["scale"], seconds)
    if "throughput" in load.levers:
        seconds = seconds / load.levers.column("throughput") ** spread_of_kinds(facts, model)[:, None, None]
    holds = (slots >= 1) & (isl + osl <= facts.table("models").at[model, "context_tokens"])
    return np.where(holds, seconds / facts.value("serving.engine_share"), np.inf), np.asarray(slots)


@dataclass(frozen=True)
class Need:
    """What a load asks of every kind of replica of a model.

    Over (kind, scenario): `seconds` of replica time a request takes, `planned` seconds it takes of the planned
    capacity, `headroom` in replicas per square root of busy ones, and `possible`, false where a replica cannot hold a
    single request. Over (scenario, month) [request/s]: `peak` and `prompt`, busiest hours and mean of what cannot
    wait, and `waiting`, what can. `spare` replicas by scenario; no pool is planned above `busiest_share`.
    """

    model: str
    seconds: Array
    planned: Array
    headroom: Array
    possible: Array
    peak: Array
    prompt: Array
    waiting: Array
    spare: Array
    busiest_share: float

    @cached_property
    def waits(self) -> bool:
        """Whether any of the load can wait."""
        return bool(self.waiting.any())

    def replicas(self, kind: Array, scenario: Array) -> Array:
        """Whole replicas, with headroom and spare, over (the kinds and scenarios asked, month) [replica]."""
        busy = self.planned[kind, scenario][..., None] * self.peak[scenario]
        whole = np.asarray(serving.replicas_needed(busy, self.headroom[kind, scenario][..., None], self.busiest_share))
        whole += (whole > 0) * self.spare[scenario][..., None]
        return whole

    def times(self, kind: Array, each: Array, one: Array, other: Array) -> Array:
        """How many machines of one offer are never short of what one of another carries, over (the pairs asked).

        Offers by their kind of replica and the replicas a machine holds. Term by term of (busy + headroom sqrt(busy) +
        spare) / each, the machines a load needs, in the scenario that asks for most.
        """
        planned = np.where(self.possible, self.planned, np.inf)
        terms = np.stack([planned, self.headroom * np.sqrt(planned), np.where(self.possible, 1.0, np.nan)])
        with np.errstate(divide="ignore", invalid="ignore"):
            by_kind = np.stack([(terms / terms[:, [k]]).max(axis=(0, 2)) for k in range(len(planned))], axis=1)
        times: Array = np.nan_to_num(by_kind[kind[one], kind[other]] * each[other] / each[one], nan=np.inf)
        return times

    def carried(self, kind: Array, scenario: Array, replicas: Array) -> Array:
        """Rate that replicas over (the kinds and scenarios asked, month) carry with their headroom [request/s]."""
        headroom = self.headroom[kind, scenario][:, None]
        busy = np.asarray(serving.busy_at_most(replicas, headroom, self.busiest_share))
        planned = self.planned[kind, scenario][:, None]
        return np.divide(busy, planned, out=np.zeros_like(busy), where=planned > 0)

    def take(self, rows: Array) -> "Need":
        """The same in some of the scenarios."""
        by_kind = {name: getattr(self, name)[:, rows] for name in ("seconds", "planned", "headroom", "possible")}
        rates = {name: getattr(self, name)[rows] for name in ("peak", "prompt", "waiting", "spare")}
        return replace(self, **by_kind, **rates)

    def at(self, months: Array) -> "Need":
        """The same in some of the months."""
        return replace(self, **{name: getattr(self, name)[:, months] for name in ("peak", "prompt", "waiting")})

    def part(self, share: Array) -> "Need":
        """What a share of the load asks, one share a scenario."""
        rates = {name: getattr(self, name) * share[:, None] for name in ("peak", "prompt", "waiting")}
        return replace(self, **rates)

    def mean(self, weights: Array) -> "Need":
        """What the mean month asks, months weighted over (scenario, month): rates over (scenario, 1)."""
        total = np.maximum(weights.sum(axis=1), 1e-12)
        rates = {n: np.einsum("sm,sm->s", getattr(self, n), weights) / total for n in ("peak", "prompt", "waiting")}
        return replace(self, **{name: rate[:, None] for name, rate in rates.items()})

    def busy(self, kind: Array, scenario: Array) -> Array:
        """Replicas at work on average on all of the load, over (the kinds and scenarios asked, month) [replica]."""
        return self.seconds[kind, scenario][..., None] * (self.prompt + self.waiting)[scenario]


def needed(facts: Facts, model: str, load: Load) -> Need:
    """What a load asks of every kind of replica of a model.

    Busy replicas at peak = peak rate of what cannot wait x seconds per request / share the service level leaves.
    Work that can wait is kept apart.
    """
    seconds, slots = rates(facts, model, load)
    possible = np.isfinite(seconds)
    seconds = np.where(possible, seconds, 0.0)
    per_second = load.requests / SECONDS_PER_MONTH
    prompt = per_second * (1 - load.batch_share)
    z = serving.peakedness(facts.value("demand.arrival_cv"), facts.value("serving.peakedness_cap"))
    headroom = np.asarray(serving.headroom(load.headroom_beta, z, np.maximum(slots, 1)))
    return Need(
        model=model,
        seconds=seconds[..., 0],
        planned=(seconds / load.derate)[..., 0],
        headroom=headroom[..., 0],
        possible=possible[..., 0],
        peak=prompt * load.spikiness,
        prompt=prompt,
        waiting=per_second - prompt,
        spare=load.spare_replicas[:, 0],
        busiest_share=facts.value("serving.busiest_share"),
    )
