"""Sweep file: a sweep as a person writes it, checked whole before any work; refusals name the line."""

import csv
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from math import prod
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import yaml

from ..analysis import draws
from ..analysis.draws import METHODS, Sample
from ..inputs import facts, question
from ..inputs.facts import Facts
from ..inputs.question import BY_NAME, ScenarioError
from ..inputs.share import Plain
from ..inputs.tables import FactsError
from ..paths import check_plain
from ..units import HOURS_PER_WEEK
from .sweep_plan import MOST_SCENARIOS, NAME, By, Plan, Reports, fitting, whole

KNOWN = ("preset", "fields", "as_of", "facts", "grid", "sample", "table", "reports", "chunk")
MOST_ROWS = 2_000_000
MOST_REPORTS = 10_000

At = tuple[str | int, ...]
"""Where a value stands: names and positions from the top, as ("grid", "spikiness", 2)."""


@dataclass(frozen=True)
class Lined:
    """What a file holds, and the line of every value by where it stands."""

    path: Path
    text: str
    value: Any
    lines: Mapping[At, int]

    def at(self, *at: str | int) -> Any:
        """The value at a place; None where there is none."""
        found = self.value
        for name in at:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def refusal(self, words: str, *at: str | int) -> ScenarioError:
        """A refusal that names the file, and the line of a value or of what it stands in."""
        while at and at not in self.lines:
            at = at[:-1]
        return ScenarioError(f"{self.path.name}, line {self.lines.get(at, 1)}: {words}")

    @contextmanager
    def naming(self, *at: str | int) -> Iterator[None]:
        """What is refused inside is refused with the line of a value."""
        try:
            yield
        except ScenarioError as error:
            raise self.refusal(str(error), *at) from None


def read(path: Path) -> tuple[Plan, Facts, Lined]:
    """The plan of a file, the facts it asks for, and the file as it stands.

    Refuses, with the line, what is unknown, out of range, empty, asked twice or too large.
    """
    sheet = read_lined(path)
    given = sheet.value
    if not isinstance(given, dict) or not given:
        raise sheet.refusal(f"this holds no sweep; it takes {', '.join(KNOWN)}")
    for name in given:
        if name not in KNOWN:
            raise sheet.refusal(f"no entry {name[:40]!r}; a sweep takes {', '.join(KNOWN)}", name)
    known, overrides = _facts(sheet)
    keys = known.keys()
    preset, fields = _text(sheet, "preset"), _mapping(sheet, "fields")
    rest = _base(sheet, preset, fields, keys)
    table = _table(sheet, rest, keys)
    sample = _sample(sheet, rest, keys)
    others = [1 if table is None else len(table), sample.number if sample else 1]
    axes = _grid(sheet, rest, keys, others)
    _once(sheet, fields, axes, sample, table)
    plan = Plan(preset, fields, rest, _day(sheet), overrides, table, sample, axes, _reports(sheet))
    if "hours_per_week" in plan.swept or rest["hours_per_week"] < HOURS_PER_WEEK:
        with sheet.naming("grid" if axes else "sample" if sample else "table"):
            for first in range(0, plan.size, MANY):
                some = plan.columns(np.arange(first, min(first + MANY, plan.size)))
                question.refuse_too_steady(rest | {str(name): some[name] for name in some})
    asked = {"all": plan.size, "top": plan.reports.number}.get(plan.reports.kind, 0)
    if asked > MOST_REPORTS:
        raise sheet.refusal(f"{asked:,} reports; at most {MOST_REPORTS:,}. Ask for the top ones", "reports")
    return replace(plan, chunk=_number(sheet, fitting(plan.size), 1, 100_000, "chunk")), known, sheet


def _facts(sheet: Lined) -> tuple[Facts, str]:
    overrides = _text(sheet, "facts")
    path = str((sheet.path.parent / overrides).resolve()) if overrides else ""
    try:
        return facts.load(_day(sheet) or None, path or None), path
    except FactsError as error:
        raise sheet.refusal(str(error), "facts" if overrides else "as_of") from None


def _day(sheet: Lined) -> str:
    given = sheet.at("as_of")
    return given.isoformat() if isinstance(given, date) else _text(sheet, "as_of")


def _text(sheet: Lined, name: str) -> str:
    given = sheet.at(name)
    if given is not None and not isinstance(given, str):
        raise sheet.refusal(f"{name}: give one text, not {str(given)[:40]!r}", name)
    return given or ""


def _mapping(sheet: Lined, *at: str) -> dict[str, Any]:
    """A part of the file that is made of fields; refuses unknown ones."""
    if at[0] not in sheet.value:
        return {}
    given = sheet.at(*at)
    if not isinstance(given, dict) or not given:
        raise sheet.refusal(f"{at[-1]}: give one field or more, as `spikiness: [2, 8]`; it is empty", *at)
    for name in given:
        with sheet.naming(*at, name):
            question.field(name[:60])
    return given


def _number(sheet: Lined, default: int, low: int, high: int, *at: str) -> int:
    given = sheet.at(*at)
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise sheet.refusal(f"{at[-1]}: got {str(given)[:40]!r}; give a whole number, {low:,} to {high:,}", *at)
    return given


def _base(sheet: Lined, preset: str, fields: dict[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """One value of every field: of the preset, and of the fields that differ from it."""
    with sheet.naming("preset"):
        rows = question.grid(preset)
    for name, value in fields.items():
        with sheet.naming("fields", name):
            several = not question.field(name).numeric and question.field(name).kind != "choice"
            if isinstance(value, dict) or (isinstance(value, list) and not several):
                raise ScenarioError(f"{name}: give one value here; several go under grid")
            rows = question.check(rows.assign(**{name: question.grid(**{name: value})[name]}), keys)
    with sheet.naming("preset"):
        return dict(question.check(rows, keys).iloc[0])


def _values(name: str, values: Any, rest: dict[str, Any], keys: Mapping[str, Any]) -> list[Any]:
    """Values of one field as they stand in a frame; refuses what is out of its range or unknown."""
    asked: dict[str, Any] = {name: values}
    return question.check(whole(rest, question.grid(**asked)[[name]]), keys)[name].tolist()


def _grid(sheet: Lined, rest: dict[str, Any], keys: Mapping[str, Any], others: list[int]) -> dict[str, list[Any]]:
    """The values on every axis, checked; before they are made, the number of scenarios they make with all others."""
    asked = _mapping(sheet, "grid")
    counts = others + [_count(sheet, name, axis) for name, axis in asked.items()]
    if (size := prod(counts)) > MOST_SCENARIOS:
        factors = " x ".join(f"{count:,}" for count in counts if count > 1)
        told = f"{factors} = {size:.3g} scenarios; at most {MOST_SCENARIOS:,}. Give fewer values"
        raise sheet.refusal(told, "grid" if asked else "sample")
    axes = {}
    for name, axis in asked.items():
        with sheet.naming("grid", name):
            values = _steps(name, axis) if isinstance(axis, dict) else axis
            axes[name] = list(dict.fromkeys(_values(name, values, rest, keys)))
    return axes


def _count(sheet: Lined, name: str, axis: Any) -> int:
    if isinstance(axis, dict):
        return _number(sheet, 0, 1, 10**15, "grid", name, "steps") or 1
    if not isinstance(axis, list) or not axis:
        got = "an empty list" if axis == [] else str(axis)[:40]
        raise sheet.refusal(f"{name}: give a list of values, or from, to, steps and log; got {got}", "grid", name)
    return len(axis)


def _steps(name: str, axis: dict[str, Any]) -> Any:
    """Values from one end to the other, evenly or by equal factors."""
    field = question.field(name)
    if set(axis) - {"from", "to", "steps", "log"} or not {"from", "to", "steps"} <= set(axis):
        raise ScenarioError(f"{name}: give from, to, steps and, for equal factors, log: true; got {', '.join(axis)}")
    if not field.numeric:
        raise ScenarioError(f"{name} is no number: list its values; allowed: {field.allowed}")
    log = axis.get("log", False)
    if not isinstance(log, bool):
        raise ScenarioError(f"{name}: log is true or false, not {str(log)[:40]!r}")
    ends: dict[str, Any] = {name: [axis["from"], axis["to"]]}
    first, last = question.grid(**ends)[name]
    if log and min(first, last) <= 0:
        raise ScenarioError(f"{name}: equal factors need both ends above zero")
    values = np.geomspace(first, last, axis["steps"]) if log else np.linspace(first, last, axis["steps"])
    values[0], values[-1] = first, last if len(values) > 1 else first
    return np.unique(np.round(values)) if field.kind == "whole" else values


def _sample(sheet: Lined, rest: dict[str, Any], keys: Mapping[str, Any]) -> Sample | None:
    if "sample" not in sheet.value:
        return None
    given = sheet.at("sample") or {}
    if not isinstance(given, dict) or not {"n", "fields"} <= set(given) <= {"n", "seed", "method", "fields"}:
        raise sheet.refusal("sample: give n, fields and, as you like, seed and method", "sample")
    number = _number(sheet, 0, 1, MOST_ROWS, "sample", "n")
    seed = _number(sheet, 0, 0, 2**32 - 1, "sample", "seed")
    method = given.get("method", "sobol")
    if not isinstance(method, str) or method not in METHODS:
        raise sheet.refusal(f"no method {str(method)[:40]!r}; there are: {', '.join(METHODS)}", "sample", "method")
    laws = []
    for name, asked in _mapping(sheet, "sample", "fields").items():
        with sheet.naming("sample", "fields", name):
            laws.append(draws.law(question.field(name), asked))
            if laws[-1].distribution == "choice":
                written = _values(name, laws[-1].figures["values"], rest, keys)
                laws[-1] = replace(laws[-1], figures={**laws[-1].figures, "values": written})
    return Sample(number, seed, method, tuple(laws))


def _table(sheet: Lined, rest: dict[str, Any], keys: Mapping[str, Any]) -> pd.DataFrame | None:
    """The scenarios of the CSV file that is named."""
    name = _text(sheet, "table")
    with sheet.naming("table"):
        return read_table(sheet.path.parent / name, rest, keys) if name else None


def _once(sheet: Lined, fields: dict[str, Any], axes: dict[str, Any], sample: Sample | None, table: Any) -> None:
    """Refuse a field that is set in two places."""
    drawn = [law.field.name for law in sample.laws] if sample else []
    asked = {"fields": fields, "table": [] if table is None else table, "sample": drawn, "grid": axes}
    places: dict[str, str] = {}
    for place, names in asked.items():
        for name in names:
            if name in places:
                raise sheet.refusal(f"{name} stands in {places[name]} and in {place}; give it once", place, name)
            places[str(name)] = place
    if not set(places) - set(fields):
        raise sheet.refusal("nothing varies: give a grid, a sample or a table")


def _reports(sheet: Lined) -> Reports:
    given = sheet.value.get("reports", "none")
    if given in ("none", "all", "winners"):
        return Reports(given)
    if isinstance(given, dict) and "top" in given and set(given) <= {"top", "by"}:
        by: By = given.get("by", Reports.by)
        if by in get_args(By):
            return Reports("top", _number(sheet, 0, 1, MOST_SCENARIOS, "reports", "top"), by)
        known = ", ".join(get_args(By))
        raise sheet.refusal(f"by: got {str(by)[:40]!r}; give one of {known}: the least come first", "reports", "by")
    raise sheet.refusal(
        f"reports: got {str(given)[:40]!r}; give none, all, winners, or {{top: 10, by: {Reports.by}}}", "reports"
    )


MANY = 1_000_000
"""Scenarios whose hours in use are looked at together."""

LONGEST = 200_000
"""Characters of a file that are read; longer lists belong in a CSV."""


def read_lined(path: Path) -> Lined:
    """A YAML file of names and values without aliases; refuses what is none, and names given twice, by line."""
    try:
        check_plain(path)
        if path.stat().st_size > LONGEST:
            raise ScenarioError(f"{path.name} has {path.stat().st_size:,} characters; at most {LONGEST:,} are read")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeError) as error:
        raise ScenarioError(f"cannot read {path}: {error}") from None
    lines: dict[At, int] = {}
    try:
        loader = Plain(text)
        node = loader.get_single_node()
        value = None if node is None else _value(loader, node, (), lines)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ScenarioError):
            raise ScenarioError(f"{path.name}, {error}") from None
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise ScenarioError(f"{path.name}{where}: this is not YAML as read here: {_reason(error)}") from None
    return Lined(path, text, value, lines)


def _reason(error: Exception) -> str:
    said = getattr(error, "problem", None) or str(error) or type(error).__name__
    return str(said).splitlines()[0][:100]


def _value(loader: Plain, node: yaml.Node, at: At, lines: dict[At, int]) -> Any:
    """The value of a node and of all below it; their lines are added to `lines`."""
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, child, (*at, number), lines) for number, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node)
    found: dict[str, Any] = {}
    for key, child in node.value:
        line = key.start_mark.line + 1
        name = key.value if isinstance(key, yaml.ScalarNode) else None
        if name is None or name in found:
            raise ScenarioError(f"line {line}: {'a name is expected' if name is None else f'{name} is given twice'}")
        lines[*at, name] = line
        found[name] = _value(loader, child, (*at, name), lines)
    return found


Line = tuple[int, list[str]]
"""Number of a line, and its cells."""


def read_table(path: Path, base: Mapping[str, Any], keys: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The scenarios of a CSV file whose first line names fields and, as one likes, a NAME."""
    heads, lines = _lines(path)
    texts = pd.DataFrame([cells for _, cells in lines], columns=heads, dtype=object)
    for name in heads:
        if name != NAME and not BY_NAME[name].numeric:
            texts[name] = texts[name].str.replace(r"\s*,\s*", ",", regex=True).str.strip()
    checked = _checked(path.name, whole(base, texts), keys, [number for number, _ in lines])
    return pd.DataFrame({head: texts[NAME].map(slug) if head == NAME else checked[head] for head in heads})


def slug(text: str) -> str:
    """A name from outside as part of a folder's name: letters, digits, - and _ alone, at most 40."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:40]


@contextmanager
def _naming(name: str, line: int) -> Iterator[None]:
    """What is refused inside is refused with a line of the table."""
    try:
        yield
    except ScenarioError as error:
        raise ScenarioError(f"{name}, line {line}: {error}") from None


def _lines(path: Path) -> tuple[list[str], list[Line]]:
    """The headings of a CSV file, and its filled lines."""
    lines: list[Line] = []
    try:
        check_plain(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            heads = [head.strip() for head in next(reader, [])]
            for cells in reader:
                if cells:
                    lines.append((reader.line_num, cells))
                if len(lines) > MOST_ROWS:
                    raise ScenarioError(f"{path.name} has more than {MOST_ROWS:,} lines")
    except (OSError, UnicodeError, csv.Error) as error:
        raise ScenarioError(f"cannot read the table {path.name}: {error}") from None
    with _naming(path.name, 1):
        _check_heads(heads)
    if not lines:
        raise ScenarioError(f"{path.name} has no scenario below its first line")
    for number, cells in lines:
        if len(cells) != len(heads):
            raise ScenarioError(f"{path.name}, line {number}: {len(cells)} cells; its first line has {len(heads)}")
    return heads, lines


def _check_heads(heads: list[str]) -> None:
    for head in heads:
        if head != NAME:
            question.field(head[:60])
    if len(set(heads)) < len(heads) or set(heads) <= {NAME}:
        raise ScenarioError(f"it must name fields, each once; got {','.join(heads)[:80]!r}")


def _checked(file: str, rows: pd.DataFrame, keys: Mapping[str, Sequence[str]], numbers: list[int]) -> pd.DataFrame:
    """The rows checked; a refusal names the first line that is refused, as if it stood alone."""
    try:
        return question.check(rows, keys)
    except ScenarioError:
        bad = bisect_left(range(len(rows)), True, key=lambda last: _refused(rows.iloc[: last + 1], keys))
        with _naming(file, numbers[bad]):
            question.check(rows.iloc[[bad]], keys)
        raise


def _refused(rows: pd.DataFrame, keys: Mapping[str, Sequence[str]]) -> bool:
    try:
        question.check(rows, keys)
    except ScenarioError:
        return True
    return False
