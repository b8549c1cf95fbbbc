"""Estimate: how many scenarios and reports a sweep has and about how long it takes, from a small probe."""

import time

import numpy as np

from . import evaluate
from .facts import Facts
from .plan import Plan

PROBE = 640
"""Scenarios answered to see how long one takes."""

START = 4.0
"""Seconds until workers are there, and to end."""

REPORT_ROWS, REPORT = 8_000, 1.5
"""Scenarios a report answers for its map and scans, and the seconds it takes besides; those alike share the first."""


def words(plan: Plan, facts: Facts, workers: int) -> str:
    """What a sweep would do, in a few lines."""
    each = _seconds(plan, facts)
    answering = START + plan.size * each / workers
    told = [
        f"{plan.size:,} scenarios in {plan.parts:,} part{'s' if plan.parts > 1 else ''}: {' x '.join(_factors(plan))}.",
        f"About {_span(answering)} on {workers} worker{'s' if workers > 1 else ''}, by a probe of {PROBE} scenarios "
        f"({each * 1e6:.0f} microseconds each).",
    ]
    report = (REPORT + REPORT_ROWS * each) / workers
    number = {"all": plan.size, "top": min(plan.reports.number, plan.size)}.get(plan.reports.kind, 0)
    if plan.reports.kind == "winners":
        told.append(f"{plan.reports.words.capitalize()}, as many as there are: at most {_span(report)} each.")
    elif number:
        told.append(f"{number:,} reports ({plan.reports.words}): at most {_span(number * report)} more.")
    else:
        told.append("No reports.")
    return "\n".join(told)


def _factors(plan: Plan) -> list[str]:
    names = ["rows of the table", "draws", *(plan.axes or {})]
    found = zip(plan.shape, names, strict=True)
    return [f"{number:,} {name}" for number, name in found if number > 1] or ["1"]


def _seconds(plan: Plan, facts: Facts) -> float:
    """Seconds a scenario takes on one worker, once the facts are warm."""
    rows = plan.rows(np.linspace(0, plan.size - 1, min(PROBE, plan.size)).astype(int))
    evaluate(rows, facts)
    start = time.perf_counter()
    evaluate(rows, facts)
    return (time.perf_counter() - start) / len(rows)


def _span(seconds: float) -> str:
    """A time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5_400 else f"{seconds / 3_600:.1f} hours"
