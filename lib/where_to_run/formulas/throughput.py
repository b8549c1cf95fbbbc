"""Throughput: the seconds of a replica a request takes, by fits to published measurements or by the roofline."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from ..units import (
    BYTES_PER_GB,
    FLOPS_PER_TFLOPS,
    PARAMETERS_PER_BILLION,
    SECONDS_PER_MS,
    SECONDS_PER_US,
    Array,
    Number,
)

REPLICA = ["model", "gpu", "gpus", "precision"]
"""What makes two measurements speak of the same kind of replica."""

COEFFICIENTS = ["alpha", "beta", "gamma"]

FITTED, SCALED = "fitted", "scaled"
"""How throughput is known: fitted to five measured points or more, a roofline scaled to fewer."""

FEWEST_POINTS = 5
"""Three coefficients are fitted to this many points or more, so that one can be held out and more than three remain."""


def _coefficients(points: pd.DataFrame) -> Array:
    """alpha, beta, gamma of `seconds_per_request`, none negative, by least squares of the relative error."""
    isl, osl = points["input_tokens"].to_numpy(float), points["output_tokens"].to_numpy(float)
    measured = osl / points["output_tokens_per_s"].to_numpy(float)
    terms = np.stack([isl, osl, osl * (isl + osl)], axis=1)
    solution: Array = nnls(terms / measured[:, None], np.ones(len(points)))[0]
    return solution


def _scale(points: pd.DataFrame) -> float:
    """Geometric mean of measured over roofline throughput."""
    return float(np.exp(np.log(points["output_tokens_per_s"] / points["roofline_tokens_per_s"]).mean()))


def _groups(points: pd.DataFrame) -> Iterator[tuple[tuple[str, str, float, str], pd.DataFrame]]:
    yield from points.groupby(REPLICA, sort=True)


def fits(points: pd.DataFrame) -> pd.DataFrame:
    """One row per replica measured: REPLICA, basis, alpha, beta, gamma [s], scale [ratio].

    With five points or more t = alpha ISL + beta OSL + gamma OSL (ISL + OSL), t = OSL / (output tokens/s), by
    non-negative least squares on relative errors (`fitted`). With fewer the roofline times one factor, the geometric
    mean of measured over `roofline_tokens_per_s` (`scaled`).
    """
    rows = []
    for key, group in _groups(points):
        enough = len(group) >= FEWEST_POINTS
        found = (FITTED, *_coefficients(group), np.nan) if enough else (SCALED, *[np.nan] * 3, _scale(group))
        rows.append((*key, *found))
    return pd.DataFrame(rows, columns=[*REPLICA, "basis", *COEFFICIENTS, "scale"])


def held_out_errors(points: pd.DataFrame) -> pd.DataFrame:
    """Each point predicted from the others of its replica: the points, `predicted` [token/s] and `error` [share].

    A replica measured once is left out: nothing remains to predict its point from.
    """
    predicted = {}
    for _, group in _groups(points):
        for label, point in group.iterrows() if len(group) > 1 else ():
            isl, osl, others = point["input_tokens"], point["output_tokens"], group.drop(index=label)
            if len(group) >= FEWEST_POINTS:
                alpha, beta, gamma = _coefficients(others)
                predicted[label] = osl / seconds_per_request((alpha, beta, gamma), isl, osl)
            else:
                predicted[label] = _scale(others) * point["roofline_tokens_per_s"]
    found = points.loc[list(predicted)].assign(predicted=list(predicted.values()))
    return found.assign(error=found["predicted"] / found["output_tokens_per_s"] - 1)


def accuracy(points: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error of held-out points [share] and their number, by GPU and over all (`all`)."""
    errors = held_out_errors(points).assign(error=lambda e: e["error"].abs())
    by_gpu = errors.groupby("gpu")["error"].agg(["mean", "count"])
    by_gpu.loc["all"] = [errors["error"].mean(), len(errors)]
    return by_gpu.rename(columns={"mean": "mean_error", "count": "points"})


POINT = [*REPLICA, "engine", "input_tokens", "output_tokens", "service_level"]
"""What makes a measurement at a service level one point."""


def left_out(points: pd.DataFrame) -> pd.DataFrame:
    """Each point measured at a service level predicted by the model alone and by the model held to other measurements.

    The points with `with_anchor` and `without`, errors [share]. The anchor of a point is the median of measured over
    `modelled_tokens_per_s` of the others of its model, GPU type and engine, of another size, precision or shape, NaN
    where there are none; without it that of its model and engine on other GPU types, or 1. A measurement that stands
    for two models of the same dimensions counts once.
    """
    known = points.dropna(subset="modelled_tokens_per_s")
    known = known.drop_duplicates([*POINT[1:], "output_tokens_per_s", "concurrency"]).reset_index(drop=True)
    ratio = (known["output_tokens_per_s"] / known["modelled_tokens_per_s"]).to_numpy(float)
    alike = {name: known[name].to_numpy()[:, None] == known[name].to_numpy() for name in POINT}
    same = alike["model"] & alike["engine"]
    other = ~np.logical_and.reduce([alike[name] for name in POINT[:-1]])
    near = _median(ratio, same & alike["gpu"] & other)
    far = np.nan_to_num(_median(ratio, same & ~alike["gpu"]), nan=1.0)
    return known.assign(with_anchor=near / ratio - 1, without=far / ratio - 1)


def _median(values: Array, which: Array) -> Array:
    """Median of the values named in each row, NaN where it names none."""
    return pd.DataFrame(np.where(which, values, np.nan)).median(axis=1).to_numpy()


def modelled_accuracy(points: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Median and ninth decile of the size of the errors of `left_out` [share], and their number, by some columns."""
    errors = left_out(points).set_index([*by])[["with_anchor", "without"]].abs()
    found = errors.groupby(level=[*by]).agg(["median", lambda each: each.quantile(0.9), "count"])
    found.columns = [f"{way}_{what}" for way in errors for what in ("median", "ninth_decile", "points")]
    return found


REPLICA_SIZES = (1, 2, 4, 8, 16)
"""GPUs a replica may span: powers of two, as tensor parallelism splits attention heads."""


def seconds_per_request(
    coefficients: tuple[Number, Number, Number], input_tokens: Number, output_tokens: Number, cached_share: Number = 0.0
) -> Number:
    """Replica time one request takes at full batch [s].

    t = alpha ISL (1 - h) + beta OSL + gamma OSL (ISL + OSL): prefill (less what the cache holds), weights and compute
    per answer token, and reading the key-value cache. Exact for continuous batching limited by memory.
    """
    alpha, beta, gamma = coefficients
    prefill = alpha * np.asarray(input_tokens) * (1 - np.asarray(cached_share))
    return prefill + beta * output_tokens + gamma * output_tokens * (np.asarray(input_tokens) + output_tokens)


def kv_cache_gb(
    gpus: Number, memory_gb: Number, weights_gb: Number, share: float, overhead_gb: float, weight_ratio: float
) -> Number:
    """Memory left for the key-value cache of a replica [GB]: GPUs x (share x memory - overhead) - ratio x weights."""
    return gpus * (share * np.asarray(memory_gb) - overhead_gb) - weight_ratio * weights_gb


def smallest_replica(
    memory_gb: Number, weights_gb: Number, share: float, overhead_gb: float, kv_reserve_share: float
) -> Array:
    """Fewest GPUs that hold the weights and a reserve for the cache [GPU]; NaN where 16 do not.

    Smallest g of REPLICA_SIZES with g (share memory - overhead) >= (1 + reserve) weights.
    """
    needed = np.asarray((1 + kv_reserve_share) * np.asarray(weights_gb) / (share * np.asarray(memory_gb) - overhead_gb))
    sizes = np.array(REPLICA_SIZES, float)
    found = np.searchsorted(sizes, needed - 1e-12)
    return np.append(sizes, np.nan)[found]


def sequences(kv_gb: Number, kv_bytes_per_token: Number, tokens_per_request: Number, at_most: float) -> Number:
    """Requests a replica holds at once [request]: cache over the bytes of a finished request, capped by the engine."""
    return np.minimum(at_most, np.floor(kv_gb * BYTES_PER_GB / (kv_bytes_per_token * np.asarray(tokens_per_request))))


NEWTON = 3
"""Steps of Newton's method in `Roofline.within`: within 2 % of the root for the mixtures of data/models.csv."""

ENDLESS = 1e6
"""Longer than any time per token [s], for levels without a limit."""


@dataclass(frozen=True)
class Roofline:
    """What limits a replica on requests of some lengths: `prefill` of a prompt [s], and of each step of writing what is
    `fixed`, what `each` request at once adds, and what reading all the `weights` takes [s], of which `expert_share` is
    read as far as requests at once touch it.

    Williams, Waterman and Patterson 2009; Pope et al. 2022.
    """

    prefill: Number
    fixed: Number
    each: Number
    weights: Number
    expert_share: Number
    experts_per_token_share: Number
    output_tokens: Number

    def _read(self, batch: Number) -> Number:
        return self.weights * (1 - self.expert_share * (1 - self.experts_per_token_share) ** batch)

    def seconds(self, batch: Number) -> Number:
        """Replica time one request takes with so many at once [s]: t_prefill + OSL t_step / B."""
        step = self.fixed + self._read(batch) + self.each * batch
        return self.prefill + self.output_tokens * step / batch

    def within(self, seconds_per_token: Number, batch: Number) -> Array:
        """Of so many requests at once those that each get a token in time, prompts of others read in between; 0 where
        one alone does not. By Newton's method from one on, which never oversteps as reading is concave.
        """
        each, found = self.each + self.prefill / self.output_tokens, np.ones(np.shape(batch))
        unread = 1 - self.experts_per_token_share
        seconds_per_token = np.minimum(seconds_per_token, ENDLESS)
        left = seconds_per_token - self.fixed - self._read(1) - each
        alone = left >= 0
        for _ in range(NEWTON if np.any(self.expert_share) else 1):
            steeper = self.weights * self.expert_share * unread**found * -np.log(unread)
            found = found + np.maximum(left, 0) / (each + steeper)
            left = seconds_per_token - self.fixed - self._read(found) - each * found
        return np.where(alone, np.clip(found, 1, batch), 0.0)


def roofline(
    shape: dict[str, Number],
    fitted: dict[str, float],
    input_tokens: Number,
    output_tokens: Number,
    cached_share: Number,
) -> Roofline:
    """The roofline of a model and GPU on requests of some lengths.

    t_prefill = 2 A ISL / (g F mfu) + attention + tensor-parallel transfer and
    t_step = (weights read + B s kv) / (g BW mbu) + 2 A B / (g F mfu) + latency + o0 + o1 B, s = ISL + OSL/2.
    `shape` describes model and GPU, `fitted` the coefficients of data/assumptions.csv. Error 6 % dense, 22 % mixture of
    experts on the points it was fitted to.
    """
    g, layers = shape["gpus"], shape["layers"]
    flops = g * shape["tflops"] * FLOPS_PER_TFLOPS
    flops16 = g * shape["bf16_tflops"] * FLOPS_PER_TFLOPS
    bandwidth = g * shape["bandwidth_gb_per_s"] * BYTES_PER_GB * fitted["bandwidth_share"]
    active = shape["active_params_b"] * PARAMETERS_PER_BILLION
    prompt = np.asarray(input_tokens) * (1 - np.asarray(cached_share))
    spread = np.where(np.asarray(g) > 1, 1.0, 0.0)
    transfer = spread * 2 * layers * 4 * shape["hidden"] * (g - 1) / g
    link = transfer / (shape["link_gb_per_s"] * BYTES_PER_GB * fitted["link_share"])
    attention = 2 * layers * shape["attention_width"] * prompt * input_tokens / (flops16 * fitted["attention_mfu"])
    held = (np.asarray(input_tokens) + np.asarray(output_tokens) / 2) * shape["kv_bytes_per_token"]
    latency = spread * 2 * layers * fitted["link_latency_us"] * SECONDS_PER_US
    each = held / bandwidth + 2 * active / (flops * fitted["decode_mfu"]) + link
    return Roofline(
        prefill=2 * active * prompt / (flops * fitted["prefill_mfu"]) + attention + prompt * link,
        fixed=latency + fitted["step_ms"] * SECONDS_PER_MS,
        each=each + fitted["sequence_us"] * SECONDS_PER_US,
        weights=shape["weights_gb"] * BYTES_PER_GB / bandwidth,
        expert_share=shape["expert_share"],
        experts_per_token_share=shape["experts_per_token_share"],
        output_tokens=output_tokens,
    )


def nearness(points: Array, lengths: Array) -> Array:
    """How much each point speaks for a request, over (kind, request, point); for each request the sum is 1.

    By the inverse square of the distance between the logarithms of their tokens in and out (Shepard 1968), so that a
    request of a point's own lengths is that point's alone. `points` over (kind, point, 2), NaN where there are fewer;
    `lengths` over (request, 2) [log token].
    """
    apart = ((lengths[:, None] - points[:, None]) ** 2).sum(axis=-1)
    weight = np.nan_to_num(1 / np.maximum(apart, 1e-9))
    return np.asarray(weight / np.maximum(weight.sum(axis=-1, keepdims=True), 1e-12))
