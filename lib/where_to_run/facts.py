"""The dated tables in force on a day, with a user's own figures laid over them."""

import csv
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .paths import DATA, read_yaml

COMMON = ("key", "effective_from", "source", "read_on", "note", "low", "high")
OVERRIDE_COLUMNS = ("table", "key", "column", "value", "source", "note")


class FactsError(ValueError):
    """Facts that cannot be used; the text says what was asked, what is known, what to do."""


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

    def recent(self, kind: str, key: Any, make: Any, most: int) -> Any:
        """What `make()` returns, kept while it is among the last `most` of its kind."""
        kept: OrderedDict[Any, Any] = self.cached(("recent", kind), OrderedDict)
        kept[key] = kept.pop(key) if key in kept else make()
        while len(kept) > most:
            kept.popitem(last=False)
        return kept[key]


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The columns of every table, as data/tables.yaml defines them."""
    loaded: dict[str, Any] = read_yaml(DATA / "tables.yaml")
    return loaded


def _numeric(column: Mapping[str, Any]) -> bool:
    return column["unit"] not in ("key", "text")


def _spec(table: str) -> dict[str, dict[str, Any]]:
    """All columns of a table with what they may hold; low and high follow the headline."""
    own = {name: dict(column) for name, column in schema()["tables"][table]["columns"].items()}
    if table == "assumptions":
        own["value"]["unit"] = "any"
    headline = own[schema()["tables"][table]["headline"]] | {"required": False}
    text = {"unit": "text", "required": True}
    return own | {n: text for n in COMMON[:4]} | {"note": {"unit": "text"}, "low": headline, "high": headline}


def read(table: str, path: Path | None = None) -> pd.DataFrame:
    """Every dated row of one table, numbers as numbers; refuses a damaged table (`FactsError`)."""
    path = path or DATA / f"{table}.csv"
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise FactsError(
            f"cannot read {path.name}: {error}. Restore it, or check it with: where-to-run check-data"
        ) from None
    spec = _spec(table)
    lacking, extra = [c for c in spec if c not in raw.columns], [c for c in raw.columns if c not in spec]
    if lacking or extra:
        raise FactsError(
            f"{path.name}: lacks the columns {lacking or 'none'}, has unknown ones {extra or 'none'}; see tables.yaml"
        )
    typed = {name: _typed(table, name, column, raw[name], raw["key"]) for name, column in spec.items()}
    return pd.DataFrame(typed)


def _typed(table: str, name: str, column: Mapping[str, Any], texts: pd.Series, keys: pd.Series) -> Any:
    """One column with its type; the first cell that does not fit is named."""
    empty = texts == ""
    bad = empty & bool(column.get("required"))
    result: Any = texts.astype(object)
    if _numeric(column):
        numbers = pd.to_numeric(texts.where(~empty), errors="coerce").astype(float)
        low, high = column.get("low", -np.inf), column.get("high", np.inf)
        bad |= ~empty & ~((numbers >= low) & (numbers <= high) & np.isfinite(numbers))
        result = numbers
    elif "among" in column:
        bad |= ~empty & ~texts.isin(column["among"])
    elif name in ("effective_from", "read_on"):
        bad |= ~texts.map(_is_day)
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        allowed = column.get("among") or ("a date as 2026-11-22" if "_" in name and name in COMMON else _range(column))
        raise FactsError(
            f"{table}.csv, key {keys.iloc[row]!r}, column {name}: got {texts.iloc[row]!r}; allowed: {allowed}"
        )
    return result


def _is_day(text: str) -> bool:
    """Whether a text is a day as 2026-11-22; anything looser would not compare as text."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _range(column: Mapping[str, Any]) -> str:
    span = f" from {column['low']:g} to {column['high']:g} {column['unit']}" if "low" in column else ""
    return f"a number{span}" if _numeric(column) else "a text"


def in_force(rows: pd.DataFrame, as_of: str) -> pd.DataFrame:
    """For each key the last row that took effect on or before the day; keys that start later are left out."""
    held = rows[rows["effective_from"] <= as_of].sort_values("effective_from", kind="stable")
    return held.drop_duplicates("key", keep="last").set_index("key").sort_index()


def load(as_of: str | None = None, overrides: str | Path | None = None) -> Facts:
    """The facts in force on a day (default: the day they were last read), with an override file laid over them.

    The last two asked are kept, for as long as no file changes. Refuses a damaged table, a day before the first fact,
    and an override that fits no cell.
    """
    files = [*sorted(DATA.glob("*.csv")), DATA / "rules.yaml", *([Path(overrides)] if overrides else [])]
    return _load(as_of, overrides, tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in files if p.exists()))


@lru_cache(maxsize=2)
def _load(as_of: str | None, overrides: str | Path | None, stamps: tuple[tuple[str, int, int], ...]) -> Facts:
    every = {name: read(name) for name in schema()["tables"]}
    day = as_of or max(rows["read_on"].max() for rows in every.values())
    if not _is_day(day):
        raise FactsError(f"as_of: got {day!r}; give a day as 2026-11-22")
    tables = {name: in_force(rows, day) for name, rows in every.items()}
    hollow = {every[name]["effective_from"].min(): name for name, rows in tables.items() if rows.empty}
    if hollow:
        first = max(hollow)
        raise FactsError(
            f"no {hollow[first]} on {day}: the first row starts {first}. Ask for a later day, or add a row"
        )
    laid = _overrides(overrides)
    shipped = tables["assumptions"]
    for number, row in laid.iterrows():
        where = f"{Path(str(overrides)).name}, line {number}"
        _lay(tables, row, where)
        if row["table"] == "assumptions" and row["column"] == "value":
            _check_range(shipped.loc[row["key"]], row["value"], f"{where}: {row['key']}")
    rules = read_yaml(DATA / "rules.yaml")
    return Facts(day, tables, rules, laid)


def _overrides(path: str | Path | None) -> pd.DataFrame:
    if not path:
        return pd.DataFrame(columns=list(OVERRIDE_COLUMNS))
    try:
        lines = list(csv.reader(Path(path).read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise FactsError(f"cannot read the override file {Path(path).name}: {error}") from None
    wanted = ",".join(OVERRIDE_COLUMNS)
    if not lines or tuple(lines[0]) != OVERRIDE_COLUMNS:
        first = ",".join(lines[0]) if lines else ""
        raise FactsError(f"{Path(path).name}: its first line is {first!r}; it must be {wanted!r}")
    filled = [(number, line) for number, line in enumerate(lines[1:], start=2) if line]
    for number, line in filled:
        if len(line) != len(OVERRIDE_COLUMNS):
            raise FactsError(
                f"{Path(path).name}, line {number}: {len(line)} cells; it takes {len(OVERRIDE_COLUMNS)}: {wanted}"
            )
    index = [number for number, _ in filled]
    return pd.DataFrame([line for _, line in filled], index, list(OVERRIDE_COLUMNS), dtype=object)


def _lay(tables: dict[str, pd.DataFrame], row: pd.Series, where: str) -> None:
    """Put one override in its cell; the table is copied, the shipped one stays as it is."""
    name, key, column = row["table"], row["key"], row["column"]
    if name not in tables:
        raise FactsError(f"{where}: no table {name!r}; there are: {', '.join(tables)}")
    if key not in tables[name].index:
        near = get_close_matches(key, list(tables[name].index), n=3) or list(tables[name].index)[:5]
        raise FactsError(f"{where}: no key {key!r} in {name}; near it: {', '.join(near)}")
    own = schema()["tables"][name]["columns"]
    if column not in own:
        raise FactsError(f"{where}: no column {column!r} in {name}; it has: {', '.join(own)}")
    problem = source_problem(row["source"], row["note"])
    if problem:
        raise FactsError(f"{where}: {problem}")
    spec = _spec(name)[column] | {"required": True}
    value = _typed(f"{where}, {name}", column, spec, pd.Series([row["value"]]), pd.Series([key])).iloc[0]
    table = tables[name].copy()
    table.loc[key, [column, "source", "note"]] = [value, row["source"], row["note"]]
    if column == schema()["tables"][name]["headline"]:
        table.loc[key, ["low", "high"]] = np.nan
    changed = table.loc[[key]].reset_index()
    for problem in _row_problems(name, changed, {other: set(rows.index) for other, rows in tables.items()}):
        raise FactsError(f"{where}: {problem}")
    tables[name] = table


def _check_range(row: pd.Series, text: str, where: str) -> None:
    """Refuse an override of a single figure that cannot be meant: an end its range excludes, or ten times off it."""
    low, high, value = row["low"], row["high"], pd.to_numeric(text, errors="coerce")
    if (value == 0 < low) or (value == 1 > high and row["unit"].startswith("share")):
        raise FactsError(f"{where}: got {value:g}; its range, {low:g} to {high:g}, keeps off that end")
    if value > 10 * high or value < low / 10:
        raise FactsError(f"{where}: got {value:g}; that is more than ten times off its range, {low:g} to {high:g}")


def source_problem(source: str, note: str) -> str:
    """What is wrong with a source, or nothing: it is a link, or the word estimate with the reasoning in the note."""
    if source.startswith("https://") and " " not in source:
        return ""
    if source == "estimate":
        return "" if note else "an estimate needs its reasoning in note"
    return f"source {source!r} is neither a https link nor 'estimate'"


def problems() -> list[str]:
    """Everything wrong with the tables, a sentence each: sources, keys, ranges, units, references."""
    found: list[str] = []
    every: dict[str, pd.DataFrame] = {}
    for name in schema()["tables"]:
        try:
            every[name] = read(name)
        except FactsError as error:
            found.append(str(error))
    keys = {name: set(rows["key"]) for name, rows in every.items()}
    for name, rows in every.items():
        found += _row_problems(name, rows, keys)
        doubles = rows[rows.duplicated(["key", "effective_from"])]
        found += [f"{name}.csv: two rows for {r.key!r} from {r.effective_from}" for r in doubles.itertuples()]
    return found


def _row_problems(name: str, rows: pd.DataFrame, keys: Mapping[str, set[str]]) -> list[str]:
    """What is wrong with rows of a table that a look at one cell does not tell; `keys` are the keys of every table."""
    found = []
    headline, columns = schema()["tables"][name]["headline"], schema()["tables"][name]["columns"]
    for row in rows.to_dict("records"):
        where = f"{name}.csv, key {row['key']!r}"
        if problem := source_problem(row["source"], row["note"]):
            found.append(f"{where}: {problem}")
        low, high, value = row["low"], row["high"], row[headline]
        if low > value or high < value:
            found.append(f"{where}: {headline} {value:g} is outside its own range {low:g} to {high:g}")
        if name == "assumptions" and (problem := _unit_problem(row["unit"], value)):
            found.append(f"{where}: {problem}")
        for column, spec in columns.items():
            if "table" in spec and row[column] and row[column] not in keys.get(spec["table"], set()):
                found.append(f"{where}: {column} {row[column]!r} is no key of {spec['table']}.csv")
    return found


def _unit_problem(unit: str, value: float) -> str:
    """What is wrong with a single figure in its unit: an unknown unit, a negative figure, a share above one."""
    if unit not in schema()["units"]:
        return f"unit {unit!r} is not in the list of tables.yaml"
    if value < 0 or (unit.startswith("share") and value > 1):
        return f"value {value:g} is no {unit}; a share lies between 0 and 1, and nothing is negative"
    return ""
