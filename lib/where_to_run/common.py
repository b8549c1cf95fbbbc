"""Common: what the reports of one sweep have in common, computed once in a process that makes many of them."""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pandas as pd

from . import breakeven, facts
from .facts import Facts

GRIDS, INTERVALS = 4, 64
"""Maps and scans kept: a map takes some ten megabytes."""


def share() -> None:
    """Let `facts` remember what it has read and `breakeven` its last maps and scans, in this process.

    A map over two fields is the same for all scenarios that differ in these two alone, and a scan along a field for
    all that differ in that field; in a sweep over volume and spikiness all reports share one map.
    """
    setattr(facts, "load", lru_cache(maxsize=2)(facts.load))  # noqa: B010
    setattr(breakeven, "grid", _remembering(breakeven.grid, GRIDS, 2))  # noqa: B010
    setattr(breakeven, "intervals", _remembering(breakeven.intervals, INTERVALS, 1))  # noqa: B010


def _remembering(ask: Callable[..., Any], most: int, fields: int) -> Callable[..., Any]:
    """A question of a scenario, facts, and fields whose own value does not matter, that remembers its last answers."""
    kept: OrderedDict[Any, Any] = OrderedDict()

    def remembered(scenario: pd.DataFrame, known: Facts, *asked: Any, **options: Any) -> Any:
        rest = scenario.drop(columns=list(asked[:fields])).iloc[0]
        key = (known.as_of, known.overrides.to_csv(), asked, tuple(options.items()), tuple(rest.items()))
        if key not in kept:
            kept[key] = ask(scenario, known, *asked, **options)
        kept.move_to_end(key)
        while len(kept) > most:
            kept.popitem(last=False)
        return kept[key]

    return remembered
