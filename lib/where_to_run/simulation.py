"""Simulation: a pool of slots request by request, to hold the headroom formula to."""

from heapq import heapreplace

import numpy as np


def share_waiting(slots: int, busy: float, arrival_cv: float, requests: int, chance: np.random.Generator) -> float:
    """Share of requests that find every slot taken [share], first come first served.

    `busy` slots are taken on average. Times between arrivals are Gamma with a coefficient of variation, times in a slot
    exponential with mean 1. The first tenth of the requests fills the pool and does not count.
    """
    shape = 1 / arrival_cv**2
    arrivals = np.cumsum(chance.gamma(shape, 1 / (shape * busy), requests)).tolist()
    lengths, free, waiting = chance.exponential(1.0, requests).tolist(), [0.0] * slots, 0
    for number, (arrival, length) in enumerate(zip(arrivals, lengths, strict=True)):
        waiting += free[0] > arrival and number >= requests // 10
        heapreplace(free, max(arrival, free[0]) + length)
    return waiting / (requests - requests // 10)
