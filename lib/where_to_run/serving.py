"""Serving: what one replica of a model carries, and how many replicas a load needs."""

import numpy as np
from scipy.special import ndtr, ndtri

from .units import (
    BYTES_PER_GB,
    FLOPS_PER_TFLOPS,
    PARAMETERS_PER_BILLION,
    SECONDS_PER_MS,
    SECONDS_PER_US,
    Array,
    Number,
    whole,
)

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


def roofline_seconds(
    shape: dict[str, Number],
    fitted: dict[str, float],
    batch: Number,
    input_tokens: Number,
    output_tokens: Number,
    cached_share: Number,
) -> Number:
    """Replica time one request takes by the roofline [s], for a model and GPU nobody measured together.

    t = t_prefill + OSL t_step / B, with t_prefill = 2 A ISL / (g F mfu) + attention + tensor-parallel transfer and
    t_step = (weights read + B s kv) / (g BW mbu) + 2 A B / (g F mfu) + latency + o0 + o1 B, s = ISL + OSL/2.
    Williams, Waterman and Patterson 2009; Pope et al. 2022. `shape` describes model and GPU, `fitted` the
    coefficients of data/assumptions.csv. Error 6 % dense, 22 % mixture of experts on the points it was fitted to.
    """
    g, layers = shape["gpus"], shape["layers"]
    flops = g * shape["tflops"] * FLOPS_PER_TFLOPS
    flops16 = g * shape["bf16_tflops"] * FLOPS_PER_TFLOPS
    active = shape["active_params_b"] * PARAMETERS_PER_BILLION
    prompt = np.asarray(input_tokens) * (1 - np.asarray(cached_share))
    spread = np.where(np.asarray(g) > 1, 1.0, 0.0)
    link = (
        spread
        * 2
        * layers
        * 4
        * shape["hidden"]
        * (g - 1)
        / g
        / (shape["link_gb_per_s"] * BYTES_PER_GB * fitted["link_share"])
    )
    latency = spread * 2 * layers * fitted["link_latency_us"] * SECONDS_PER_US
    attention = 2 * layers * shape["attention_width"] * prompt * input_tokens / (flops16 * fitted["attention_mfu"])
    prefill = 2 * active * prompt / (flops * fitted["prefill_mfu"]) + attention + prompt * link
    read = (
        shape["weights_gb"]
        * (1 - shape["expert_share"] * (1 - shape["experts_per_token_share"]) ** batch)
        * BYTES_PER_GB
    )
    cache = batch * (np.asarray(input_tokens) + np.asarray(output_tokens) / 2) * shape["kv_bytes_per_token"]
    step = (read + cache) / (g * shape["bandwidth_gb_per_s"] * BYTES_PER_GB * fitted["bandwidth_share"])
    step = step + 2 * active * batch / (flops * fitted["decode_mfu"]) + latency + batch * link
    step = step + fitted["step_ms"] * SECONDS_PER_MS + fitted["sequence_us"] * SECONDS_PER_US * batch
    return prefill + output_tokens * step / batch


def wait_probability(beta: Number) -> Number:
    """Share of requests that wait when capacity is a + beta sqrt(a) [share]: [1 + beta Phi(beta)/phi(beta)]^-1.

    Halfin and Whitt 1981.
    """
    density = np.exp(-np.square(beta) / 2) / np.sqrt(2 * np.pi)
    return 1 / (1 + beta * ndtr(beta) / density)


def headroom_beta(share_waiting: Number) -> Number:
    """Halfin-Whitt beta [1] at which that share of the requests waits; inverse of `wait_probability` by Newton steps.

    0.5061, 1.0615, 1.7398 and 2.3749 for 50, 20, 5 and 1 %.
    """
    target = np.asarray(share_waiting, float)
    beta = np.maximum(0.1, -ndtri(target / 2))
    for _ in range(60):
        step = 1e-6
        slope = (wait_probability(beta + step) - wait_probability(beta - step)) / (2 * step)
        beta = np.maximum(1e-3, beta - np.clip((wait_probability(beta) - target) / slope, -0.5, 0.5))
    return beta


def peakedness(arrival_cv: Number, at_most: float) -> Number:
    """Variance over mean of the requests in service [ratio]: (1 + c_a^2) / 2 for exponential lengths, capped.

    Whitt 1992; checked by simulation up to 10.
    """
    return np.minimum(at_most, (1 + np.square(arrival_cv)) / 2)


def headroom(beta: Number, peaked: Number, slots: Number) -> Number:
    """Replicas of headroom per square root of busy replicas [replica^0.5]: beta sqrt(z / slots of a replica).

    Square-root staffing with Hayward's peakedness, slots c = a + beta sqrt(z a), in replicas instead of slots.
    """
    return beta * np.sqrt(peaked / np.asarray(slots, float))


def replicas_needed(busy: Number, headroom_per_root: Number, busiest_share: float) -> Number:
    """Whole replicas for a peak load that keeps `busy` replicas full [replica]; at least one, none for no load.

    n = busy + headroom sqrt(busy), and never planned above `busiest_share` occupancy.
    """
    # in place, because these arrays are the largest there are
    wanted = np.asarray(headroom_per_root * np.sqrt(busy))
    wanted += busy
    np.maximum(wanted, np.asarray(busy) / busiest_share, out=wanted)
    return np.maximum(whole(wanted), np.asarray(busy) > 0)


def busy_at_most(replicas: Number, headroom_per_root: Number, busiest_share: float) -> Number:
    """Busy replicas that a number of replicas allows at its headroom [replica]; inverse of `replicas_needed`.

    a = ((-h + sqrt(h^2 + 4 n)) / 2)^2, and never above `busiest_share` occupancy.
    """
    root = np.sqrt(np.square(headroom_per_root) + 4 * np.asarray(replicas))
    root -= headroom_per_root
    return np.minimum(np.square(root) / 4, np.asarray(replicas) * busiest_share)
