"""Replicas: every way to serve an open model on a GPU type, and how many of each a load needs."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..formulas import demand, queueing, throughput
from ..inputs.facts import Facts, of_tables
from ..units import Array
from .workload import Load


def rates(facts: Facts, model: str, isl: Array, osl: Array, cached: Array) -> tuple[Array, Array]:
    """Seconds of replica time a request takes and requests a replica holds at once, over (kind, scenario, 1).

    By the tokens of its prompt and its answer and the share of the prompt that is cached, over (scenario, 1).
    The seconds include the share of the published engine maximum a team reaches. They are infinite where a kind cannot
    hold a single request, or where the request is longer than the model's context.
    """
    column, context_tokens = kind_columns(facts, model)
    slots = throughput.sequences(column["kv_gb"], column["kv_bytes_per_token"], isl + osl, column["max_sequences"])
    seconds = throughput.seconds_per_request((column["alpha"], column["beta"], column["gamma"]), isl, osl, cached)
    estimated = column["basis"] != throughput.FITTED
    if estimated.any():
        roofline = roofline_of_kinds(facts, model, np.maximum(slots, 1), isl, osl, cached)
        seconds = np.where(estimated, roofline / column["scale"], seconds)
    if isinstance(drawn := facts.factor("throughput"), np.ndarray):
        seconds = seconds / drawn ** spread_of_kinds(facts, model)[:, None, None]
    holds = (slots >= 1) & (isl + osl <= context_tokens)
    return np.where(holds, seconds / facts.value("serving.engine_share"), np.inf), np.asarray(slots)


@of_tables
def kind_columns(facts: Facts, model: str) -> tuple[dict[str, Any], float]:
    """The columns of `kinds` over (kind, 1, 1), and the longest request the model takes [token]."""
    rows = kinds(facts, model)
    columns = {str(name): rows[name].to_numpy()[:, None, None] for name in rows.columns}
    return columns, float(facts.table("models").at[model, "context_tokens"])


@dataclass(frozen=True)
class Need:
    """What a load asks of every kind of replica of a model.

    Over (kind, scenario): `seconds` of replica time a request takes, `planned` seconds it takes of the planned
    capacity, `headroom` in replicas per square root of busy ones, and `possible`, false where a replica cannot hold a
    single request. Over (scenario, month) [request/s]: `peak` and `prompt`, busiest hours and mean of what cannot
    wait, and `waiting`, what can. No pool is planned above `busiest_share`.
    """

    model: str
    seconds: Array
    planned: Array
    headroom: Array
    possible: Array
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
        by_kind = {name: getattr(self, name)[:, rows] for name in ("seconds", "planned", "headroom", "possible")}
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
    seconds, slots = rates(facts, model, load.input_tokens, load.output_tokens, load.cached_share)
    possible = np.isfinite(seconds)
    seconds = np.where(possible, seconds, 0.0)
    per_second = demand.requests_per_second(load.requests)
    prompt = per_second * (1 - load.batch_share)
    z = queueing.peakedness(facts.value("demand.arrival_cv"), facts.value("serving.peakedness_cap"))
    headroom = np.asarray(queueing.headroom(load.headroom_beta, z, np.maximum(slots, 1)))
    return Need(
        model=model,
        seconds=seconds[..., 0],
        planned=(seconds / load.derate)[..., 0],
        headroom=headroom[..., 0],
        possible=possible[..., 0],
        peak=prompt * load.spikiness,
        prompt=prompt,
        waiting=per_second - prompt,
        busiest_share=facts.value("serving.busiest_share"),
    )


PEAKS = {"fp16": "bf16_tflops", "fp8": "fp8_tflops", "fp4": "fp4_tflops"}
WEIGHTS = {"fp16": "weights_gb_16bit", "fp8": "weights_gb_8bit", "fp4": "weights_gb_4bit"}

EIGHT_BIT = 0.5
"""Bytes of an 8-bit number over those of a 16-bit one."""

ROOFLINE = "roofline"
"""How throughput is known where nobody measured; `throughput` names the other two ways."""


@of_tables
def kinds(facts: Facts, model: str) -> pd.DataFrame:
    """Every kind of replica of a model on the GPU types one can rent or buy that holds its weights, one row each.

    Columns: model, gpu, gpus, precision, basis, alpha, beta, gamma, scale, max_sequences, weights_gb, kv_gb,
    kv_bytes_per_token. A GPU type nobody measured with the model gets a roofline alone, 8 bit where it computes in 8
    bit, else 16.
    """
    measured = fits(facts)
    on_offer = set().union(*(facts.table(name)["gpu"] for name in ("machines", "servers", "dedicated")))
    rows = measured[(measured["model"] == model) & measured["gpu"].isin(on_offer)].to_dict("records")
    for gpu in sorted(on_offer - {row["gpu"] for row in rows}):
        rows += _unmeasured(facts, model, str(gpu))
    columns = [*throughput.REPLICA, "basis", *throughput.COEFFICIENTS, "scale"]
    return _with_memory(facts, pd.DataFrame(rows, columns=columns), model)


PROMPTS, ANSWERS = np.geomspace(100, 25_600, 5), np.geomspace(50, 12_800, 5)
"""Tokens of the requests by which models are compared before they are sized."""


@dataclass(frozen=True)
class Machine:
    """Machines to rent that hold replicas of a model, over (machine): least rent [USD/hour], replicas each holds, and
    seconds of a replica a request takes over (machine, PROMPTS, ANSWERS); infinite where it holds none. The longest
    request the model takes [token].
    """

    usd_per_h: Array
    each: Array
    seconds: Array
    context_tokens: float


@of_tables
def on_rent(facts: Facts, model: str, may: bytes) -> Machine:
    """The machines of data/machines.csv that hold a model and that no other undercuts, alone and full.

    Of those that `may` be rented: a byte a machine, in the order of the table.
    """
    rows = kinds(facts, model).reset_index(names="kind")
    machines = facts.table("machines")[np.frombuffer(may, bool)].reset_index()
    pairs = machines.merge(rows, on="gpu", suffixes=("", "_replica"))
    pairs = pairs[pairs["gpus_replica"] <= pairs["gpus"]]
    prompts, answers = (size.reshape(-1, 1) for size in np.meshgrid(PROMPTS, ANSWERS, indexing="ij"))
    seconds = rates(facts, model, prompts, answers, np.zeros_like(prompts))[0][pairs["kind"], :, 0]
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
    return (kinds(facts, model)["precision"] == "fp4").to_numpy() & bool(published)


@of_tables
def fits(facts: Facts) -> pd.DataFrame:
    """The fits of `throughput.fits` to all that was measured."""
    return throughput.fits(measured_points(facts))


def _unmeasured(facts: Facts, model: str, gpu: str) -> list[dict[str, Any]]:
    card, weights = facts.table("gpus").loc[gpu], facts.table("models").loc[model]
    precision = "fp8" if card["fp8_tflops"] > 0 else "fp16"
    size = float(
        throughput.smallest_replica(
            card["memory_gb"],
            weights_gb(weights, precision),
            facts.value("serving.memory_share"),
            facts.value("serving.memory_overhead_gb"),
            facts.value("serving.kv_reserve_share"),
        )
    )
    if card[["bf16_tflops", "link_gb_per_s"]].isna().any() or np.isnan(size):
        return []
    scale = 1.0 if np.isnan(card["roofline_share"]) else card["roofline_share"]
    return [{"model": model, "gpu": gpu, "gpus": size, "precision": precision, "basis": ROOFLINE, "scale": scale}]


def weights_gb(model: pd.Series, precision: str) -> float:
    """Weights an engine loads to compute at a precision [GB]: those of that precision, else the next lower there is.

    A model published at 4 bit alone (gpt-oss) is never larger; NaN where it has none so low.
    """
    order = list(WEIGHTS)
    sizes = [float(model[WEIGHTS[lower]]) for lower in order[order.index(precision) :]]
    return next((size for size in sizes if not np.isnan(size)), np.nan)


def _with_memory(facts: Facts, rows: pd.DataFrame, model: str) -> pd.DataFrame:
    """Memory left for the cache and bytes of cache per token, for the rows whose weights fit."""
    cards, weights = facts.table("gpus").loc[rows["gpu"]], facts.table("models").loc[model]
    gb = rows["precision"].map({precision: weights_gb(weights, precision) for precision in WEIGHTS})
    kv_gb = throughput.kv_cache_gb(
        rows["gpus"].to_numpy(),
        cards["memory_gb"].to_numpy(),
        gb.to_numpy(float),
        facts.value("serving.memory_share"),
        facts.value("serving.memory_overhead_gb"),
        facts.value("serving.weight_overhead_ratio"),
    )
    # an 8-bit or 4-bit engine keeps its cache in 8 bit: half the 16-bit bytes
    kv_bytes = weights["kv_bytes_per_token"] * np.where(rows["precision"] == "fp16", 1.0, EIGHT_BIT)
    large = cards["memory_gb"].to_numpy() >= facts.value("serving.large_gpu_gb")
    most = facts.value("serving.max_sequences_large_gpu"), facts.value("serving.max_sequences")
    rows = rows.assign(weights_gb=gb, kv_gb=kv_gb, kv_bytes_per_token=kv_bytes, max_sequences=np.where(large, *most))
    return rows[rows["kv_gb"] > 0].reset_index(drop=True)


def measured_points(facts: Facts) -> pd.DataFrame:
    """The measured points, each with what the roofline says at its shape: `roofline_tokens_per_s` [token/s].

    Left out are points of replicas whose weights fill the memory share we plan with.
    """
    parts = []
    for model, points in facts.table("throughput").groupby("model"):
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
    return _spread_roofline(shape, fitted, batch, isl, osl, cached)


def roofline_of_kinds(facts: Facts, model: str, batch: Array, isl: Array, osl: Array, cached: Array) -> Array:
    """Seconds a request takes by the roofline on every kind of replica of a model, over (kind, scenario, 1)."""
    shape, fitted = kind_shapes(facts, model)
    return _spread_roofline(shape, fitted, batch, isl, osl, cached)


@of_tables
def kind_shapes(facts: Facts, model: str) -> tuple[dict[str, Any], dict[str, float]]:
    """`roofline_shape` of every kind of replica of a model."""
    return roofline_shape(facts, model, kinds(facts, model))


def _spread_roofline(
    shape: dict[str, Any], fitted: dict[str, float], batch: Array, isl: Array, osl: Array, cached: Array
) -> Array:
    """`throughput.roofline_seconds` with what describes the rows spread along the first axis of `batch`."""
    along = (-1, *[1] * (np.ndim(batch) - 1))
    aligned = {name: value.reshape(along) if np.ndim(value) else value for name, value in shape.items()}
    return np.asarray(throughput.roofline_seconds(aligned, fitted, batch, isl, osl, cached))


def roofline_shape(facts: Facts, model: str, rows: pd.DataFrame) -> tuple[dict[str, Any], dict[str, float]]:
    """Model and GPUs as `throughput.roofline_seconds` wants them, and its coefficients, dense or mixture of experts."""
    card, weights = facts.table("gpus").loc[rows["gpu"]], facts.table("models").loc[model]
    mixture = bool(weights["experts"] > 0)
    kind = "moe" if mixture else "dense"
    names = ("prefill_mfu", "decode_mfu", "bandwidth_share", "step_ms", "sequence_us", "link_latency_us")
    fitted = {name: facts.value(f"roofline.{kind}.{name}") for name in names}
    fitted |= {name: facts.value(f"roofline.{name}") for name in ("link_share", "attention_mfu")}
    peak = np.array([card[PEAKS[p]].iloc[i] for i, p in enumerate(rows["precision"])])
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


@of_tables
def spread_of_kinds(facts: Facts, model: str) -> Array:
    """Standard deviation of the logarithm of the throughput of every kind of replica, by how it is known."""
    roofline = "roofline_moe" if facts.table("models").at[model, "experts"] > 0 else "roofline_dense"
    known = {basis: basis for basis in (throughput.FITTED, throughput.SCALED)} | {ROOFLINE: roofline}
    return np.array([facts.value(f"throughput_sigma.{known[basis]}") for basis in kinds(facts, model)["basis"]])


def expert_shares(weights: pd.Series) -> dict[str, float]:
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
