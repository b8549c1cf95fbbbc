"""The recommendation: values on the criteria, generalised cost, and the allowed option of which it is least."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..formulas import scoring
from ..inputs.facts import Facts, remembered
from ..inputs.question import CRITERIA, PLACES
from ..units import Array
from .block import Question
from .routing import NOWHERE, Routing
from .rules import BLOCKED

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


def values(question: Question, routing: Routing, figures: Mapping[str, Array]) -> Array:
    """Value of a routing on every criterion, over (scenario, criterion) [share]; none hangs on a limit of the user's."""
    scale = scales(question.facts)
    found = {
        "launch": np.ravel(scoring.value(figures["launch_weeks"], scale.weeks, 0.0)),
        "skills": np.ravel(scoring.value(figures["hires"], scale.people, 0.0)),
    }
    goes = routing.overflow != NOWHERE
    free = (question.shares * goes).sum(axis=1)
    spilled = np.clip(np.nan_to_num(figures["overflow_share"] / np.where(free > 0, free, 1.0)), 0, 1)
    for name, points in scale.by_place.items():
        # a jump in demand goes to the overflow, so its elasticity counts; else the share that does overflow
        there = goes if name == "elasticity" else spilled[:, None] * goes
        by_stream = (1 - there) * points[routing.place] + there * points[routing.overflow]
        found[name] = (question.shares * by_stream).sum(axis=1)
    return np.stack([found[name] for name in CRITERIA], axis=1)


def ranked(columns: dict[str, Array]) -> None:
    """Rank by generalised cost and the recommendation; what is blocked gets none."""
    blocked = columns["verdict"] == BLOCKED
    cost = np.where(blocked, np.inf, np.nan_to_num(columns["generalised_usd_per_month"], nan=np.inf))
    order = np.lexsort((columns["npv_usd"], cost), axis=1)
    columns["rank"] = np.where(blocked, np.nan, np.argsort(order, axis=1) + 1.0)
    columns["recommended"] = columns["rank"] == 1
