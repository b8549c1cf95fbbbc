"""Queueing: how many replicas a load needs so that few requests wait."""

import numpy as np
from scipy.special import ndtr, ndtri

from ..units import Number, whole


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
