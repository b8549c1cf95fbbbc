"""Estimate: how many scenarios and reports a sweep has and about how long it takes, by a small one of the kind."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from . import cluster
from .facts import Facts
from .lined import Lined
from .plan import Plan, Reports
from .stores import Store
from .sweep import Sweep, work

ROUNDS = 2
"""Parts and reports a worker does in the small sweep: the first finds nothing in memory, the second tells the rate."""


def lines(plan: Plan, facts: Facts, sheet: Lined, workers: int) -> Iterator[str]:
    """What a sweep would do, a line at a time; all but the first after a small sweep aside, which takes seconds."""
    several = "s" if plan.parts > 1 else ""
    yield f"{plan.size:,} scenarios in {plan.parts:,} part{several}: {' x '.join(_factors(plan))}."
    yield f"{plan.reports.words.capitalize()}."
    numbers = np.linspace(0, plan.size - 1, min(plan.size, ROUNDS * workers * plan.chunk)).astype(int)
    known = {"none": 0, "all": plan.size, "top": min(plan.reports.number, plan.size)}.get(plan.reports.kind)
    few = ROUNDS * workers if known is None else min(ROUNDS * workers, known)
    asked = Reports("top", few) if few else Reports()
    small = replace(plan, table=plan.columns(numbers), sample=None, axes=None, reports=asked)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as aside:
        sweep = Sweep(small, facts, sheet, Store(aside), quiet=True)
        with cluster.client(workers=workers) as client:
            work(sweep, client, list(range(small.parts)))
    seconds, run = time.perf_counter() - start, sweep.runs[-1]
    part, report = run["least seconds for a part"], run["least seconds for a report"]
    seconds += (plan.size - small.size) / plan.chunk * part / workers
    seconds += max(0, (known or 0) - run["reports made"]) * report / workers
    more = f", and {_span(report / workers)} for each report beyond {few}" if known is None else ""
    yield (
        f"About {_span(seconds)} on {workers} worker{'s' if workers > 1 else ''} of this machine{more}; "
        f"measured on {small.size:,} scenarios and {run['reports made']} reports."
    )


def _factors(plan: Plan) -> list[str]:
    names = ["rows of the table", "draws", *(plan.axes or {})]
    found = zip(plan.shape, names, strict=True)
    return [f"{number:,} {name}" for number, name in found if number > 1] or ["1"]


def _span(seconds: float) -> str:
    """A time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 3 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5_400 else f"{seconds / 3_600:.1f} hours"
