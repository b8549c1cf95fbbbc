"""Choosing: which scenarios of a sweep get a report of their own."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import ndimage

from .plan import Plan
from .results import Results
from .scenario import BY_NAME
from .units import Array

SMALL = 0.01
"""Share of all scenarios below which a region gets a report only where it is the largest of its winner."""

MOST_REGIONS = 50
"""Regions that get a report, the largest first."""


def chosen(plan: Plan, results: Results) -> list[int]:
    """Numbers of the scenarios that get a report, ordered so that those that share most come one after the other."""
    found = {"none": _none, "all": _all, "top": _top, "winners": _winners}[plan.reports.kind](plan, results)
    rows = plan.columns(found)
    rest = [name for name in plan.swept if name not in ("requests_per_month", "spikiness")]
    return [int(number) for number in rows.sort_values(rest).index] if rest and found else found


def _none(plan: Plan, results: Results) -> list[int]:
    return []


def _all(plan: Plan, results: Results) -> list[int]:
    return [int(number) for number in results.scenarios()["scenario"]]


def _top(plan: Plan, results: Results) -> list[int]:
    by = plan.reports.by
    rows = results.recommended(by).sort_values(by, ascending=by != "score", kind="stable")
    return [int(number) for number in rows["scenario"].head(plan.reports.number)]


def _winners(plan: Plan, results: Results) -> list[int]:
    """The scenario in the middle of each region; of a plain grid regions are connected, else all that one wins."""
    rows = results.scenarios("winner")
    if plan.table is None and plan.sample is None:
        return _connected(plan, rows)
    return sorted(_middle(plan, rows.loc[rows["winner"] == name, "scenario"]) for name in rows["winner"].unique())


def _middle(plan: Plan, numbers: pd.Series) -> int:
    """Of some scenarios the one nearest to their medians, field by field, each over its spread."""
    swept = plan.columns(numbers)
    values = swept[[name for name in plan.swept if BY_NAME[name].numeric]].astype(float)
    spread = values.std(ddof=0).replace(0.0, 1.0)
    return int(np.square((values - values.median()) / spread).sum(axis=1).idxmin())


def _connected(plan: Plan, rows: pd.DataFrame) -> list[int]:
    """The middles of the connected regions of a grid with one winner."""
    names = [str(name) for name in rows["winner"].unique()]
    won = np.full(plan.size, -1)
    won[rows["scenario"]] = [names.index(name) for name in rows["winner"]]
    cells = won.reshape(plan.shape[2:])
    found: list[tuple[int, int]] = []
    for code in range(len(names)):
        regions, number = ndimage.label(cells == code, _neighbours(plan))
        sizes = np.bincount(regions.ravel())[1:]
        for region in np.flatnonzero((sizes >= SMALL * plan.size) | (sizes == sizes.max())) + 1 if number else ():
            found.append((int(sizes[region - 1]), _centre(regions == region)))
    return sorted(middle for _, middle in sorted(found, reverse=True)[:MOST_REGIONS])


def _neighbours(plan: Plan) -> Array:
    """Which cells touch: those one step apart along one numeric axis; names have no order to step along."""
    axes = list(plan.axes or {})
    touching: Any = ndimage.generate_binary_structure(len(axes), 1)
    for place, name in enumerate(axes):
        if not BY_NAME[name].numeric:
            apart: list[Any] = [slice(None)] * len(axes)
            for end in (0, 2):
                apart[place] = end
                touching[tuple(apart)] = False
    return np.asarray(touching)


def _centre(region: Array) -> int:
    """Flat position of the cell of a region that is nearest to its mean."""
    cells = np.argwhere(region)
    nearest = cells[np.square(cells - cells.mean(axis=0)).sum(axis=1).argmin()]
    return int(np.ravel_multi_index(tuple(nearest), region.shape))
