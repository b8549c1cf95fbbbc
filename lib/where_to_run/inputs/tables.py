"""Tables: what a table of data/ may hold, everything wrong with one, and a user's own figures as they are written."""

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..paths import DATA, check_plain, read_yaml

COLUMNS = ("table", "key", "column", "value", "source", "note")


class FactsError(ValueError):
    """Facts that cannot be used; the text says what was asked, what is known, what to do."""


def gathered(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Every line of override files in order, indexed by file and line; refuses a file that is none (`FactsError`)."""
    lines = [line for path in paths for line in _lines(Path(path))]
    return pd.DataFrame([cells for _, cells in lines], [where for where, _ in lines], list(COLUMNS), dtype=object)


def _lines(path: Path) -> list[tuple[str, list[str]]]:
    try:
        check_plain(path)
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise FactsError(f"cannot read the override file {path.name}: {error}") from None
    wanted = ",".join(COLUMNS)
    if not lines or tuple(lines[0]) != COLUMNS:
        first = ",".join(lines[0]) if lines else ""
        raise FactsError(f"{path.name}: its first line is {first!r}; it must be {wanted!r}")
    filled = [(f"{path.name}, line {number}", line) for number, line in enumerate(lines[1:], start=2) if line]
    seen: dict[tuple[str, ...], str] = {}
    for where, line in filled:
        if len(line) != len(COLUMNS):
            raise FactsError(f"{where}: {len(line)} cells; it takes {len(COLUMNS)}: {wanted}")
        if (first := seen.setdefault(tuple(line[:3]), where)) != where:
            raise FactsError(f"{where}: {', '.join(line[:3])} stands in {first} already; give it once")
    return filled


COMMON = ("key", "effective_from", "source", "read_on", "note", "low", "high")
DAYS = ("effective_from", "read_on", "ends_on")


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The columns of every table, as data/tables.yaml defines them."""
    loaded: dict[str, Any] = read_yaml(DATA / "tables.yaml")
    return loaded


def is_numeric(column: Mapping[str, Any]) -> bool:
    """Whether a column holds numbers."""
    return column["unit"] not in ("key", "text")


def columns_of(table: str) -> dict[str, dict[str, Any]]:
    """All columns of a table with what they may hold; low and high follow the headline, where it has one."""
    if table == "lines":
        return dict(schema()["lines"]["columns"])
    own = {name: dict(column) for name, column in schema()["tables"][table]["columns"].items()}
    if table == "assumptions":
        own["value"]["unit"] = "any"
    text = {"unit": "text", "required": True}
    every = own | {n: text for n in COMMON[:4]} | {"note": {"unit": "text"}}
    if headline := schema()["tables"][table].get("headline"):
        every |= dict.fromkeys(("low", "high"), own[headline] | {"required": False})
    return every


def read(table: str, path: Path | None = None) -> pd.DataFrame:
    """Every row of one table, numbers as numbers; refuses a damaged table (`FactsError`)."""
    path = path or DATA / f"{table}.csv"
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise FactsError(
            f"cannot read {path.name}: {error}. Restore it, or check it with: where-to-run check-data"
        ) from None
    spec = columns_of(table)
    lacking, extra = [c for c in spec if c not in raw.columns], [c for c in raw.columns if c not in spec]
    if lacking or extra:
        raise FactsError(
            f"{path.name}: lacks the columns {lacking or 'none'}, has unknown ones {extra or 'none'}; see tables.yaml"
        )
    keys = raw["name" if table == "lines" else "key"]
    typed = {name: typed_column(table, name, column, raw[name], keys) for name, column in spec.items()}
    return pd.DataFrame(typed)


def typed_column(table: str, name: str, column: Mapping[str, Any], texts: pd.Series, keys: pd.Series) -> Any:
    """One column with its type; the first cell that does not fit is named."""
    empty = texts == ""
    bad = empty & bool(column.get("required"))
    result: Any = texts.astype(object)
    if is_numeric(column):
        numbers = pd.to_numeric(texts.where(~empty), errors="coerce").astype(float)
        low, high = column.get("low", -np.inf), column.get("high", np.inf)
        bad |= ~empty & ~((numbers >= low) & (numbers <= high) & np.isfinite(numbers))
        result = numbers
    elif "among" in column:
        bad |= ~empty & ~texts.isin(column["among"])
    elif name in DAYS:
        bad |= ~empty & ~texts.map(is_day)
    if bad.any():
        row = int(np.argmax(bad.to_numpy()))
        other = "a date as 2026-11-22" if name in DAYS else _range(column)
        allowed = list(column.get("among", ())) or other
        raise FactsError(
            f"{table}.csv, key {keys.iloc[row]!r}, column {name}: got {texts.iloc[row]!r}; allowed: {allowed}"
        )
    return result


def is_day(text: str) -> bool:
    """Whether a text is a day as 2026-11-22; anything looser would not compare as text."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _range(column: Mapping[str, Any]) -> str:
    span = f" from {column['low']:g} to {column['high']:g} {column['unit']}" if "low" in column else ""
    return f"a number{span}" if is_numeric(column) else "a text"


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
    for name in (*schema()["tables"], "lines"):
        try:
            every[name] = read(name)
        except FactsError as error:
            found.append(str(error))
    every.pop("lines", None)
    keys = {name: set(rows["key"]) for name, rows in every.items()}
    for name, rows in every.items():
        found += row_problems(name, rows, keys)
        doubles = rows[rows.duplicated(["key", "effective_from"])]
        found += [f"{name}.csv: two rows for {r.key!r} from {r.effective_from}" for r in doubles.itertuples()]
    return found


def row_problems(name: str, rows: pd.DataFrame, keys: Mapping[str, set[str]]) -> list[str]:
    """What is wrong with rows of a table that a look at one cell does not tell; `keys` are the keys of every table."""
    found = []
    headline, columns = schema()["tables"][name].get("headline"), schema()["tables"][name]["columns"]
    for row in rows.to_dict("records"):
        where = f"{name}.csv, key {row['key']!r}"
        if problem := source_problem(row["source"], row["note"]):
            found.append(f"{where}: {problem}")
        value = row[headline] if headline else np.nan
        if headline and (row["low"] > value or row["high"] < value):
            span = f"{row['low']:g} to {row['high']:g}"
            found.append(f"{where}: {headline} {value:g} is outside its own range {span}")
        if name == "assumptions" and (problem := _unit_problem(row["unit"], value) or _end_problem(row["key"], value)):
            found.append(f"{where}: {problem}")
        if name == "models" and all(np.isnan(row[f"weights_gb_{bits}bit"]) for bits in (16, 8, 4)):
            found.append(f"{where}: weights at no precision; give those it is published at")
        for column, spec in columns.items():
            if "table" in spec and row[column] and row[column] not in keys.get(spec["table"], set()):
                found.append(f"{where}: {column} {row[column]!r} is no key of {spec['table']}.csv")
    return found


def _end_problem(key: str, value: float) -> str:
    """What is wrong with a single figure at an end that leaves a formula nothing to divide by."""
    barred = key.startswith(tuple(schema()["never"].get(value, ())))
    return f"value {value:g} leaves nothing to divide by; stay off it" if barred else ""


def _unit_problem(unit: str, value: float) -> str:
    """What is wrong with a single figure in its unit: an unknown unit, a negative figure, a share above one."""
    if unit not in schema()["units"]:
        return f"unit {unit!r} is not in the list of tables.yaml"
    if value < 0 or (unit.startswith("share") and value > 1):
        return f"value {value:g} is no {unit}; a share lies between 0 and 1, and nothing is negative"
    return ""
