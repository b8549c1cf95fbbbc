"""Routing: to which place each stream goes, and to which what that place cannot carry overflows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from itertools import permutations

import numpy as np

from ..inputs.question import PLACES, STREAMS
from ..units import Array

API, RENTED, OWN = range(len(PLACES))
NOWHERE = -1
"""In place of an overflow: everything is carried where it goes first."""

Key = tuple[tuple[int, ...], tuple[int, ...], str]

Way = tuple[int, int]
"""A place, and the one that what it cannot carry overflows to, or NOWHERE."""


@dataclass(frozen=True, eq=False)
class Routing:
    """Positions in PLACES over (scenario, stream): `place` where a stream goes, `overflow` where what that cannot carry
    goes, or NOWHERE. `model` is the open model that its machines serve, "" where it has none, and `calls` the API
    offers that are called where they are no longer to be chosen. With `endpoints` the API is a vendor's dedicated ones.
    Own servers are of a `kind`, by their delivery; "" for the first there is.
    """

    place: Array
    overflow: Array
    model: str = ""
    calls: tuple[str, ...] = ()
    endpoints: bool = False
    kind: str = ""

    def take(self, rows: Array) -> "Routing":
        """The same in some of the scenarios."""
        return replace(self, place=self.place[rows], overflow=self.overflow[rows])

    def of(self, streams: Array) -> "Routing":
        """The same for some of the streams."""
        return replace(self, place=self.place[:, streams], overflow=self.overflow[:, streams])

    def uses(self, present: Array) -> Array:
        """Whether any of the streams that are `present` may be at a place, over (scenario, place)."""
        places = np.arange(len(PLACES))
        there = (self.place[..., None] == places) | (self.overflow[..., None] == places)
        return np.asarray((there & present[..., None]).any(axis=1))

    @cached_property
    def key(self) -> "Key":
        """The same for two routings that come to the same."""
        return tuple(self.place.ravel().tolist()), tuple(self.overflow.ravel().tolist()), self.model

    @property
    def by_api(self) -> bool:
        """Whether everything goes to an API."""
        return bool((self.place == API).all())


ROUTINGS: dict[str, tuple[int, ...]] = {
    "api": (API,) * len(STREAMS),
    "rented": (RENTED,) * len(STREAMS),
    "owned": (OWN,) * len(STREAMS),
    "split_by_sensitivity": tuple(RENTED if data == "sensitive" else API for data, *_ in STREAMS),
    "split_by_domain": tuple(RENTED if domain == "specialised" else API for _, domain, _ in STREAMS),
    "split_by_difficulty": tuple(API if difficulty == "hard" else RENTED for *_, difficulty in STREAMS),
}
"""For each option that routes by hand the place of each of STREAMS; two of the splits go to own servers too."""

HOSTED = "hosted_open"
"""The option that calls open weights at a vendor: `api`, with no other models."""

BASE_AND_BURST = ((RENTED, API), (OWN, API), (OWN, RENTED))
"""Where a base load can go, and its bursts."""

SEARCHED = ("base_and_burst", "free_search")
"""Options that are the cheapest allowed of several routings."""

NAMES = ("api", HOSTED, *(name for name in ROUTINGS if name != "api"), *SEARCHED)
"""The options always shown."""

TITLES = {
    "api": "Vendor API",
    "hosted_open": "Open weights at a vendor",
    "rented": "Rented cloud GPUs",
    "owned": "Own servers",
    "split_by_sensitivity": "Split by sensitivity",
    "split_by_domain": "Split by domain",
    "split_by_difficulty": "Split by difficulty",
    "base_and_burst": "Base and burst",
    "free_search": "Found by search",
}


def by_hand(places: tuple[int, ...], number: int) -> Routing:
    """A routing that is the same in a number of scenarios, without overflow."""
    place = np.tile(np.array(places), (number, 1))
    return Routing(place, np.full_like(place, NOWHERE))


def in_order(order: tuple[int, ...], allowed: Array, overflow: Way | None) -> Routing:
    """Every stream to the first place of an order it may go to; `allowed` over (scenario, stream, place).

    Where it may go to none it goes to the first. With an `overflow`, what its first place cannot carry goes to its
    second, for the streams that are at the first and may go to the second.
    """
    return by_way(with_overflow(order, overflow), allowed)


def with_overflow(order: tuple[int, ...], overflow: Way | None) -> list[Way]:
    """An order of places as one of ways, with an overflow ahead of the place it comes from."""
    ways = [(place, NOWHERE) for place in order]
    if overflow:
        ways.insert(order.index(overflow[0]), overflow)
    return ways


def by_way(ways: Sequence[Way], allowed: Array) -> Routing:
    """Every stream by the first of the ways it may take; where it may take none, to the place of the first."""
    place, overflow = np.full(allowed.shape[:2], ways[0][0]), np.full(allowed.shape[:2], NOWHERE)
    for first, second in reversed(ways):
        may = allowed[..., first] if second == NOWHERE else allowed[..., first] & allowed[..., second]
        place[may], overflow[may] = first, second
    return Routing(place, overflow)


Candidate = tuple[tuple[str, ...], Routing]

SENSITIVE = np.array([data == "sensitive" for data, *_ in STREAMS])
SPECIALISED = np.array([domain == "specialised" for _, domain, _ in STREAMS])
HARD = np.array([difficulty == "hard" for *_, difficulty in STREAMS])
"""Which streams are sensitive, which are specialised, and which hold the hard requests."""


def candidates(allowed: Array, hard: bool) -> list[Candidate]:
    """Every routing worth a try in a block of scenarios with an open model, and the options it is tried for.

    `allowed` says over (scenario, stream, place) where streams may go, `hard` whether any have hard requests. Streams
    that may go to the same places are interchangeable: an API charges by the request and a shared pool with overflow
    hardly ever costs more than part of it, so it is enough to send each stream the first way it may take, in all
    `orders`; hard ones, which cost more at an API, also to the API first. A test holds this to the enumeration of all
    routings.
    """
    return _candidates(allowed.tobytes(), len(allowed), hard)


@lru_cache(maxsize=64)
def _candidates(allowed: bytes, number: int, hard: bool) -> list[Candidate]:
    return list(_made(np.frombuffer(allowed, bool).reshape(number, len(STREAMS), len(PLACES)), hard))


def _made(allowed: Array, hard: bool) -> Iterator[Candidate]:
    for name, places in ROUTINGS.items():
        # without hard requests a split by difficulty rents it all
        if name != "split_by_difficulty" or hard:
            names = (name, "split_by_difficulty") if name == "rented" and not hard else (name,)
            yield (*names, "free_search"), by_hand(places, len(allowed))
            if name in ("split_by_sensitivity", "split_by_domain"):
                ours = tuple(OWN if place == RENTED else place for place in places)
                yield (*names, "free_search"), by_hand(ours, len(allowed))
    for base, burst in BASE_AND_BURST:
        order = (base, burst, *(p for p in range(len(PLACES)) if p not in (base, burst)))
        yield SEARCHED, in_order(order, allowed, (base, burst))
    for ways in orders(alike=bool((allowed == allowed[:, :1]).all())):
        way = by_way(ways, allowed)
        yield ("free_search",), way
        if hard:
            away = by_way([(API, NOWHERE), *ways], allowed)
            place, overflow = np.where(HARD, away.place, way.place), np.where(HARD, away.overflow, way.overflow)
            yield ("free_search",), Routing(place, overflow)


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
