"""Kinds of replica: every way to serve an open model on a GPU type, measured where possible."""

from typing import Any

import numpy as np
import pandas as pd

from . import serving, throughput
from .facts import Facts
from .units import Array

PEAKS = {"fp16": "bf16_tflops", "fp8": "fp8_tflops", "fp4": "fp4_tflops"}
WEIGHTS = {"fp16": "weights_gb_16bit", "fp8": "weights_gb_8bit", "fp4": "weights_gb_4bit"}


EIGHT_BIT = 0.5
"""Bytes of an 8-bit number over those of a 16-bit one."""

ROOFLINE = "roofline"
"""How throughput is known where nobody measured; `throughput` names the other two ways."""


def kinds(facts: Facts, model: str) -> pd.DataFrame:
    """Every kind of replica of a model on the GPU types one can rent or buy that holds its weights, one row each.

    Columns: model, gpu, gpus, precision, basis, alpha, beta, gamma, scale, max_sequences, weights_gb, kv_gb,
    kv_bytes_per_token. A GPU type nobody measured with the model gets a roofline alone, 8 bit where it computes in 8
    bit, else 16.
    """
    return facts.cached(("kinds", model), lambda: _kinds(facts, model))


def _kinds(facts: Facts, model: str) -> pd.DataFrame:
    measured = facts.cached("fits", lambda: throughput.fits(measured_points(facts)))
    on_offer = set(facts.table("machines")["gpu"]) | set(facts.table("servers")["gpu"])
    rows = measured[(measured["model"] == model) & measured["gpu"].isin(on_offer)].to_dict("records")
    for gpu in sorted(on_offer - {row["gpu"] for row in rows}):
        rows += _unmeasured(facts, model, str(gpu))
    columns = [*throughput.REPLICA, "basis", *throughput.COEFFICIENTS, "scale"]
    return _with_memory(facts, pd.DataFrame(rows, columns=columns), model)


def _unmeasured(facts: Facts, model: str, gpu: str) -> list[dict[str, Any]]:
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
    if card[["bf16_tflops", "link_gb_per_s"]].isna().any() or np.isnan(size):
        return []
    scale = 1.0 if np.isnan(card["roofline_share"]) else card["roofline_share"]
    return [{"model": model, "gpu": gpu, "gpus": size, "precision": precision, "basis": ROOFLINE, "scale": scale}]


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
        held = serving.sequences(rows["kv_gb"], rows["kv_bytes_per_token"], isl + osl, rows["max_sequences"])
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
    shape, fitted = facts.cached(("roofline", model), lambda: roofline_shape(facts, model, kinds(facts, model)))
    return _spread_roofline(shape, fitted, batch, isl, osl, cached)


def _spread_roofline(
    shape: dict[str, Any], fitted: dict[str, float], batch: Array, isl: Array, osl: Array, cached: Array
) -> Array:
    """`serving.roofline_seconds` with what describes the rows spread along the first axis of `batch`."""
    along = (-1, *[1] * (np.ndim(batch) - 1))
    aligned = {name: value.reshape(along) if np.ndim(value) else value for name, value in shape.items()}
    return np.asarray(serving.roofline_seconds(aligned, fitted, batch, isl, osl, cached))


def roofline_shape(facts: Facts, model: str, rows: pd.DataFrame) -> tuple[dict[str, Any], dict[str, float]]:
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
    }
    return shape | {name: np.asarray(v, float) for name, v in by_row.items()}, fitted


def spread_of_kinds(facts: Facts, model: str) -> Array:
    """Standard deviation of the logarithm of the throughput of every kind of replica, by how it is known."""

    def make() -> Array:
        roofline = "roofline_moe" if facts.table("models").at[model, "experts"] > 0 else "roofline_dense"
        known = {basis: basis for basis in (throughput.FITTED, throughput.SCALED)} | {ROOFLINE: roofline}
        bases = kinds(facts, model)["basis"]
        return np.array([facts.value(f"throughput_sigma.{known[basis]}") for basis in bases])

    sigma: Array = facts.cached(("throughput spread", model), make)
    return sigma


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
