"""The dated tables in force on a day, with a user's own figures laid over them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ..paths import DATA, read_yaml
from ..units import Array
from . import tables
from .quality import GENERAL, quality_models
from .question import ScenarioError
from .tables import FactsError as FactsError
from .tables import columns_of, gathered, is_day, is_numeric, read, row_problems, schema, source_problem, typed_column

FACTORS = {
    "volume_drift": "volume, to the power of the square root of the month",
    "api_price": "prices of APIs, to the power of the years since the decision",
    "cloud_price": "what a cloud charges for machines, disks and egress",
    "throughput": "throughput, to the power of its spread (`throughput_sigma` of data/assumptions.csv)",
    "server_price": "prices of servers, and with them of their network, spare parts, maintenance and resale",
    "residual": "what servers fetch in the end",
    "wages": "wages of all roles",
    "lead": "weeks until servers are delivered",
}
"""What may be drawn beside single figures, and what each factor multiplies."""


@dataclass(frozen=True, eq=False)
class Facts:
    """The rows in force on `as_of`: one row a key in each table, rules and papers as written, the overrides laid over.

    A draw is a set of facts: in `drawn` single figures and `FACTORS` have a factor for each scenario, over (scenario,
    1); `written` are the same facts without.
    """

    as_of: str
    tables: Mapping[str, pd.DataFrame]
    rules: Mapping[str, Any]
    overrides: pd.DataFrame
    made: dict[Any, Any] = field(default_factory=dict, repr=False)
    drawn: Mapping[str, Array] = field(default_factory=dict, repr=False)
    written: "Facts | None" = field(default=None, repr=False)

    def table(self, name: str) -> pd.DataFrame:
        """A table indexed by key; refuses an unknown name."""
        if name not in self.tables:
            raise FactsError(f"no table {name!r} in data/; it has: {', '.join(self.tables)}")
        return self.tables[name]

    @cached_property
    def values(self) -> dict[str, float]:
        """The single figures of data/assumptions.csv by key, as written."""
        return self.table("assumptions")["value"].to_dict()

    def value(self, key: str) -> Any:
        """A single figure of data/assumptions.csv, in the unit of its row; refuses a key that is not there.

        A number, or where it is drawn an array over (scenario, 1).
        """
        if key not in self.values:
            near = get_close_matches(key, list(self.values), n=3)
            raise FactsError(f"no {key!r} in data/assumptions.csv; near it: {', '.join(near) or 'nothing'}")
        return self.values[key] * self.drawn[key] if key in self.drawn else self.values[key]

    def factor(self, name: str) -> Array | float:
        """A factor of `FACTORS`, over (scenario, 1); 1 where it is not drawn."""
        return self.drawn.get(name, 1.0)

    def draw(self, factors: Mapping[str, Array], number: int) -> "Facts":
        """These facts with factors on single figures, by their keys, or `FACTORS`, one for each of some scenarios.

        Refuses unknown names, and anything but one number above zero a scenario.
        """
        drawn = {name: np.asarray(values, float) for name, values in factors.items()}
        for name, values in drawn.items():
            if name not in FACTORS and name not in self.values:
                raise ScenarioError(
                    f"no fact {name!r} to draw; a key of data/assumptions.csv, or: {', '.join(FACTORS)}"
                )
            if values.shape != (number,) or not (np.isfinite(values) & (values > 0)).all():
                raise ScenarioError(f"{name}: give {number:,} numbers above 0, one a scenario")
        return self._of({name: values[:, None] for name, values in drawn.items()})

    def take(self, rows: Array) -> "Facts":
        """The facts of some of the scenarios."""
        return self._of({name: values[rows] for name, values in self.drawn.items()}) if self.drawn else self

    def _of(self, drawn: Mapping[str, Array]) -> "Facts":
        return replace(self, drawn=drawn, made={}, written=self.written or self) if drawn else self

    def keys(self) -> dict[str, list[str]]:
        """The names a scenario may use, by table."""
        named = {name: list(self.table(name).index) for name in ("api_offers", "models", "gpus")}
        named["firms"] = list(dict.fromkeys(self.table("vendors")["firm"]))
        return named | {name: list(self.rules[name]) for name in ("regimes", "papers")}


Made = TypeVar("Made")


def remembered(make: Callable[..., Made]) -> Callable[..., Made]:
    """A function of facts, a block or an answer, and of what else it is asked, that works out its result once for each.

    Arrays asked are the same where their values are.
    """

    @wraps(make)
    def kept(of: Any, *asked: Any) -> Made:
        key = make, *(part.tobytes() if isinstance(part, np.ndarray) else part for part in asked)
        if key not in of.made:
            of.made[key] = make(of, *asked)
        found: Made = of.made[key]
        return found

    return kept


def is_remembered(make: Callable[..., Any], of: Any) -> bool:
    """Whether a function that is `remembered` has worked out what it is asked of facts or an answer alone."""
    return (make.__wrapped__,) in of.made  # type: ignore[attr-defined]


def of_tables(make: Callable[..., Made]) -> Callable[..., Made]:
    """`remembered` of the tables alone, whatever is drawn."""
    kept = remembered(make)
    return wraps(make)(lambda facts, *asked: kept(facts.written or facts, *asked))


@of_tables
def rows_of(facts: Facts, table: str) -> dict[str, dict[str, Any]]:
    """The rows of a table by key."""
    return facts.table(table).to_dict("index")


def in_force(rows: pd.DataFrame, as_of: str) -> pd.DataFrame:
    """For each key the last row that took effect on or before the day; keys that start later are left out.

    So are those whose last row `ends_on` that day or before.
    """
    held = rows[rows["effective_from"] <= as_of].sort_values("effective_from", kind="stable")
    return _not_ended(held.drop_duplicates("key", keep="last").set_index("key").sort_index(), as_of)


def _not_ended(rows: pd.DataFrame, as_of: str) -> pd.DataFrame:
    return rows[(rows["ends_on"] == "") | (rows["ends_on"] > as_of)] if "ends_on" in rows else rows


def load(as_of: str | None = None, overrides: str | Path | Sequence[str | Path] | None = None) -> Facts:
    """The facts in force on a day (default: the day they were last read), with override files laid over them in order.

    The last two asked are kept, for as long as no file changes. Refuses a damaged table, a day before the first fact,
    and an override that fits no cell.
    """
    own = tuple(Path(path) for path in ([overrides] if isinstance(overrides, str | Path) else overrides or ()) if path)
    files = [*sorted(DATA.glob("*.csv")), DATA / "rules.yaml", DATA / "papers.yaml", *own]
    return _load(as_of, own, tuple((str(p), p.stat().st_mtime_ns, p.stat().st_size) for p in files if p.exists()))


@lru_cache(maxsize=2)
def _load(as_of: str | None, overrides: tuple[Path, ...], stamps: tuple[tuple[str, int, int], ...]) -> Facts:
    every = {name: read(name) for name in schema()["tables"]}
    day = as_of or max(rows["read_on"].max() for rows in every.values())
    if not is_day(day):
        raise FactsError(f"as_of: got {day!r}; give a day as 2026-11-22")
    tables = {name: in_force(rows, day) for name, rows in every.items()}
    _check_ahead(day, every, tables["assumptions"])
    hollow = {every[name]["effective_from"].min(): name for name, rows in tables.items() if rows.empty}
    if hollow:
        first = max(hollow)
        raise FactsError(
            f"no {hollow[first]} on {day}: the first row starts {first}. Ask for a later day, or add a row"
        )
    rules = read_yaml(DATA / "rules.yaml") | {"papers": read_yaml(DATA / "papers.yaml")}
    shipped = Facts(day, tables, rules, gathered([]))
    return laid_over(shipped, gathered(overrides))


def _check_ahead(day: str, every: Mapping[str, pd.DataFrame], figures: pd.DataFrame) -> None:
    """Refuse a day at which everything that is known would be stale."""
    read_on = max(rows["read_on"].max() for rows in every.values())
    days = figures["value"][figures.index.str.startswith("stale_after_days.")].max()
    if not figures.empty and day > (last := str((pd.Timestamp(read_on) + pd.Timedelta(days=days)).date())):
        raise FactsError(f"as_of: got {day}; facts were last read on {read_on} and none holds beyond {last}")


def laid_over(facts: Facts, overrides: pd.DataFrame) -> Facts:
    """The facts with overrides laid over them: the columns of an override file, indexed by where each is written.

    The cells of one key are laid together, in the order of the first; a key that is not there becomes a row of its own.
    A line without a column withdraws the rows its key stands for.
    """
    tables, withdraws = dict(facts.tables), overrides["column"] == ""
    for (name, key, out, _), cells in overrides.groupby(["table", "key", withdraws, withdraws.cumsum()], sort=False):
        if name not in tables:
            raise FactsError(f"{cells.index[0]}: no table {name!r}; there are: {', '.join(tables)}")
        tables[name] = _without(tables, name, key, cells) if out else _laid(tables, name, key, cells, facts.as_of)
    for name, rows in tables.items():
        tables[name] = _not_ended(rows, facts.as_of)
        if gone := set(facts.tables[name].index) - set(tables[name].index):
            _check_gone(tables, name, gone, overrides)
    return Facts(facts.as_of, tables, facts.rules, pd.concat([facts.overrides, overrides]))


WITHDRAWABLE = ("api_offers", "machines", "dedicated", "servers", "models", "throughput", "quality", "weights")
"""Tables of what may be had or not, and of what is known of it."""


def _without(tables: Mapping[str, pd.DataFrame], name: str, key: str, cells: pd.DataFrame) -> pd.DataFrame:
    """A table without the rows a key stands for, in which `*` stands for anything."""
    rows, (_, cell), where = tables[name], next(cells.iterrows()), cells.index[0]
    if name not in WITHDRAWABLE:
        raise FactsError(f"{where}: no row of {name} can be withdrawn; those of {', '.join(WITHDRAWABLE)} can")
    if cell["value"]:
        raise FactsError(
            f"{where}: a line without a column withdraws {key!r} and takes no value; got {cell['value']!r}"
        )
    if problem := source_problem(cell["source"], cell["note"]):
        raise FactsError(f"{where}: {problem}")
    gone = [each for each in rows.index if fnmatchcase(each, key)]
    if not gone:
        near = get_close_matches(key, list(rows.index), n=3) or list(rows.index)[:5]
        raise FactsError(f"{where}: no key {key!r} in {name} to withdraw; near it: {', '.join(near)}")
    return rows.drop(index=gone)


def _check_gone(tables: Mapping[str, pd.DataFrame], name: str, gone: set[str], overrides: pd.DataFrame) -> None:
    """Refuse to withdraw or end rows of a table that others name, and all there are."""
    lines = overrides["key"][(overrides["table"] == name) & overrides["column"].isin(["", "ends_on"])]
    if tables[name].empty:
        raise FactsError(f"{lines.index[-1]}: that leaves no row in {name}; keep one")
    for other, column in _naming(name):
        rows = tables[other][tables[other][column].isin(gone)]
        if other == "quality":  # another vendor may serve the same model
            rows = rows[~rows[column].isin(list(quality_models(tables["api_offers"])))]
        if len(rows):
            key, more = rows[column].iloc[0], f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            raise FactsError(
                f"{_line(lines, key)}: {name} {key!r} is withdrawn, but {other} still names it: "
                f"{rows.index[0]!r}{more}; withdraw that too"
            )
    if name == "quality":
        served = {*tables["models"].index, *quality_models(tables["api_offers"])}
        if lacking := sorted(model for model in served if f"{model}:{GENERAL}" in gone):
            where = _line(lines, f"{lacking[0]}:{GENERAL}")
            raise FactsError(f"{where}: {lacking[0]!r} lacks a {GENERAL} figure then; withdraw it and its offers too")


def _line(lines: pd.Series, key: str) -> str:
    """Where a key is withdrawn or ended."""
    return str(next(where for where, written in lines.items() if fnmatchcase(key, written)))


def _naming(name: str) -> list[tuple[str, str]]:
    """Tables and columns that name keys of a table; a model of quality.csv, of two, which tables.yaml cannot say."""
    every = [(other, *each) for other, spec in schema()["tables"].items() for each in spec["columns"].items()]
    named = [(other, column) for other, column, spec in every if spec.get("table") == name]
    return named + [("quality", "model")] * (name in ("models", "api_offers"))


def _laid(tables: dict[str, pd.DataFrame], name: str, key: str, cells: pd.DataFrame, day: str) -> pd.DataFrame:
    """A table with the cells of one key laid over a copy; the shipped one stays as it is."""
    shipped, spec, where = tables[name], columns_of(name), cells.index[-1]
    given = dict(zip(cells["column"], cells["value"], strict=True))
    table = shipped.reindex(shipped.index.union(pd.Index([key], dtype=object, name="key"), sort=False))
    row = shipped.loc[key].to_dict() if key in shipped.index else _new_row(shipped, name, key, given, where, day)
    if schema()["tables"][name].get("headline") in given:
        row |= {"low": np.nan, "high": np.nan}
    own = [*schema()["tables"][name]["columns"], *(end for end in ("low", "high") if end in spec)]
    for at, cell in cells.iterrows():
        column = cell["column"]
        if column not in own:
            raise FactsError(f"{at}: no column {column!r} in {name}; it has: {', '.join(own)}")
        if problem := source_problem(cell["source"], cell["note"]):
            raise FactsError(f"{at}: {problem}")
        row[column] = typed_column(
            f"{at}, {name}", column, spec[column], pd.Series([cell["value"]]), pd.Series([key])
        ).iloc[0]
    row |= {"source": cells["source"].iloc[-1], "note": cells["note"].iloc[-1]}
    keys = {other: set(rows.index) for other, rows in (tables | {name: table}).items()}
    for problem in row_problems(name, pd.DataFrame([{"key": key} | row]), keys):
        raise FactsError(f"{where}: {problem}")
    if (
        name == "assumptions"
        and key in shipped.index
        and "value" in given
        and not (given.get("low") or given.get("high"))
    ):
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
