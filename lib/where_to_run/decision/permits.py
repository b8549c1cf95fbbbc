"""Permits: which offers may serve which stream in a block of scenarios, as the rules say of every offer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..inputs.facts import Facts
from ..inputs.question import PLACES
from ..units import Array
from .rules import BLOCKED, OK, PROFILE, Judgement, judged


@dataclass(frozen=True)
class Permits:
    """What the rules say of the offers of each of PLACES for every profile of a block, and by scenario the position of
    its profile: the values of the fields of PROFILE.
    """

    code: Array
    profiles: list[tuple[str, ...]]
    said: list[tuple[Judgement, ...]]

    def take(self, rows: Array) -> "Permits":
        """The same for some of the scenarios."""
        kept, code = np.unique(self.code[rows], return_inverse=True)
        return Permits(code, [self.profiles[k] for k in kept], [self.said[k] for k in kept])

    def profile(self, scenario: int) -> Mapping[str, str]:
        """The fields of PROFILE of a scenario."""
        return dict(zip(PROFILE, self.profiles[self.code[scenario]], strict=True))

    def _stacked(self, name: str) -> list[Array]:
        return [np.stack([getattr(by_place[place], name) for by_place in self.said]) for place in range(len(PLACES))]

    @cached_property
    def level(self) -> list[Array]:
        """Verdicts by place, over (profile, stream, offer)."""
        return self._stacked("level")

    @cached_property
    def may(self) -> list[Array]:
        """By place, over (profile, stream, offer), whether an offer may serve a stream."""
        return [level < BLOCKED for level in self.level]

    @cached_property
    def rule(self) -> list[Array]:
        """The rules behind the verdicts, over the same."""
        return self._stacked("rule")

    @cached_property
    def weeks(self) -> list[Array]:
        """Weeks until missing papers are in hand, over the same; none for papers that bar nothing."""
        known = zip(self._stacked("weeks"), self.level, strict=True)
        return [np.where((level == OK) | ~np.isfinite(weeks), 0.0, weeks) for weeks, level in known]

    @cached_property
    def uplift(self) -> list[Array]:
        """What the site of an offer adds to its price, over the same [share]."""
        return self._stacked("uplift")

    @cached_property
    def nearest(self) -> Array:
        """The offer of each place that lacks least, over (profile, stream, place)."""
        return np.stack(self._stacked("nearest"), axis=2)

    @cached_property
    def alike(self) -> list[bool]:
        """By place, whether the rules say the same of all its offers."""
        return [bool((level == level[..., :1]).all()) for level in self.level]

    def barred(self, place: int, streams: Array) -> Array | None:
        """Which offers of a place may not serve all the `streams` of a scenario, over (offer, scenario); None where the
        rules tell no offers apart. `streams` are over (scenario, stream). Where none may, none is set aside: what is
        barred has a price too.
        """
        if self.alike[place]:
            return None
        barred = np.asarray((~self.may[place][self.code] & streams[..., None]).any(axis=1)).T
        return barred & ~barred.all(axis=0)

    def passes(self, place: int) -> Array | None:
        """Whether offers may serve each stream under each profile, over (offer, any); None where all are alike."""
        may = self.may[place]
        return None if self.alike[place] else np.unique(may.reshape(-1, may.shape[2]), axis=0).T


def permits(facts: Facts, rows: Mapping[str, Array], api: str = PLACES[0]) -> Permits:
    """What the rules say of all offers in each scenario; `api` as `rules.judge` has it."""
    asked = list(zip(*(rows[name] for name in PROFILE), strict=True))
    number = {profile: position for position, profile in enumerate(dict.fromkeys(asked))}
    said = [judged(facts, api, *profile) for profile in number]
    return Permits(np.array([number[profile] for profile in asked], np.intp), [*number], said)
