"""Criteria: the value of a routing on each, on scales that hold no limit of the user's."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..formulas import scoring
from ..inputs.facts import Facts, remembered
from ..inputs.question import CRITERIA, PLACES
from ..units import Array
from .routing import NOWHERE, Routing

BY_PLACE = ("control", "elasticity", "easy_to_leave")
"""Criteria in which places differ by what they are."""


@dataclass(frozen=True)
class Scales:
    """Value of each place on the criteria of BY_PLACE [share], the worst 0 and the best 1; weeks to launch [week] and
    people to add [FTE] whose value is 0.
    """

    by_place: Mapping[str, Array]
    weeks: float
    people: float


@remembered
def scales(facts: Facts) -> Scales:
    """What data/assumptions.csv says of the criteria."""
    points = {name: np.array([facts.value(f"{name}.{place}") for place in PLACES]) for name in BY_PLACE}
    stretched = {name: np.asarray(scoring.value(p, p.min(), p.max())) for name, p in points.items()}
    return Scales(stretched, facts.value("scale.launch_weeks"), facts.value("scale.people_fte"))


def premiums(rows: Mapping[str, Array]) -> Array:
    """What the best of each criterion is worth, as a share of the cost, over (scenario, criterion)."""
    asked = list(zip(rows["priorities"], rows["premium"].tolist(), strict=True))
    known = {pair: scoring.premiums([p for p in pair[0].split(",") if p], CRITERIA, pair[1]) for pair in set(asked)}
    return np.stack([known[pair] for pair in asked])


def values(
    scale: Scales, shares: Array, routing: Routing, launch_weeks: Array, hires: Array, spilled: Array | float = 0.0
) -> dict[str, Array]:
    """Value on every criterion but quality, by scenario [share]; `spilled` is the share of requests that overflow."""
    found = {
        "launch": np.ravel(scoring.value(launch_weeks, scale.weeks, 0.0)),
        "skills": np.ravel(scoring.value(hires, scale.people, 0.0)),
    }
    goes = routing.overflow != NOWHERE
    free = (shares * goes).sum(axis=1)
    away = np.clip(np.nan_to_num(spilled / np.where(free > 0, free, 1.0)), 0, 1)
    for name, points in scale.by_place.items():
        # a jump in demand goes to the overflow, so its elasticity counts; else the share that does overflow
        there = goes if name == "elasticity" else away[:, None] * goes
        by_stream = (1 - there) * points[routing.place] + there * points[routing.overflow]
        found[name] = (shares * by_stream).sum(axis=1)
    return found
