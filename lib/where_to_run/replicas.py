"""Replicas: every way to serve an open model on a GPU type, measured where possible, and how many a load needs."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from . import serving, throughput
from .facts import Facts
from .units import SECONDS_PER_MONTH, Array

PEAKS = {"fp16": "bf16_tflops", "fp8": "fp8_tflops", "fp4": "fp4_tflops"}
WEIGHTS = {"fp16": "weights_gb_16bit", "fp8": "weights_gb_8bit", "fp4": "weights_gb_4bit"}


@dataclass(frozen=True)
class Load:
    """Demand on one place. Arrays over (scenario, month 0..H), or (scenario, 1) for what stays the same all along.

    `requests` counts all requests of a month [request/month]; `live` is 1 in the months of the horizon and 0 in
    month 0, the day of the decision, and after the horizon. Where it is 0 there are no requests.
    """

    requests: Array
    live: Array
    input_tokens: Array
    output_tokens: Array
    cached_share: Array
    batch_share: Array
    spikiness: Array
    cv: Array
    headroom_beta: Array
    derate: Array
    spare_replicas: Array

    def part(self, share: Array) -> "Load":
        """The same demand thinned to a share of its requests, one share a scenario."""
        return replace(self, requests=self.requests * share[:, None])


def kinds(facts: Facts, model: str) -> pd.DataFrame:
    """Every kind of replica of a model that fits its GPUs: one row each, with what `rates` needs.

    GPU types one can rent or buy. Measured kinds come first; a type nobody measured with the model gets one by the
    roofline, 8 bit where the GPU computes in 8 bit, else 16. `basis` says which.
    """
    return facts.cached(("kinds", model), lambda: _kinds(facts, model))


def _kinds(facts: Facts, model: str) -> pd.DataFrame:
    points = facts.table("throughput")
    fitted = facts.cached("fitted", lambda: throughput.fit(points))
    rows = fitted[fitted["model"] == model].assign(basis="measured").to_dict("records")
    on_offer = set(facts.table("machines")["gpu"]) | set(facts.table("servers")["gpu"])
    rows = [row for row in rows if row["gpu"] in on_offer]
    for gpu in sorted(on_offer - {row["gpu"] for row in rows}):
        rows += _by_roofline(facts, model, str(gpu))
    return _with_memory(facts, pd.DataFrame(rows), model)


def _by_roofline(facts: Facts, model: str, gpu: str) -> list[dict[str, Any]]:
    card, weights = facts.table("gpus").loc[gpu], facts.table("models").loc[model]
    precision = "fp8" if card["fp8_tflops"] > 0 else "fp16"
    size = float(
        serving.smallest_replica(
            card["memory_gb"],
            weights[WEIGHTS[precision]],
            facts.value("serving.memory_share"),
            facts.value("serving.memory_overhead_gb"),
            facts.value("serving.kv_reserve_share"),
        )
    )
    known = card[["bf16_tflops", "link_gb_per_s"]].notna().all() and np.isfinite(size)
    return [{"model": model, "gpu": gpu, "gpus": size, "precision": precision, "basis": "roofline"}] if known else []


def _with_memory(facts: Facts, rows: pd.DataFrame, model: str) -> pd.DataFrame:
    """Memory left for the cache and bytes of cache per token, for the rows whose weights fit."""
    cards, weights = facts.table("gpus").loc[rows["gpu"]], facts.table("models").loc[model]
    gb = rows["precision"].map({p: weights[column] for p, column in WEIGHTS.items()})
    kv_gb = serving.kv_cache_gb(
        rows["gpus"].to_numpy(),
        cards["memory_gb"].to_numpy(),
        gb.to_numpy(float),
        facts.value("serving.memory_share"),
        facts.value("serving.memory_overhead_gb"),
        facts.value("serving.weight_overhead_ratio"),
    )
    # an 8-bit or 4-bit engine keeps its cache in 8 bit: half the 16-bit bytes
    kv_bytes = weights["kv_bytes_per_token"] * np.where(rows["precision"] == "fp16", 1.0, 0.5)
    rows = rows.reindex(columns=[*throughput.REPLICA, "alpha", "beta", "gamma", "points", "basis"])
    rows = rows.assign(weights_gb=gb, kv_gb=kv_gb, kv_bytes_per_token=kv_bytes)
    return rows[rows["kv_gb"] > 0].reset_index(drop=True)


def rates(facts: Facts, model: str, load: Load) -> tuple[Array, Array]:
    """Seconds of replica time a request takes and requests a replica holds at once, over (kind, scenario, 1).

    The seconds include the share of the published engine maximum a team reaches. They are infinite where a kind cannot
    hold a single request, or where the request is longer than the model's context.
    """
    column = facts.cached(("kind columns", model), lambda: _columns(kinds(facts, model)))
    isl, osl, cached = load.input_tokens, load.output_tokens, load.cached_share
    slots = serving.sequences(
        column["kv_gb"], column["kv_bytes_per_token"], isl + osl, facts.value("serving.max_sequences")
    )
    seconds = serving.seconds_per_request((column["alpha"], column["beta"], column["gamma"]), isl, osl, cached)
    unmeasured = column["basis"] == "roofline"
    if unmeasured.any():
        seconds = np.where(unmeasured, _roofline(facts, model, np.maximum(slots, 1), load), seconds)
    holds = (slots >= 1) & (isl + osl <= facts.table("models").at[model, "context_tokens"])
    return np.where(holds, seconds / facts.value("serving.engine_share"), np.inf), np.asarray(slots)


def _columns(rows: pd.DataFrame) -> dict[str, Array]:
    return {str(name): rows[name].to_numpy()[:, None, None] for name in rows.columns}


def _roofline(facts: Facts, model: str, batch: Array, load: Load) -> Array:
    shape, fitted = facts.cached(("roofline", model), lambda: _roofline_shape(facts, model, kinds(facts, model)))
    seconds = serving.roofline_seconds(shape, fitted, batch, load.input_tokens, load.output_tokens, load.cached_share)
    return np.asarray(seconds) / shape["roofline_share"]


def _roofline_shape(facts: Facts, model: str, rows: pd.DataFrame) -> tuple[dict[str, Any], dict[str, float]]:
    """Model and GPUs as `serving.roofline_seconds` wants them, and its coefficients, dense or mixture of experts."""
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
        "roofline_share": card["roofline_share"].fillna(1.0),
    }
    return shape | {name: np.asarray(v, float)[:, None, None] for name, v in by_row.items()}, fitted


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

    def replicas(self, kind: Array, scenario: Array) -> Array:
        """Whole replicas, with headroom and spare, over (the kinds and scenarios asked, month) [replica]."""
        busy = self.planned[kind, scenario][..., None] * self.peak[scenario]
        whole = np.asarray(serving.replicas_needed(busy, self.headroom[kind, scenario][..., None], self.busiest_share))
        whole += (whole > 0) * self.spare[scenario][..., None]
        return whole

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
