"""Routing: to which place each stream goes, and to which what that place cannot carry overflows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import permutations

import numpy as np

from ..inputs.question import PLACES, STREAMS
from ..units import Array

API, RENTED, OWN = range(len(PLACES))
NOWHERE = -1
"""In place of an overflow: everything is carried where it goes first."""

Key = tuple[tuple[int, ...], tuple[int, ...], bool]

Way = tuple[int, int]
"""A place, and the one that what it cannot carry overflows to, or NOWHERE."""


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

    def of(self, streams: Array) -> "Routing":
        """The same for some of the streams."""
        return Routing(self.place[:, streams], self.overflow[:, streams], self.least_api)

    def uses(self, present: Array) -> Array:
        """Whether any of the streams that are `present` may be at a place, over (scenario, place)."""
        places = np.arange(len(PLACES))
        there = (self.place[..., None] == places) | (self.overflow[..., None] == places)
        return np.asarray((there & present[..., None]).any(axis=1))

    @cached_property
    def key(self) -> "Key":
        """The same for two routings that come to the same."""
        # own servers call one too while they are awaited
        calls = bool(((self.place != RENTED) | (self.overflow == API)).any())
        return tuple(self.place.ravel().tolist()), tuple(self.overflow.ravel().tolist()), self.least_api and calls


ROUTINGS: dict[str, tuple[int, ...]] = {
    "api": (API,) * len(STREAMS),
    "rented": (RENTED,) * len(STREAMS),
    "owned": (OWN,) * len(STREAMS),
    "split_by_sensitivity": tuple(RENTED if data == "sensitive" else API for data, _ in STREAMS),
    "split_by_domain": tuple(RENTED if domain == "specialised" else API for _, domain in STREAMS),
}
"""For each option that routes by hand the place of each of STREAMS."""

BASE_AND_BURST = ((RENTED, API), (OWN, API), (OWN, RENTED))
"""Where a base load can go, and its bursts."""

SEARCHED = ("base_and_burst", "free_search")
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
    "free_search": "Found by search",
}


def by_hand(places: tuple[int, ...], number: int, least_api: bool = False) -> Routing:
    """A routing that is the same in a number of scenarios, without overflow."""
    place = np.tile(np.array(places), (number, 1))
    return Routing(place, np.full_like(place, NOWHERE), least_api)


def in_order(order: tuple[int, ...], allowed: Array, overflow: Way | None, least_api: bool) -> Routing:
    """Every stream to the first place of an order it may go to; `allowed` over (scenario, stream, place).

    Where it may go to none it goes to the first. With an `overflow`, what its first place cannot carry goes to its
    second, for the streams that are at the first and may go to the second.
    """
    return by_way(with_overflow(order, overflow), allowed, least_api)


def with_overflow(order: tuple[int, ...], overflow: Way | None) -> list[Way]:
    """An order of places as one of ways, with an overflow ahead of the place it comes from."""
    ways = [(place, NOWHERE) for place in order]
    if overflow:
        ways.insert(order.index(overflow[0]), overflow)
    return ways


def by_way(ways: Sequence[Way], allowed: Array, least_api: bool) -> Routing:
    """Every stream by the first of the ways it may take; where it may take none, to the place of the first."""
    place, overflow = np.full(allowed.shape[:2], ways[0][0]), np.full(allowed.shape[:2], NOWHERE)
    for first, second in reversed(ways):
        may = allowed[..., first] if second == NOWHERE else allowed[..., first] & allowed[..., second]
        place[may], overflow[may] = first, second
    return Routing(place, overflow, least_api)


Candidate = tuple[tuple[str, ...], Routing]


def candidates(allowed: Array, least_api: bool) -> list[Candidate]:
    """Every routing worth a try in a block of scenarios, and the options it is tried for.

    `allowed` says over (scenario, stream, place) where streams may go. Streams that may go to the same places are
    interchangeable: an API charges by the request and a shared pool with overflow hardly ever costs more than part of
    it, so it is enough to send each stream the first way it may take, in all `orders`. A test holds this to the
    enumeration of all routings.
    """
    return _candidates(tuple(allowed.ravel().tolist()), least_api)


@lru_cache(maxsize=64)
def _candidates(allowed: tuple[bool, ...], least_api: bool) -> list[Candidate]:
    return list(_made(np.array(allowed).reshape(-1, len(STREAMS), len(PLACES)), least_api))


def _made(allowed: Array, least_api: bool) -> Iterator[Candidate]:
    for name, places in ROUTINGS.items():
        yield (name, "free_search"), by_hand(places, len(allowed))
    for base, burst in BASE_AND_BURST:
        order = (base, burst, *(p for p in range(len(PLACES)) if p not in (base, burst)))
        yield SEARCHED, in_order(order, allowed, (base, burst), False)
    for ways in orders(alike=bool((allowed == allowed[:, :1]).all())):
        yield ("free_search",), by_way(ways, allowed, least_api)


@cache
def orders(alike: bool) -> list[tuple[Way, ...]]:
    """Orders of ways: of places; with an overflow ahead of its place; with one or two ahead of all.

    The last tell streams apart by whether they may overflow; they are left out where all may go to the same places.
    """
    places = list(permutations(range(len(PLACES))))
    found = [with_overflow(order, overflow) for overflow in (None, *BASE_AND_BURST) for order in places]
    if not alike:
        two = [pair for pair in permutations(BASE_AND_BURST, 2) if pair[0][0] != pair[1][0]]
        ahead = [*((overflow,) for overflow in BASE_AND_BURST), *two]
        found += [[*links, *with_overflow(order, None)] for links in ahead for order in places]
    return list(dict.fromkeys(map(tuple, found)))
