"""The dated tables in force on a day, with a user's own figures laid over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..paths import DATA, read_yaml
from . import tables
from .tables import FactsError as FactsError
from .tables import columns_of, gathered, is_day, is_numeric, read, row_problems, schema, source_problem, typed_column


@dataclass(frozen=True, eq=False)
class Facts:
    """The rows in force on `as_of`: one row a key in each table, the rules as written, the overrides laid over."""

    as_of: str
    tables: Mapping[str, pd.DataFrame]
    rules: Mapping[str, Any]
    overrides: pd.DataFrame
    cache: dict[Any, Any] = field(default_factory=dict, repr=False)

    def table(self, name: str) -> pd.DataFrame:
        """A table indexed by key; refuses an unknown name."""
        if name not in self.tables:
            raise FactsError(f"no table {name!r} in data/; it has: {', '.join(self.tables)}")
        return self.tables[name]

    def value(self, key: str) -> float:
        """A single figure of data/assumptions.csv, in the unit of its row; refuses a key that is not there."""
        values: dict[str, float] = self.cached("values", lambda: self.table("assumptions")["value"].to_dict())
        if key not in values:
            near = get_close_matches(key, list(values), n=3)
            raise FactsError(f"no {key!r} in data/assumptions.csv; near it: {', '.join(near) or 'nothing'}")
        return values[key]

    def keys(self) -> dict[str, list[str]]:
        """The names a scenario may use, by table."""
        named = {name: list(self.table(name).index) for name in ("api_offers", "models", "gpus")}
        return named | {name: list(self.rules[name]) for name in ("regimes", "evidence")}

    def cached(self, key: Any, make: Any) -> Any:
        """What `make()` returns, made once for these facts."""
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]


def in_force(rows: pd.DataFrame, as_of: str) -> pd.DataFrame:
    """For each key the last row that took effect on or before the day; keys that start later are left out."""
    held = rows[rows["effective_from"] <= as_of].sort_values("effective_from", kind="stable")
    return held.drop_duplicates("key", keep="last").set_index("key").sort_index()


def load(as_of: str | None = None, overrides: str | Path | Sequence[str | Path] | None = None) -> Facts:
    """The facts in force on a day (default: the day they were last read), with override files laid over them in order.

    The last two asked are kept, for as long as no file changes. Refuses a damaged table, a day before the first fact,
    and an override that fits no cell.
    """
    own = tuple(Path(path) for path in ([overrides] if isinstance(overrides, str | Path) else overrides or ()) if path)
    files = [*sorted(DATA.glob("*.csv")), DATA / "rules.yaml", *own]
    return _load(as_of, own, tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in files if p.exists()))


@lru_cache(maxsize=2)
def _load(as_of: str | None, overrides: tuple[Path, ...], stamps: tuple[tuple[str, int, int], ...]) -> Facts:
    every = {name: read(name) for name in schema()["tables"]}
    day = as_of or max(rows["read_on"].max() for rows in every.values())
    if not is_day(day):
        raise FactsError(f"as_of: got {day!r}; give a day as 2026-11-22")
    tables = {name: in_force(rows, day) for name, rows in every.items()}
    hollow = {every[name]["effective_from"].min(): name for name, rows in tables.items() if rows.empty}
    if hollow:
        first = max(hollow)
        raise FactsError(
            f"no {hollow[first]} on {day}: the first row starts {first}. Ask for a later day, or add a row"
        )
    shipped = Facts(day, tables, read_yaml(DATA / "rules.yaml"), gathered([]))
    return laid_over(shipped, gathered(overrides))


def laid_over(facts: Facts, overrides: pd.DataFrame) -> Facts:
    """The facts with overrides laid over them: the columns of an override file, indexed by where each is written.

    The cells of one key are laid together, in the order of the first; a key that is not there becomes a row of its own.
    """
    tables = dict(facts.tables)
    for (name, key), cells in overrides.groupby(["table", "key"], sort=False):
        if name not in tables:
            raise FactsError(f"{cells.index[0]}: no table {name!r}; there are: {', '.join(tables)}")
        tables[name] = _laid(tables, str(name), str(key), cells, facts.as_of)
    return Facts(facts.as_of, tables, facts.rules, pd.concat([facts.overrides, overrides]))


def _laid(tables: dict[str, pd.DataFrame], name: str, key: str, cells: pd.DataFrame, day: str) -> pd.DataFrame:
    """A table with the cells of one key laid over a copy; the shipped one stays as it is."""
    shipped, spec, where = tables[name], columns_of(name), cells.index[-1]
    given = dict(zip(cells["column"], cells["value"], strict=True))
    table = shipped.reindex(shipped.index.union(pd.Index([key], dtype=object, name="key"), sort=False))
    row = shipped.loc[key].to_dict() if key in shipped.index else _new_row(shipped, name, key, given, where, day)
    if schema()["tables"][name]["headline"] in given:
        row |= {"low": np.nan, "high": np.nan}
    own = [*schema()["tables"][name]["columns"], "low", "high"]
    for at, cell in cells.iterrows():
        column = cell["column"]
        if column not in own:
            raise FactsError(f"{at}: no column {column!r} in {name}; it has: {', '.join(own)}")
        if problem := source_problem(cell["source"], cell["note"]):
            raise FactsError(f"{at}: {problem}")
        must = spec[column] | {"required": True}
        row[column] = typed_column(f"{at}, {name}", column, must, pd.Series([cell["value"]]), pd.Series([key])).iloc[0]
    row |= {"source": cells["source"].iloc[-1], "note": cells["note"].iloc[-1]}
    keys = {other: set(rows.index) for other, rows in (tables | {name: table}).items()}
    for problem in row_problems(name, pd.DataFrame([{"key": key} | row]), keys):
        raise FactsError(f"{where}: {problem}")
    if name == "assumptions" and key in shipped.index and "value" in given and not {"low", "high"} & set(given):
        _check_range(shipped.loc[key], row["value"], f"{where}: {key}")
    table.loc[key] = pd.Series(row)
    return table


def _new_row(
    shipped: pd.DataFrame, name: str, key: str, given: Mapping[str, str], where: str, day: str
) -> dict[str, Any]:
    """A row for a key that is not there yet, with nothing but its day; refuses one that lacks what it must have."""
    spec = columns_of(name)
    own = schema()["tables"][name]["columns"]
    if lacking := [column for column in own if own[column].get("required") and column not in given]:
        near = get_close_matches(key, list(shipped.index), n=3) or list(shipped.index)[:5]
        raise FactsError(
            f"{where}: no key {key!r} in {name}; near it: {', '.join(near)}; a new one lacks: {', '.join(lacking)}"
        )
    row: dict[str, Any] = {c: np.nan if is_numeric(column) else "" for c, column in spec.items() if c != "key"}
    return row | {"effective_from": day, "read_on": day}


def _check_range(row: pd.Series, value: float, where: str) -> None:
    """Refuse an override of a single figure that cannot be meant: an end its range excludes, or ten times off it."""
    low, high, problem = row["low"], row["high"], ""
    if (value == 0 < low) or (value == 1 > high and row["unit"].startswith("share")):
        problem = f"its range, {low:g} to {high:g}, keeps off that end"
    elif value > 10 * high or value < low / 10:
        problem = f"that is more than ten times off its range, {low:g} to {high:g}"
    if problem:
        raise FactsError(f"{where}: got {value:g}; {problem}. If it is meant, give a low or high of your own with it")


def stale(facts: Facts, today: str) -> pd.DataFrame:
    """Facts read longer ago than data/assumptions.csv allows: table, key, read_on, age [day]."""
    ages = []
    for name, rows in facts.tables.items():
        limit = facts.value(f"stale_after_days.{tables.schema()['tables'][name]['stale_after']}")
        age = rows["read_on"].map(lambda day: (pd.Timestamp(today) - pd.Timestamp(day)).days)
        old = rows[age > limit]
        ages += [(name, key, row["read_on"], int(age[key])) for key, row in old.iterrows()]
    return pd.DataFrame(ages, columns=["table", "key", "read_on", "age_days"])
