"""Log formats: which columns of a log or an export say when, how many requests and how many tokens."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Literal

from ..paths import DATA, read_yaml
from .question import ScenarioError

Column = str | list[str] | dict[str, list[str]]
"""A column, several of which the greatest counts, or `{sum: [...]}`; `a > b` is key b inside a, `*b*` any with b."""

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
    "unit": "Unit of a time that is a number: s, ms, us or ns",
    "form": "Form of the time, as %d/%m/%Y %H:%M",
    "counting": "Counting: rows, rate (all numbers are per second) or counter",
}
"""What somebody may name of a file whose layout is not known, in words."""

UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
"""Microseconds in each unit a time may be counted in."""


NAMED = tuple(role for role in ROLES if role not in ("unit", "form", "counting"))
"""What is named by its column."""


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
    form: str = ""
    since_start: bool = False
    buckets: bool = False
    counting: Literal["rows", "rate", "counter"] = "rows"
    parent: Column = ""
    only: Mapping[str, list[str]] | None = None
    skip: Mapping[str, list[str]] | None = None
    without_tokens: str = "no tokens"
    instead: str = ""

    @property
    def wanted(self) -> list[str]:
        """The columns it reads."""
        given = (getattr(self, role) for role in ("time", "end", "id", "parent", *COUNTS))
        return [path for column in given for path in paths(column)] + [*(self.only or {}), *(self.skip or {})]


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
    return tuple(Layout(**{**one, "has": tuple(one["has"])}) for one in given)


def choose(source: Any, columns: Mapping[str, Column]) -> tuple[Layout, list[str]]:
    """The layout of an open file, and the keys its rows are under: the one somebody names, or else one that is known.

    `columns` are keywords of `Layout` by name, such as `time`, `input` or `unit`. Without the time they change what is
    known. A text `a + b` is a sum. Refuses names that are not in the file, and a file whose layout is not known.
    """
    _check(columns)
    given = {role: _column(column, source.names) for role, column in columns.items() if column}
    shown = ", ".join(source.names[:30])[:600]
    tried = ((one, source.under(one.has)) for one in layouts())
    found, under = next(((one, keys) for one, keys in tried if keys is not None), (None, []))
    if "time" in given or (given and not found):
        if "time" not in given:
            raise UsageError("columns are named, but not the one of the time; name it too")
        return _named(source, given, shown)
    if found and found.instead:
        raise UsageError(
            f"the file is a list of costs ({found.title}), which does not say how many tokens; {found.instead}"
        )
    if not found:
        known = ", ".join(dict.fromkeys(one.title for one in layouts() if not one.instead))
        costs = [name for name in source.names if any(word in name.lower() for word in COSTS)]
        what = (
            f"It speaks of costs ({costs[0][:40]}): a list of costs has no tokens, so export the usage. "
            if costs
            else ""
        )
        raise UsageError(
            f"none of the layouts known by name ({known}) has these columns: {shown}. {what}Name yours: the one of the "
            "time, and those of the tokens in and out"
        )
    changed = replace(found, **given)  # type: ignore[arg-type]
    _there(source, changed, [role for role in given if role in NAMED], shown)
    return changed, under


COSTS = ("cost", "amount", "spend", "price", "billing", "currency")
"""Words in the columns of a list of costs."""


def _named(source: Any, given: dict[str, Any], shown: str) -> tuple[Layout, list[str]]:
    layout = Layout(**{**given, "buckets": "requests" in given})
    heads = [path if path in source.names else path.split(" > ")[0] for path in layout.wanted]
    under = source.under(heads)
    if under is None and not source.whole and source.structure is not None:
        under = source.under(heads[:1])  # a key may come later; where it never does, the reading says so
    if under is None:
        absent = next((head for head in heads if head not in source.names), heads[-1])
        raise UsageError(f"no column {absent[:60]!r} in the file; it has: {shown}")
    return layout, under


def _there(source: Any, layout: Layout, roles: list[str], shown: str) -> None:
    for path in (path for role in roles for path in paths(getattr(layout, role))):
        if path not in source.names and path.split(" > ")[0] not in source.names:
            raise UsageError(f"no column {path[:60]!r} in the file; it has: {shown}")


def _column(column: Column, names: Collection[str]) -> Column:
    """A column as it is read: the text `a + b` is a sum, unless a column is called so."""
    if not isinstance(column, str) or column in names:
        return column
    parts = [part.strip() for part in column.split("+")]
    return {"sum": parts} if len(parts) > 1 and (" + " in column or set(parts) <= set(names)) else column


def _check(given: Any) -> None:
    if not isinstance(given, Mapping):
        raise UsageError(
            f"columns: got {str(given)[:60]!r}; give names by what they say, as {{time: when, input: tokens_in}}"
        )
    if unknown := [role for role in given if role not in ROLES]:
        raise UsageError(f"no {str(unknown[0])[:60]!r} among what can be named: {', '.join(ROLES)}")
    for role, column in given.items():
        several = column.get("sum") if isinstance(column, Mapping) and set(column) == {"sum"} else column
        listed = several if isinstance(several, list) and role in COUNTS else [several or ""]
        if not all(isinstance(one, str) for one in listed):
            more = ", several, or {sum: [...]}" if role in COUNTS else ""
            raise UsageError(f"{role}: got {str(column)[:60]!r}; give the name of a column{more}")
    for role, allowed in (("unit", tuple(UNITS)), ("counting", ("rows", "rate", "counter"))):
        if (given.get(role) or allowed[0]) not in allowed:
            raise UsageError(f"{role}: got {given[role][:60]!r}; allowed: {', '.join(allowed)}")
    if (given.get("counting") or "rows") != "rows" and not given.get("requests"):
        raise UsageError(f"counting {given['counting']!r} needs the column of the requests")
