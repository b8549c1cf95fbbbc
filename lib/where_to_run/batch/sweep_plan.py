"""Sweep plan: which scenarios a sweep answers, in which order, and which of them get a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..analysis.draws import Sample
from ..inputs.question import BY_NAME, FIELDS

MOST_SCENARIOS = 10_000_000
"""Scenarios of a sweep: at some 200 microseconds each on two cores, half an hour."""

LEAST, MOST, PARTS = 640, 5_120, 16
"""Fewest and most scenarios in one part of the results, and the parts a smaller sweep is cut into."""

NAME = "name"
"""Column of a table that names its scenarios; it may be left out."""

By = Literal["generalised_usd_per_month", "level_usd_per_month", "usd_per_month", "npv_usd"]
"""Columns that reports may go by, the least first."""


@dataclass(frozen=True)
class Reports:
    """Which scenarios get a full report: none, all, the top N by a column, or one for each region with one winner."""

    kind: Literal["none", "all", "top", "winners"] = "none"
    number: int = 0
    by: By = "generalised_usd_per_month"

    @property
    def words(self) -> str:
        """What was asked for, in words."""
        return {
            "none": "no reports",
            "all": "a report for every scenario",
            "top": f"reports for the {self.number} scenarios with the lowest {self.by} of the recommended option",
            "winners": "a report for each region with one winner",
        }[self.kind]


@dataclass(frozen=True)
class Plan:
    """A sweep: every row of a table with every point of a sample with every cell of a grid, over one base scenario.

    `given` holds the fields that differ from the preset in all scenarios, `base` one value of every field. The table
    may have a NAME beside its fields.
    """

    preset: str
    given: Mapping[str, Any]
    base: Mapping[str, Any]
    as_of: str = ""
    facts_file: str = ""
    table: pd.DataFrame | None = None
    sample: Sample | None = None
    axes: Mapping[str, Sequence[Any]] | None = None
    reports: Reports = Reports()
    chunk: int = MOST

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Rows of the table, points of the sample, and values on each axis of the grid, the last going fastest."""
        rows = 1 if self.table is None else len(self.table)
        points = 1 if self.sample is None else self.sample.number
        return rows, points, *(len(axis) for axis in (self.axes or {}).values())

    @property
    def size(self) -> int:
        """Number of scenarios."""
        return prod(self.shape)

    @property
    def words(self) -> str:
        """How many scenarios there are, and what they are made of."""
        names = ["rows of the table", "draws", *(self.axes or {})]
        factors = [f"{number:,} {name}" for number, name in zip(self.shape, names, strict=True) if number > 1]
        return f"{self.size:,} scenarios: {' x '.join(factors) or '1'}. {self.reports.words.capitalize()}."

    @property
    def parts(self) -> int:
        """Number of parts the scenarios are answered in."""
        return -(-self.size // self.chunk)

    @property
    def swept(self) -> list[str]:
        """The fields that differ from scenario to scenario, in the order of the question."""
        drawn = [law.field.name for law in self.sample.laws] if self.sample else []
        named = {*(self.axes or {}), *drawn, *([] if self.table is None else self.table.columns)}
        return [field.name for field in FIELDS if field.name in named]

    def span(self, part: int) -> tuple[int, int]:
        """First scenario of a part, and the first of the next."""
        return part * self.chunk, min((part + 1) * self.chunk, self.size)

    def columns(self, numbers: Any) -> pd.DataFrame:
        """The swept fields of some scenarios by their numbers, after their names where they have some."""
        row, point, *cells = np.unravel_index(np.asarray(numbers), self.shape)
        frames = [(self.table, row), (None if self.sample is None else self.sample.frame, point)]
        found = {str(name): f[name].to_numpy()[at] for f, at in frames if f is not None for name in f.columns}
        for (name, values), cell in zip((self.axes or {}).items(), cells, strict=True):
            found[name] = np.array(values, dtype=None if BY_NAME[name].numeric else object)[cell]
        ordered = [name for name in (NAME, *self.swept) if name in found]
        return pd.DataFrame({name: found[name] for name in ordered}, index=np.asarray(numbers))

    def rows(self, numbers: Any) -> pd.DataFrame:
        """Some scenarios as `evaluate` takes them."""
        return whole(self.base, self.columns(numbers))

    def parameters(self, number: int) -> dict[str, Any]:
        """What the report notebook is given for one scenario."""
        row = self.columns([number])[self.swept].iloc[0]
        return {"preset": self.preset, **self.given, **{str(name): _plain(value) for name, value in row.items()}}

    def name(self, number: int) -> str:
        """Name of a scenario's folder of a report: its number, and the name its row of the table has."""
        named = self.columns([number]).get(NAME)
        return f"{number:0{len(str(self.size - 1))}d}" + ("" if named is None else f"-{named.iloc[0]}")

    @property
    def told(self) -> dict[str, Any]:
        """Everything that decides the results, as plain data."""
        sample = self.sample and {
            "number": self.sample.number,
            "seed": self.sample.seed,
            "method": self.sample.method,
            "laws": {law.field.name: [law.distribution, dict(law.figures)] for law in self.sample.laws},
        }
        table = None
        if self.table is not None:
            written = self.table.to_csv(index=False).encode()
            table = {"rows": len(self.table), "sha256": sha256(written).hexdigest()}
        return {
            "base": {name: _plain(value) for name, value in self.base.items()},
            "table": table,
            "sample": sample,
            "grid": {name: [_plain(value) for value in axis] for name, axis in (self.axes or {}).items()},
            "chunk": self.chunk,
        }


def fitting(size: int) -> int:
    """Scenarios in a part: a multiple of `LEAST`, few enough that there is work for several workers."""
    return min(MOST, max(LEAST, -(-size // (LEAST * PARTS)) * LEAST))


def whole(base: Mapping[str, Any], columns: pd.DataFrame) -> pd.DataFrame:
    """Scenarios with every field: the columns given, the base for the rest."""
    number = len(columns)
    fields = {
        name: columns[name].to_numpy() if name in columns else np.repeat(np.array([value]), number)
        for name, value in base.items()
    }
    return pd.DataFrame(
        {n: pd.Series(v, dtype=None if BY_NAME[n].numeric else object) for n, v in fields.items()}
    ).rename_axis("scenario")


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
