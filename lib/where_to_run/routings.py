"""Routings: to which place each stream goes, and to which what that place cannot carry overflows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np

from .scenario import PLACES, STREAMS
from .units import Array

API, RENTED, OWN = range(len(PLACES))
NOWHERE = -1
"""In place of an overflow: everything is carried where it goes first."""


@dataclass(frozen=True, eq=False)
class Routing:
    """Positions in PLACES over (scenario, stream): `place` where a stream goes, `overflow` where what that cannot carry
    goes, or NOWHERE. `least_api` takes the cheaper of the API asked for and those that host the open model.
    """

    place: Array
    overflow: Array
    least_api: bool = False

    def take(self, rows: Array) -> "Routing":
        """The same in some of the scenarios."""
        return Routing(self.place[rows], self.overflow[rows], self.least_api)

    @cached_property
    def key(self) -> tuple[bytes, bytes, bool]:
        """The same for two routings that come to the same."""
        # own servers call one too while they are awaited
        calls = bool(((self.place != RENTED) | (self.overflow == API)).any())
        return self.place.tobytes(), self.overflow.tobytes(), self.least_api and calls


ROUTINGS: dict[str, tuple[int, ...]] = {
    "api": (API,) * len(STREAMS),
    "rented": (RENTED,) * len(STREAMS),
    "owned": (OWN,) * len(STREAMS),
    "split_by_sensitivity": tuple(RENTED if data == "sensitive" else API for data, _ in STREAMS),
    "split_by_domain": tuple(RENTED if task == "specialised" else API for _, task in STREAMS),
}
"""For each option that routes by hand the place of each of STREAMS."""

BASE_AND_BURST = ((RENTED, API), (OWN, API), (OWN, RENTED))
"""Where a base load can go, and its bursts."""

SEARCHED = ("base_and_burst", "best_mix")
"""Options that are the cheapest allowed of several routings."""

NAMES = (*ROUTINGS, *SEARCHED)
"""The options always shown."""

TITLES = {
    "api": "Vendor API",
    "rented": "Rented cloud GPUs",
    "owned": "Own servers",
    "split_by_sensitivity": "Split by sensitivity",
    "split_by_domain": "Split by domain",
    "base_and_burst": "Base and burst",
    "best_mix": "Best mix",
}


def by_hand(places: tuple[int, ...], number: int) -> Routing:
    """A routing that is the same in a number of scenarios, without overflow."""
    place = np.tile(np.array(places), (number, 1))
    return Routing(place, np.full_like(place, NOWHERE))


def in_order(order: tuple[int, ...], allowed: Array, overflow: tuple[int, int] | None, least_api: bool) -> Routing:
    """Every stream to the first place of an order it may go to; `allowed` over (scenario, stream, place).

    Where it may go to none it goes to the first. With an `overflow`, what its first place cannot carry goes to its
    second, for the streams that are at the first and may go to the second.
    """
    place = np.full(allowed.shape[:2], order[0])
    for candidate in reversed(order):
        place = np.where(allowed[..., candidate], candidate, place)
    if overflow is None:
        return Routing(place, np.full_like(place, NOWHERE), least_api)
    first, second = overflow
    goes = (place == first) & allowed[..., first] & allowed[..., second]
    return Routing(place, np.where(goes, second, NOWHERE), least_api)


def candidates(allowed: Array, least_api: bool) -> Iterator[tuple[tuple[str, ...], Routing]]:
    """Every routing worth a try in a block of scenarios, and the options it is tried for.

    `allowed` says over (scenario, stream, place) where streams may go. Streams that may go to the same places are
    interchangeable: an API charges by the request and a shared pool with overflow hardly ever costs more than part of
    it, so it is enough to send each stream to the first place allowed in every order of places, with every overflow
    there is and without. A test holds this to the enumeration of all routings.
    """
    orders = list(permutations(range(len(PLACES))))
    for name, places in ROUTINGS.items():
        yield (name, "best_mix"), by_hand(places, len(allowed))
    for base, burst in BASE_AND_BURST:
        order = (base, burst, *(p for p in range(len(PLACES)) if p not in (base, burst)))
        yield SEARCHED, in_order(order, allowed, (base, burst), False)
    for order in orders:
        yield ("best_mix",), in_order(order, allowed, None, least_api)
    for overflow in BASE_AND_BURST:
        for order in orders:
            yield ("best_mix",), in_order(order, allowed, overflow, least_api)
