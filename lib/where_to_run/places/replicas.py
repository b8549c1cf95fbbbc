"""Replicas: every way to serve an open model on a GPU type, and how many of each a load needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..formulas import demand, queueing, throughput
from ..inputs.facts import Facts, of_tables, rows_of
from ..inputs.question import BY_NAME
from ..units import GB_PER_GIB, SECONDS_PER_MS, Array
from .workload import Load, limits


@dataclass(frozen=True)
class Rates:
    """How fast every kind of replica of a model serves requests at their service level, over (kind, scenario, 1).

    `seconds` of replica time a request takes and `planned` seconds it takes of the planned capacity, both infinite
    where a kind cannot serve it; `slots`, the requests it holds at once; and over (kind, scenario) `basis`, how that is
    known.
    """

    seconds: Array
    planned: Array
    slots: Array
    basis: Array

    @staticmethod
    def joined(parts: Sequence["Rates"], rows: Sequence[Array]) -> "Rates":
        """Rates of parts of the scenarios, which are at the rows given, put together."""
        back = np.argsort(np.concatenate(rows))
        names = ("seconds", "planned", "slots", "basis")
        return Rates(*(np.concatenate([getattr(part, name) for part in parts], axis=1)[:, back] for name in names))


def rates(facts: Facts, model: str, isl: Array, osl: Array, cached: Array, level: Array, engine: Array) -> Rates:
    """How fast every kind of replica of a model serves requests, by what each is over (scenario, 1): the tokens of its
    prompt and its answer, the share of the prompt that is cached, its service level, and the serving engine.
    """
    asked = list(zip(level[:, 0], engine[:, 0], strict=True))
    if len(pairs := list(dict.fromkeys(asked))) == 1:
        return _rates(facts, model, isl, osl, cached, *pairs[0])
    number = {pair: n for n, pair in enumerate(pairs)}
    at = np.array([number[pair] for pair in asked])
    rows = [np.flatnonzero(at == n) for n in range(len(pairs))]
    parts = [
        _rates(facts.take(here), model, isl[here], osl[here], cached[here], *pair)
        for here, pair in zip(rows, pairs, strict=True)
    ]
    return Rates.joined(parts, rows)


def _rates(facts: Facts, model: str, isl: Array, osl: Array, cached: Array, level: str, engine: str) -> Rates:
    """Rates at one service level on one engine.

    Of a kind with rows of data/throughput.csv at that level the roofline with as many requests at once, times what the
    rows are off it, the nearest row most; of any other the fit or the roofline at full load, the share of it that a
    team reaches, and what the service level leaves: the flat derate, or less where the time per token asks for it.
    """
    column, context_tokens = kind_columns(facts, model)
    known = at_level(facts, model, level, engine)
    slots = throughput.sequences(column["kv_gb"], column["kv_bytes_per_token"], isl + osl, column["max_sequences"])
    holds, full = (slots >= 1) & (isl + osl <= context_tokens) & known.offered, np.maximum(slots, 1)
    roofline = throughput.roofline(*kind_shapes(facts, model), isl, osl, cached)
    batch = roofline.within(limits(facts, level)[1] * SECONDS_PER_MS, full)
    near = throughput.nearness(known.points, np.log(np.hstack([isl, osl])))

    def spoken(of: Array) -> Array:
        said: Array = (near * of[:, None]).sum(axis=-1)[..., None]
        return said

    batch = np.where(known.known, np.minimum(np.exp(spoken(known.held)), full), batch)
    holds &= np.where(known.known, spoken(known.reached) > HALF, batch > 0)
    limited, unlimited = roofline.seconds(np.maximum(batch, 1)), roofline.seconds(full)
    fitted = throughput.seconds_per_request((column["alpha"], column["beta"], column["gamma"]), isl, osl, cached)
    seconds = np.where(column["basis"] == throughput.FITTED, fitted, unlimited / column["scale"])
    seconds = np.where(known.known, limited * np.exp(spoken(known.off)), seconds / reached_share(facts, model, engine))
    left = np.minimum(facts.value(f"service.{level}.derate"), unlimited / limited)
    if isinstance(drawn := facts.factor("throughput"), np.ndarray):
        seconds = seconds / drawn**known.spread
    seconds = np.where(holds, seconds, np.inf)
    at_once = np.where(known.known, batch, slots)
    planned = seconds / np.where(known.known, 1.0, left)
    return Rates(seconds, planned, at_once, np.broadcast_to(known.basis, holds.shape[:2]))


HALF = 0.5
"""Of what the rows near a request say: whether a service level can be kept."""


def reached_share(facts: Facts, model: str, engine: str) -> Any:
    """Share of the published maximum of TensorRT-LLM that a team reaches with an engine; less on a large mixture."""
    weights = facts.table("models").loc[model]
    if weights["experts"] > 0 and weights["total_params_b"] >= facts.values["serving.large_mixture_b"]:
        return facts.value("serving.engine_share_large_mixture")
    return 1.0 if engine == TENSORRT else facts.value("serving.engine_share")


TENSORRT = "tensorrt_llm"
"""The engine whose published maximum at full load the fits and the roofline follow."""


@dataclass(frozen=True)
class Level:
    """What data/throughput.csv says of every kind of replica at a service level.

    Over (kind, 1, 1): whether a kind is `known` there, whether it is `offered`, which it is not beside a better known
    one of its GPU type and precision, and the `spread` of the logarithm of its throughput. Over (kind, point), a point
    for each shape of request: `points` their tokens in and out and `held` the requests at once [log], `off` how much
    longer a request takes than by the roofline [log], `reached` whether the level can be kept (1 or 0). `basis`, how
    a kind is known, over (kind, 1).
    """

    known: Array
    offered: Array
    spread: Array
    points: Array
    held: Array
    off: Array
    reached: Array
    basis: Array


@of_tables
def at_level(facts: Facts, model: str, level: str, engine: str) -> Level:
    """The `Level` of a model's kinds on an engine: its own rows first, then those of another engine."""
    rows, told = kinds(facts, model), [_shapes(facts, model, level, engine, kind) for kind in _names(facts, model)]
    most = max([1, *(len(shapes) for _, shapes in told)])
    points = np.full((len(rows), most, 2), np.nan)
    held, off, reached = np.zeros((3, len(rows), most))
    shape, fitted = roofline_shape(facts, model, rows)
    for k, (_, shapes) in enumerate(told):
        own = {name: value[k] if np.ndim(value) else value for name, value in shape.items()}
        for n, point in enumerate(shapes):
            isl, osl = point["input_tokens"], point["output_tokens"]
            room = throughput.sequences(rows["kv_gb"][k], rows["kv_bytes_per_token"][k], isl + osl, np.inf)
            at_once = min(point["concurrency"], max(room, 1))
            seconds = throughput.roofline(own, fitted, isl, osl, 0.0).seconds(at_once)
            points[k, n], held[k, n] = np.log([isl, osl]), np.log(at_once)
            off[k, n] = np.log(osl / point["output_tokens_per_s"] / seconds)
            reached[k, n] = point["reached"]
    known = np.array([bool(shapes) for _, shapes in told])
    basis = np.where(known, [name for name, _ in told], rows["basis"])
    rank = np.array([RANKS[name] for name in basis])
    best = pd.Series(rank).groupby([rows["gpu"], rows["precision"]]).transform("min").to_numpy()
    alone = "roofline_moe" if facts.table("models").at[model, "experts"] > 0 else "roofline_dense"
    spread = [facts.value(f"throughput_sigma.{alone if name == ROOFLINE else name}") for name in basis]
    known, offered, wide = (part[:, None, None] for part in (known, rank == best, np.array(spread, float)))
    return Level(known, offered, wide, points, held, off, reached, basis.astype(object)[:, None])


def _names(facts: Facts, model: str) -> list[tuple[Any, ...]]:
    return list(kinds(facts, model)[["gpu", "gpus", "precision"]].itertuples(index=False, name=None))


def _shapes(
    facts: Facts, model: str, level: str, engine: str, kind: tuple[Any, ...]
) -> tuple[str, list[dict[str, Any]]]:
    """How a kind is known at a service level, and the row of each shape of request that says most of it.

    A row answers a level whose times its own keep. One that was measured between others says exactly what a replica
    does; one at the end of its sweep says what it does at least. Where none keeps the level, the level is not reached.
    """
    ttft, tpot = limits(facts, level)
    every = level_rows(facts).get((model, *kind), {})
    for name in dict.fromkeys([engine, *ENGINES]):
        if name not in every:
            continue
        found, bases = [], set()
        for rows in every[name].values():
            within = [row for row in rows if row["ttft_ms"] <= ttft and row["tpot_ms"] <= tpot]
            exact = [row for row in within if row["service_level"] == level and row["at_least"] == "no"]
            exact = [row for row in exact if row["basis"] == MEASURED]
            row = max(exact or within or rows, key=lambda row: row["output_tokens_per_s"])
            found.append(row | {"reached": bool(within)})
            bases.add(row["basis"] or MEASURED)
        if not any(row["reached"] for row in found):
            bases |= {MODELLED}
        basis = bases.pop() if len(bases) == 1 else ANCHORED if bases & {MEASURED, ANCHORED} else MODELLED
        return (basis if name == engine else OTHER_ENGINE), found
    return "", []


@of_tables
def level_rows(facts: Facts) -> dict[tuple[Any, ...], dict[str, dict[tuple[float, float], list[dict[str, Any]]]]]:
    """Rows of data/throughput.csv with times, by model, GPU type, GPUs and precision, engine, tokens in and out."""
    rows, found = facts.table("throughput"), dict[Any, Any]()
    for row in rows[rows["concurrency"].notna()].to_dict("records"):
        kind = row["model"], row["gpu"], row["gpus"], row["precision"]
        shape = row["input_tokens"], row["output_tokens"]
        found.setdefault(kind, {}).setdefault(row["engine"], {}).setdefault(shape, []).append(row)
    return found


@of_tables
def kind_columns(facts: Facts, model: str) -> tuple[dict[str, Any], float]:
    """The columns of `kinds` over (kind, 1, 1), and the longest request the model takes [token]."""
    rows = kinds(facts, model)
    columns = {str(name): rows[name].to_numpy()[:, None, None] for name in rows.columns}
    return columns, float(facts.table("models").at[model, "context_tokens"])


BY_KIND = ("seconds", "planned", "headroom", "possible", "basis")
"""What a `Need` has over (kind, scenario)."""


@dataclass(frozen=True)
class Need:
    """What a load asks of every kind of replica of a model.

    Over (kind, scenario): `seconds` of replica time a request takes, `planned` seconds it takes of the planned
    capacity, `headroom` in replicas per square root of busy ones, `possible`, false where a replica cannot hold a
    single request or keep the service level, and `basis`, how its throughput is known. Over (scenario, month)
    [request/s]: `peak` and `prompt`, busiest hours and mean of what cannot wait, and `waiting`, what can. No pool is
    planned above `busiest_share`.
    """

    model: str
    seconds: Array
    planned: Array
    headroom: Array
    possible: Array
    basis: Array
    peak: Array
    prompt: Array
    waiting: Array
    busiest_share: float

    @cached_property
    def waits(self) -> bool:
        """Whether any of the load can wait."""
        return bool(self.waiting.any())

    def times(self, kind: Array, each: Array, one: Array, other: Array) -> Array:
        """How many machines of one offer are never short of what one of another carries, over (the pairs asked).

        Offers by their kind of replica and the replicas a machine holds. Term by term of (busy + headroom sqrt(busy)) /
        each, the machines a load needs, in the scenario that asks for most; so many times the machines need at most so
        many times the spares.
        """
        planned = np.where(self.possible, self.planned, np.inf)
        terms = np.stack([planned, self.headroom * np.sqrt(planned)])
        with np.errstate(divide="ignore", invalid="ignore"):
            by_kind = np.stack([(terms / terms[:, [k]]).max(axis=(0, 2)) for k in range(len(planned))], axis=1)
        times = by_kind[kind[one], kind[other]] * each[other] / each[one]
        return np.where(np.isnan(times), np.inf, times)

    def carried(self, kind: Array, scenario: Array, replicas: Array) -> Array:
        """Rate that replicas over (the kinds and scenarios asked, month) carry with their headroom [request/s]."""
        headroom = self.headroom[kind, scenario][:, None]
        busy = np.asarray(queueing.busy_at_most(replicas, headroom, self.busiest_share))
        planned = self.planned[kind, scenario][:, None]
        return np.divide(busy, planned, out=np.zeros_like(busy), where=planned > 0)

    def take(self, rows: Array) -> "Need":
        """The same in some of the scenarios."""
        by_kind = {name: getattr(self, name)[:, rows] for name in BY_KIND}
        rates = {name: getattr(self, name)[rows] for name in ("peak", "prompt", "waiting")}
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

    def typical(self, weights: Array) -> "Need":
        """What the quietest, the mean and the busiest month ask, of those with a weight over (scenario, month).

        Rates over (scenario, 3).
        """
        mean, some = self.mean(weights), weights > 0
        made: dict[str, Any] = {}
        for name in ("peak", "prompt", "waiting"):
            rates = getattr(self, name)
            least = np.where(some, rates, np.inf).min(axis=1, keepdims=True)
            most = np.where(some, rates, 0.0).max(axis=1, keepdims=True)
            made[name] = np.concatenate([np.minimum(least, most), getattr(mean, name), most], axis=1)
        return replace(self, **made)

    def busy(self, kind: Array, scenario: Array) -> Array:
        """Replicas at work on average on all of the load, over (the kinds and scenarios asked, month) [replica]."""
        return self.seconds[kind, scenario][..., None] * (self.prompt + self.waiting)[scenario]


@dataclass(frozen=True)
class Workload:
    """What a place is asked to carry: a demand, the replicas it needs, the GPU type each scenario insists on or
    `cheapest`, and the worth today of a dollar in each month, over (scenario, month). `barred` says over (row of the
    table of machines, scenario) which machines the rules bar, where they bar any. `course` is what rents are of
    today's, over (scenario, month), where they change.
    """

    load: Load
    need: Need
    gpu: Array
    factors: Array
    barred: Array | None = None
    course: Array | float = 1.0

    def part(self, share: Array, barred: Array | None = None) -> "Workload":
        """A share of it, one share a scenario, with machines that the rules bar for it."""
        return replace(self, load=self.load.part(share), need=self.need.part(share), barred=barred)

    def at(self, months: Array, factors: Array) -> "Workload":
        """The same in some of the months, with other factors."""
        course = self.course[:, months] if isinstance(self.course, np.ndarray) else self.course
        return replace(self, load=self.load.at(months), need=self.need.at(months), factors=factors, course=course)

    def __len__(self) -> int:
        return len(self.gpu)

    @property
    def horizon(self) -> Array:
        """Months of service, by scenario."""
        return np.asarray(self.load.live.sum(axis=1).astype(int))

    @cached_property
    def mean_course(self) -> Array:
        """What rents are of today's in the mean over all requests, by scenario; 1 where there are none."""
        mean = np.ones(len(self))
        if not isinstance(self.course, np.ndarray):
            return mean
        weights = self.rates * self.factors
        total = weights.sum(axis=1)
        return np.divide((weights * self.course).sum(axis=1), total, out=mean, where=total > 0)

    @property
    def rates(self) -> Array:
        """Rate of all requests over (scenario, month) [request/s]."""
        return np.asarray(self.need.prompt + self.need.waiting)


def needed(facts: Facts, model: str, load: Load) -> Need:
    """What a load asks of every kind of replica of a model.

    Busy replicas at peak = peak rate of what cannot wait x seconds per request / share the service level leaves.
    Work that can wait is kept apart.
    """
    asked = load.input_tokens, load.output_tokens, load.cached_share, load.level, load.engine
    found = rates(facts, model, *asked)
    possible = np.isfinite(found.seconds)
    seconds, planned = (np.where(possible, usual, 0.0)[..., 0] for usual in (found.seconds, found.planned))
    per_second = demand.requests_per_second(load.requests)
    prompt = per_second * (1 - load.batch_share)
    z = queueing.peakedness(facts.value("demand.arrival_cv"), facts.value("serving.peakedness_cap"))
    headroom = np.asarray(queueing.headroom(load.headroom_beta, z, np.maximum(found.slots, 1)))
    return Need(
        model=model,
        seconds=seconds,
        planned=planned,
        headroom=headroom[..., 0],
        possible=possible[..., 0],
        basis=found.basis,
        peak=prompt * load.spikiness,
        prompt=prompt,
        waiting=per_second - prompt,
        busiest_share=facts.value("serving.busiest_share"),
    )


WEIGHT_ONLY = ("w8a16", "w4a16")
PEAKS = {"fp8": "fp8_tflops", "fp4": "fp4_tflops"} | dict.fromkeys(("fp16", *WEIGHT_ONLY), "bf16_tflops")
WEIGHTS = {"fp16": "16bit", "w8a16": "8bit", "fp8": "8bit", "w4a16": "4bit", "fp4": "4bit"}
"""Precisions, the column of their peak and that of their weights; `w8a16` and `w4a16` round the weights alone."""

EIGHT_BIT = 0.5
"""Bytes of an 8-bit number over those of a 16-bit one."""

MEASURED, ANCHORED, MODELLED, OTHER_ENGINE = "measured", "anchored", "modelled", "other_engine"
ROOFLINE = "roofline"
FLAT = (throughput.FITTED, throughput.SCALED, ROOFLINE)
RANKS = {MEASURED: 0, ANCHORED: 0, MODELLED: 0, OTHER_ENGINE: 1} | dict.fromkeys(FLAT, 2)
"""How throughput is known, and what is taken before what: at the service level measured, modelled and held to a
measurement of the same model, GPU type and engine, or modelled alone; any of these on another engine; else at full
load by a fit, by a roofline scaled to measurements, or by the roofline alone.
"""

ENGINES = BY_NAME["engine"].choices


@of_tables
def kinds(facts: Facts, model: str) -> pd.DataFrame:
    """Every kind of replica of a model on the GPU types one can rent or buy that holds its weights, one row each.

    Columns: model, gpu, gpus, precision, basis, alpha, beta, gamma, scale, max_sequences, weights_gb, kv_gb,
    kv_bytes_per_token. A GPU type nobody measured with the model gets a roofline alone, 8 bit where it computes in 8
    bit, else 16.
    """
    measured, levels = fits(facts), level_rows(facts)
    on_offer = set().union(*(facts.table(name)["gpu"] for name in ("machines", "servers", "dedicated")))
    rows = measured[(measured["model"] == model) & measured["gpu"].isin(on_offer)].to_dict("records")
    names = {(row["gpu"], row["gpus"], row["precision"]) for row in rows}
    more = sorted(kind[1:] for kind in levels if kind[0] == model and kind[1] in on_offer and kind[1:] not in names)
    for gpu in sorted(on_offer):
        here = {name[2] for name in (*names, *more) if name[0] == gpu}
        fewest = [_fewest(facts, model, gpu, precision) for precision in sorted(_unmeasured(facts, gpu) - here)]
        more += [kind for kind in fewest if kind and (not here or kind[2] in WEIGHT_ONLY)]
    share = facts.table("gpus")["roofline_share"].fillna(1.0)
    rows += [{"gpu": g, "gpus": n, "precision": p, "basis": ROOFLINE, "scale": share[g]} for g, n, p in more]
    columns = [*throughput.REPLICA, "basis", *throughput.COEFFICIENTS, "scale"]
    return _with_memory(facts, pd.DataFrame(rows, columns=columns).assign(model=model), model)


@of_tables
def _unmeasured(facts: Facts, gpu: str) -> set[str]:
    """Precisions at which people run a GPU type: 8 bit where it computes in 8 bit, else 16 and 8-bit weights; 4-bit
    weights on those and on small ones.
    """
    card = rows_of(facts, "gpus")[gpu]
    if np.isnan([card["bf16_tflops"], card["link_gb_per_s"]]).any():
        return set()
    if not card["fp8_tflops"] > 0:
        return {"fp16", *WEIGHT_ONLY}
    return {"fp8", "w4a16"} if card["memory_gib"] < facts.value("serving.large_gpu_gb") else {"fp8"}


def _fewest(facts: Facts, model: str, gpu: str, precision: str) -> tuple[str, float, str] | None:
    """The replica of fewest GPUs that holds the weights at a precision; None where none does, or there are no such.

    At 8 bit alone weights of 4 bit are computed with too.
    """
    weights = rows_of(facts, "models")[model]
    if precision != "fp8" and np.isnan(weights[f"weights_gb_{WEIGHTS[precision]}"]):
        return None
    size = float(
        throughput.smallest_replica(
            rows_of(facts, "gpus")[gpu]["memory_gib"] * GB_PER_GIB,
            weights_gb(weights, precision),
            facts.value("serving.memory_share"),
            facts.value("serving.memory_overhead_gb"),
            facts.value("serving.kv_reserve_share"),
        )
    )
    return None if np.isnan(size) else (gpu, size, precision)


def replica_words(kind: Mapping[str, Any]) -> str:
    """A kind of replica in words, as `2 x h100, fp8`."""
    return f"{kind['gpus']:.0f} x {kind['gpu']}, {kind['precision']}"


PROMPTS, ANSWERS = np.geomspace(100, 25_600, 5), np.geomspace(50, 12_800, 5)
"""Tokens of the requests by which models are compared before they are sized."""


@dataclass(frozen=True)
class Machine:
    """Machines to rent that hold replicas of a model, over (machine): least rent [USD/hour], replicas each holds, and
    seconds of the planned capacity of a
    replica a request takes over (machine, PROMPTS, ANSWERS); infinite where it holds none. The longest
    request the model takes [token].
    """

    usd_per_h: Array
    each: Array
    seconds: Array
    context_tokens: float


@of_tables
def on_rent(facts: Facts, model: str, may: bytes, level: str, engine: str) -> Machine:
    """The machines of data/machines.csv that hold a model and that no other undercuts, alone and at a service level.

    Of those that `may` be rented: a byte a machine, in the order of the table.
    """
    rows = kinds(facts, model).reset_index(names="kind")
    machines = facts.table("machines")[np.frombuffer(may, bool)].reset_index()
    pairs = machines.merge(rows, on="gpu", suffixes=("", "_replica"))
    pairs = pairs[pairs["gpus_replica"] <= pairs["gpus"]]
    prompts, answers = (size.reshape(-1, 1) for size in np.meshgrid(PROMPTS, ANSWERS, indexing="ij"))
    found = _rates(facts, model, prompts, answers, np.zeros_like(prompts), level, engine)
    seconds = found.planned[pairs["kind"], :, 0]
    rents = pairs[[name for name in pairs if name.endswith("_usd_per_h")]].min(axis=1).to_numpy(float)
    each = np.floor(pairs["gpus"] / pairs["gpus_replica"]).to_numpy()
    kept = undominated(np.column_stack([rents, rents / each, seconds * (rents / each)[:, None]]))
    context = float(facts.table("models").at[model, "context_tokens"])
    return Machine(rents[kept], each[kept], seconds[kept].reshape(len(kept), len(PROMPTS), len(ANSWERS)), context)


def undominated(less: Array) -> Array:
    """Positions of the rows that no other undercuts in every column; of equal rows the first."""
    no_more = (less[None] <= less[:, None]).all(axis=2)
    earlier = np.arange(len(less)) < np.arange(len(less))[:, None]
    beaten = no_more & ((less[None] < less[:, None]).any(axis=2) | earlier)
    return np.flatnonzero(~beaten.any(axis=1))


@of_tables
def rounded(facts: Facts, model: str) -> Array:
    """Which kinds of replica compute with weights rounded to 4 bit of a model published at more."""
    published = facts.table("models").loc[model, ["weights_gb_16bit", "weights_gb_8bit"]].notna().any()
    return kinds(facts, model)["precision"].isin(["fp4", "w4a16"]).to_numpy() & bool(published)


@of_tables
def fits(facts: Facts) -> pd.DataFrame:
    """The fits of `throughput.fits` to all that was measured."""
    return throughput.fits(measured_points(facts))


def weights_gb(model: Mapping[str, Any], precision: str) -> float:
    """Weights an engine loads to compute at a precision [GB]: those of that precision, else the next lower there is.

    A model published at 4 bit alone (gpt-oss) is never larger; NaN where it has none so low.
    """
    order = ["16bit", "8bit", "4bit"]
    sizes = [float(model[f"weights_gb_{lower}"]) for lower in order[order.index(WEIGHTS[precision]) :]]
    return next((size for size in sizes if not np.isnan(size)), np.nan)


def _with_memory(facts: Facts, rows: pd.DataFrame, model: str) -> pd.DataFrame:
    """Memory left for the cache and bytes of cache per token, for the rows whose weights fit."""
    cards, weights = facts.table("gpus").loc[rows["gpu"]], rows_of(facts, "models")[model]
    gb = rows["precision"].map({precision: weights_gb(weights, precision) for precision in WEIGHTS})
    kv_gb = throughput.kv_cache_gb(
        rows["gpus"].to_numpy(),
        cards["memory_gib"].to_numpy() * GB_PER_GIB,
        gb.to_numpy(float),
        facts.value("serving.memory_share"),
        facts.value("serving.memory_overhead_gb"),
        facts.value("serving.weight_overhead_ratio"),
    )
    # an 8-bit or 4-bit engine keeps its cache in 8 bit: half the 16-bit bytes
    kv_bytes = weights["kv_bytes_per_token"] * np.where(rows["precision"].isin(["fp8", "fp4"]), EIGHT_BIT, 1.0)
    large = cards["memory_gib"].to_numpy() >= facts.value("serving.large_gpu_gb")
    most = facts.value("serving.max_sequences_large_gpu"), facts.value("serving.max_sequences")
    rows = rows.assign(weights_gb=gb, kv_gb=kv_gb, kv_bytes_per_token=kv_bytes, max_sequences=np.where(large, *most))
    return rows[rows["kv_gb"] > 0].reset_index(drop=True)


def measured_points(facts: Facts) -> pd.DataFrame:
    """The points measured at full load, each with what the roofline says at its shape: `roofline_tokens_per_s`
    [token/s].

    Left out are points of replicas whose weights fill the memory share we plan with.
    """
    parts = []
    table = facts.table("throughput")
    for model, points in table[table["concurrency"].isna()].groupby("model"):
        rows = _with_memory(facts, points.reset_index(drop=True), str(model))
        isl, osl = (rows[name].to_numpy(float) for name in ("input_tokens", "output_tokens"))
        held = throughput.sequences(rows["kv_gb"], rows["kv_bytes_per_token"], isl + osl, rows["max_sequences"])
        seconds = roofline_seconds(facts, str(model), rows, np.maximum(held, 1), isl, osl, np.zeros(len(rows)))
        parts.append(rows.assign(roofline_tokens_per_s=osl / seconds))
    return pd.concat(parts, ignore_index=True)


def roofline_seconds(
    facts: Facts, model: str, rows: pd.DataFrame, batch: Array, isl: Array, osl: Array, cached: Array
) -> Array:
    """Seconds a request takes by the roofline on every row, for arrays whose first axis is the row."""
    shape, fitted = roofline_shape(facts, model, rows)
    return np.asarray(throughput.roofline(shape, fitted, isl, osl, cached).seconds(batch))


@of_tables
def kind_shapes(facts: Facts, model: str) -> tuple[dict[str, Any], dict[str, float]]:
    """`roofline_shape` of every kind of replica of a model, over (kind, 1, 1)."""
    shape, fitted = roofline_shape(facts, model, kinds(facts, model))
    return {name: v[:, None, None] if np.ndim(v) else v for name, v in shape.items()}, fitted


def roofline_shape(facts: Facts, model: str, rows: pd.DataFrame) -> tuple[dict[str, Any], dict[str, float]]:
    """Model and GPUs as `throughput.roofline` wants them, and its coefficients, dense or mixture of experts."""
    card, weights = facts.table("gpus").loc[rows["gpu"]], rows_of(facts, "models")[model]
    mixture = bool(weights["experts"] > 0)
    kind = "moe" if mixture else "dense"
    names = ("prefill_mfu", "decode_mfu", "bandwidth_share", "step_ms", "sequence_us", "link_latency_us")
    fitted = {name: facts.value(f"roofline.{kind}.{name}") for name in names}
    fitted |= {name: facts.value(f"roofline.{name}") for name in ("link_share", "attention_mfu")}
    of_gpu = rows_of(facts, "gpus")
    peak = np.array([of_gpu[gpu][PEAKS[p]] for gpu, p in zip(rows["gpu"], rows["precision"], strict=True)])
    peak = peak * np.where(rows["precision"] == "fp4", facts.value("roofline.fp4_peak_share"), 1.0)
    shape: dict[str, Any] = {name: weights[name] for name in ("layers", "hidden", "active_params_b")}
    width = weights["attention_heads"] * weights["head_dim"]
    shape["attention_width"] = width if np.isfinite(width) else weights["hidden"]
    shape |= expert_shares(weights) if mixture else {"expert_share": 0.0, "experts_per_token_share": 0.0}
    by_row = {
        "gpus": rows["gpus"],
        "weights_gb": rows["weights_gb"],
        "kv_bytes_per_token": rows["kv_bytes_per_token"],
        "tflops": peak,
        "bf16_tflops": card["bf16_tflops"],
        "bandwidth_gb_per_s": card["bandwidth_gb_per_s"],
        "link_gb_per_s": card["link_gb_per_s"],
    }
    return shape | {name: np.asarray(v, float) for name, v in by_row.items()}, fitted


def expert_shares(weights: Mapping[str, Any]) -> dict[str, float]:
    """Share of the weights that sits in experts, and share of the experts one token uses.

    total = rest + experts x e and active = rest + used x e give e, the size of one expert.
    """
    size = (weights["total_params_b"] - weights["active_params_b"]) / (
        weights["experts"] - weights["experts_per_token"]
    )
    return {
        "expert_share": float(weights["experts"] * size / weights["total_params_b"]),
        "experts_per_token_share": float(weights["experts_per_token"] / weights["experts"]),
    }
