"""Log formats: which columns of a log or an export say when, how many requests and how many tokens."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal

from ..paths import DATA, read_yaml
from .question import ScenarioError

Column = str | list[str] | dict[str, list[str]]
"""A column, several of which the first that holds something counts, or `{sum: [...]}`; `a > b` is key b inside a."""

COUNTS = ("requests", "input", "output", "cached")
"""What is counted: requests, input tokens, output tokens, and input tokens from a prompt cache."""

ROLES = {
    "time": "Time",
    "requests": "Requests (where a row is a stretch of time)",
    "input": "Tokens in",
    "output": "Tokens out",
    "cached": "Tokens in from cache",
    "id": "Id of a request or a counter",
    "end": "End of a stretch of time",
    "unit": "Unit of the time: s, ms, us or ns",
    "counting": "Counting: rows, rate or counter",
}
"""What somebody may name of a file whose layout is not known, in words."""

UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
"""Microseconds in each unit a time may be counted in."""


class UsageError(ScenarioError):
    """A log that cannot be read as asked; the text says what it is, what is read, what to do."""


@dataclass(frozen=True)
class Layout:
    """One layout of data/usage_layouts.yaml, where its keys are explained, or the columns somebody names.

    `counting` says what the numbers of a row are: `rows` (one request each, or a bucket's total), `rate` (requests a
    second over the time until the next row) or `counter` (totals so far, which may start again at zero).
    """

    time: Column
    name: str = "named"
    title: str = "columns you name"
    source: str = ""
    has: tuple[str, ...] = ()
    end: Column = ""
    id: Column = ""
    requests: Column = ""
    input: Column = ""
    output: Column = ""
    cached: Column = ""
    unit: str = ""
    buckets: bool = False
    counting: Literal["rows", "rate", "counter"] = "rows"
    only: Mapping[str, list[str]] | None = None
    without_tokens: str = "no tokens"
    rows: tuple[str, ...] = ("data",)
    pairs: str = ""

    @property
    def heads(self) -> list[str]:
        """The columns it reads, by the name each has at the top."""
        given = (getattr(self, role) for role in ("time", "end", "id", *COUNTS))
        return [path.split(" > ")[0] for column in given for path in paths(column)]


def paths(column: Column) -> list[str]:
    """The columns a role is read from."""
    if isinstance(column, dict):
        return column["sum"]
    return [column] if isinstance(column, str) and column else list(column)


@lru_cache(maxsize=1)
def layouts() -> tuple[Layout, ...]:
    """The layouts known by name, in the order in which they are tried."""
    known = {field.name for field in fields(Layout)}
    given: list[dict[str, Any]] = read_yaml(DATA / "usage_layouts.yaml")
    assert all(set(one) <= known for one in given)
    return tuple(Layout(**{**one, "has": tuple(one["has"]), "rows": tuple(one.get("rows", ["data"]))}) for one in given)


def choose(names: Collection[str], columns: Mapping[str, str]) -> Layout:
    """The layout of a file with these columns: the one somebody names, or else the first whose columns are all there.

    `columns` are keywords of `Layout` by name, such as `time`, `input` or `unit`. Refuses names that are not in the
    file, and a file whose layout is not known.
    """
    given = {role: text for role, text in columns.items() if text}
    shown = ", ".join(sorted(names)[:30])[:600]
    if given:
        _check(given)
        named = Layout(**{**given, "buckets": "requests" in given})  # type: ignore[arg-type]
        absent = [head for head in named.heads if head not in names]
        if absent:
            raise UsageError(f"no column {absent[0][:60]!r} in the file; it has: {shown}")
        return named
    found = next((one for one in layouts() if set(one.has) <= set(names)), None)
    if found is None:
        known = ", ".join(dict.fromkeys(one.title for one in layouts()))
        raise UsageError(
            f"none of the layouts known by name ({known}) has these columns: {shown}. Name yours: the one of the time, "
            "and those of the tokens in and out"
        )
    return found


def _check(given: Mapping[str, str]) -> None:
    if unknown := [role for role in given if role not in ROLES]:
        raise UsageError(f"no {str(unknown[0])[:60]!r} among what can be named: {', '.join(ROLES)}")
    if "time" not in given:
        raise UsageError("columns are named, but not the one of the time; name it too")
    for role, allowed in (("unit", tuple(UNITS)), ("counting", ("rows", "rate", "counter"))):
        if given.get(role, allowed[0]) not in allowed:
            raise UsageError(f"{role}: got {given[role][:60]!r}; allowed: {', '.join(allowed)}")
    if given.get("counting", "rows") != "rows" and "requests" not in given:
        raise UsageError(f"counting {given['counting']!r} needs the column of the requests")
