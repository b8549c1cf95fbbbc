"""The question: every input once, with its unit, range, default and words, and how rows of inputs are made."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..paths import DATA, read_yaml
from ..units import HOURS_PER_WEEK, Array

Kind = Literal["number", "whole", "choice", "names", "order"]
LARGEST_GRID = 2_000_000
PLACES = ("vendor_api", "rented_gpus", "own_gpus")
"""Where a token can be served."""

STREAMS = tuple(product(("sensitive", "open"), ("general", "specialised"), ("easy", "hard")))
"""The slices of traffic: data class, domain and difficulty."""

GOOD_ENOUGH = "good_enough"
"""In place of a model: the one of least generalised cost that reaches the floor."""

WORDS_FOR_A_KEY = {"gpu": ("cheapest",), "api_model": (GOOD_ENOUGH,), "open_model": (GOOD_ENOUGH,)}
"""What may stand in place of a key of a table."""

NOW = {old: name for name, paper in read_yaml(DATA / "papers.yaml").items() for old in paper.get("formerly", [])}
"""Papers by the names they had before."""

NAMES_A_REGION = ("region", "region_owned")
"""Levels of control that ask for a jurisdiction."""

IN_USE = {"spikiness": "hours_per_week", "hours_per_week": "spikiness"}
"""Fields that bound each other, as the hours in use times the spikiness are at least the hours of a week; measured
hours take the place of both.
"""

AROUND_THE_CLOCK = "around_the_clock"
"""The availability that takes spares and people at all hours."""

SKILL_WORDS = {
    0: "none",
    1: "followed a tutorial",
    2: "runs it in test with help",
    3: "runs it in production in business hours",
    4: "on call for it in production",
    5: "designs it and teaches others",
}


class ScenarioError(ValueError):
    """A question that cannot be answered as asked; the text says what was asked, what is allowed, what to do."""


@dataclass(frozen=True)
class Field:
    """One input of data/question.yaml: what it means, in which unit, what is allowed, and how a person sets it."""

    name: str
    label: str
    unit: str
    group: str
    meaning: str
    default: Any
    kind: Kind = "number"
    low: float = 0.0
    high: float = 1.0
    step: float = 0.05
    slider: tuple[float, float] | None = None
    log: bool = False
    choices: Sequence[str] | str = ()
    words: Mapping[float, str] | None = None
    ask: str = ""
    small: bool = False

    @cached_property
    def numeric(self) -> bool:
        """Whether its values are numbers and not names."""
        return self.kind in ("number", "whole")

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.numeric:
            return f"{self.low:g} to {self.high:g} {self.unit}"
        if isinstance(self.choices, str):
            return f"keys of {self.choices}"
        return ", ".join(self.choices)

    @property
    def annotation(self) -> str:
        """Type of the field in a parameters cell."""
        return {"number": "float", "whole": "int", "choice": "str", "names": "list", "order": "list"}[self.kind]


def _fields() -> Iterator[Field]:
    for given in read_yaml(DATA / "question.yaml"):
        if given.get("words") == "skill":
            levels = ", ".join(f"{level} {word}" for level, word in SKILL_WORDS.items())
            given |= {"words": SKILL_WORDS, "meaning": f"{given['meaning']}: {levels}"}
        yield Field(**given)


FIELDS: tuple[Field, ...] = tuple(_fields())


def field(name: str) -> Field:
    """The definition of one input; refuses an unknown name with the names there are."""
    if name not in BY_NAME:
        near = get_close_matches(name, BY_NAME, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ScenarioError(f"no field {name!r}.{hint} The fields are: {', '.join(BY_NAME)}")
    return BY_NAME[name]


BY_NAME = {field.name: field for field in FIELDS}
SKILLS = tuple(f.name.removeprefix("skill_") for f in FIELDS if f.name.startswith("skill_"))
PRIORITIES = tuple(BY_NAME["priorities"].choices)
CRITERIA = tuple(name for name in PRIORITIES if name != "cost")
"""What one may pay for beside the cost itself."""


@lru_cache(maxsize=1)
def presets() -> dict[str, dict[str, Any]]:
    """The stories in data/scenarios by name: `title`, `story` and the `fields` each changes."""
    return {p.stem: read_yaml(p) for p in sorted((DATA / "scenarios").glob("*.yaml"))}


def preset_fields(name: str) -> dict[str, Any]:
    """The fields a named story changes; an empty name changes none."""
    if not name:
        return {}
    known = presets()
    if name not in known:
        raise ScenarioError(f"no preset {name!r} in data/scenarios; it has: {', '.join(known)}")
    return dict(known[name]["fields"])


def parse(name: str, text: str) -> Any:
    """The value of a field written as text, as on a command line: `2e8`, `hipaa,gdpr`."""
    kind = field(name).kind
    if kind in ("names", "order"):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text if kind == "choice" else _number(field(name), text)


THOUSANDS = re.compile(r"[1-9]\d{0,2}([.,]\d{3})+")
"""A number that may be written with separators of thousands."""


def _number(f: Field, value: Any) -> float:
    if isinstance(value, str) and THOUSANDS.fullmatch(value.strip()):
        whole = re.sub(r"[.,]", "", value.strip())
        if f.low <= float(whole) <= f.high:
            raise ScenarioError(
                f"{f.name}: got {value[:60]!r}, which may have a separator of thousands or decimals; "
                f"write {whole[:60]} for the one, {whole[:-3][:60]}.{whole[-3:]}0 for the other"
            )
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ScenarioError(f"{f.name}: got {str(value)[:60]!r}, not a number; allowed: {f.allowed}") from None
    if isinstance(value, bool | np.bool_) or not np.isfinite(number):
        raise ScenarioError(f"{f.name}: got {repr(value)[:60]}; allowed: {f.allowed}")
    return number


def _listed(f: Field, value: Any) -> list[Any]:
    """The values asked for on one axis: a list of numbers or names, or for a field of names a list of lists."""
    if isinstance(value, str) and f.kind in ("names", "order"):
        return [parse(f.name, value)]
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray | pd.Series | range):
        return [value]
    values = list(value)
    if f.kind in ("names", "order"):
        nested = bool(values) and all(isinstance(v, Sequence) and not isinstance(v, str) for v in values)
        return values if nested else [values]
    if not values:
        raise ScenarioError(f"{f.name}: got an empty list; give at least one value ({f.allowed})")
    return values


def _value(f: Field, value: Any) -> Any:
    """One value as it stands in a frame: a number, a name, or names joined by commas."""
    if f.numeric:
        return _number(f, value)
    if f.kind == "choice":
        return str(value)
    parts = parse(f.name, value) if isinstance(value, str) else list(value) if isinstance(value, Sequence) else [value]
    unknown = [p for p in parts if not isinstance(p, str)]
    if unknown:
        raise ScenarioError(f"{f.name}: got {unknown[0]!r}; give names ({f.allowed})")
    if f.choices == "papers":
        parts = [NOW.get(part, part) for part in parts]
    return ",".join(dict.fromkeys(parts) if f.kind == "order" else sorted(set(parts)))


def grid(preset: str = "", **fields: Any) -> pd.DataFrame:
    """Every combination of the values given, one scenario a row; what is not given comes from preset and defaults.

    Fields of names travel as names joined by commas, so a row can stand in a CSV file or a link as it is. Refuses
    unknown fields and values outside the range (`ScenarioError`).
    """
    chosen: dict[str, Any] = {f.name: f.default for f in FIELDS} | preset_fields(preset)
    chosen |= {field(name).name: value for name, value in fields.items() if value is not None}
    axes = [[_value(field(name), v) for v in _listed(field(name), value)] for name, value in chosen.items()]
    size = prod(len(axis) for axis in axes)
    if size > LARGEST_GRID:
        raise ScenarioError(f"the grid has {size:.3g} scenarios; at most {LARGEST_GRID:,} fit. Give fewer values")
    columns = zip(chosen, zip(*product(*axes), strict=True), strict=True)
    return frame(checked({name: np.array(values, dtype=object) for name, values in columns}))


def check(rows: pd.DataFrame, keys: Mapping[str, Collection[str]] | None = None) -> pd.DataFrame:
    """The rows with every field in its place and type; refuses what is missing, unknown or out of range.

    `keys` gives the names allowed for fields that point at a table of facts; without it those are not checked.
    """
    return frame(checked(columns(rows), keys))


def columns(rows: pd.DataFrame) -> dict[str, Array]:
    """A frame of scenarios as columns by name."""
    return {str(name): rows[name].to_numpy() for name in rows.columns}


def frame(rows: Mapping[str, Array]) -> pd.DataFrame:
    """Checked columns as a frame, a scenario a row."""
    index = pd.RangeIndex(len(rows[FIELDS[0].name]), name="scenario")
    typed = {n: v if BY_NAME[n].numeric else pd.Series(v, index, dtype=object) for n, v in rows.items()}
    return pd.DataFrame(typed, index)


def checked(rows: Mapping[str, Array], keys: Mapping[str, Collection[str]] | None = None) -> dict[str, Array]:
    """As `check`, columns in and columns out."""
    for name in rows:
        field(name)
    missing = [name for name in BY_NAME if name not in rows]
    if missing:
        raise ScenarioError(f"scenarios lack the fields {', '.join(missing)}; make rows with question.grid(...)")
    if not len(rows[FIELDS[0].name]):
        raise ScenarioError("no scenario to evaluate: the table has no row")
    found = {f.name: _checked(f, rows[f.name], keys or {}) for f in FIELDS}
    nowhere = np.isin(found["control"], NAMES_A_REGION) & (found["jurisdiction"] == "any")
    if nowhere.any():
        raise ScenarioError(
            f"control: {found['control'][nowhere.argmax()]} with jurisdiction any names no region; "
            f"give a jurisdiction: {', '.join(BY_NAME['jurisdiction'].choices[1:])}"
        )
    return found


def too_steady(rows: Mapping[str, Any]) -> Array:
    """Which rows ask for less spikiness than the idle hours alone make."""
    least = HOURS_PER_WEEK / np.asarray(rows["hours_per_week"], float)
    return np.asarray(np.asarray(rows["spikiness"], float) < least * (1 - 1e-9))


def refuse_too_steady(rows: Mapping[str, Any]) -> None:
    """Refuse rows whose idle hours make them more spiky than they say."""
    if (steady := too_steady(rows)).any():
        pair = np.broadcast_arrays(*(np.asarray(rows[name], float) for name in IN_USE))
        asked, hours = (np.atleast_1d(values)[steady.argmax()] for values in pair)
        raise ScenarioError(
            f"spikiness: got {asked:g}, but {busiest(hours)}. Give that or more, or more hours_per_week"
        )


def busiest(hours_per_week: float) -> str:
    """The least spikiness that some hours a week make, in words."""
    least = HOURS_PER_WEEK / hours_per_week
    return f"{hours_per_week:g} hours a week make the busiest hours at least {least:.2g} times the mean"


def lifted(rows: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Rows at least as spiky as their idle hours make them, and what was lifted, in words; none where nothing was."""
    if not (steady := too_steady(rows)).any():
        return rows, ""
    peak = np.where(steady, HOURS_PER_WEEK / rows["hours_per_week"], rows["spikiness"])
    told = busiest(float(rows["hours_per_week"].to_numpy()[steady.argmax()]))
    return rows.assign(spikiness=peak), f"{told[0].upper()}{told[1:]}, so the spikiness was lifted to that."


def _checked(f: Field, column: Array, keys: Mapping[str, Collection[str]]) -> Array:
    if not f.numeric:
        return _checked_names(f, column, keys)
    try:
        numbers = column.astype(float)
    except (TypeError, ValueError, OverflowError):
        numbers = pd.to_numeric(pd.Series(column), errors="coerce").to_numpy(dtype=float)
    if column.dtype == bool or (column.dtype == object and any(isinstance(v, bool) for v in column)):
        numbers = np.full(len(column), np.nan)
    bad = ~((numbers >= f.low) & (numbers <= f.high))
    if f.kind == "whole":
        bad |= numbers != np.round(numbers)
    if bad.any():
        row = int(np.argmax(bad))
        kind = "a whole number " if f.kind == "whole" else ""
        got = column.astype(object)[row]
        where = f" in row {row}" if len(column) > 1 else ""
        raise ScenarioError(f"{f.name}: got {got!r}{where}; allowed: {kind}{f.allowed}. {f.meaning}")
    return numbers.astype(np.int64) if f.kind == "whole" else numbers


def _checked_names(f: Field, column: Array, keys: Mapping[str, Collection[str]]) -> Array:
    texts = column.astype(object)
    allowed = keys.get(f.choices) if isinstance(f.choices, str) else f.choices
    extra = WORDS_FOR_A_KEY.get(f.name, ())
    for text in dict.fromkeys(texts):
        if not isinstance(text, str):
            raise ScenarioError(f"{f.name}: got {text!r}; allowed: {f.allowed}")
        parts = [p for p in text.split(",") if p] if f.kind in ("names", "order") else [text]
        unknown = [p for p in parts if allowed is not None and p not in allowed and p not in extra]
        if len(parts) != len(set(parts)):
            raise ScenarioError(f"{f.name}: {text!r} names something twice; allowed: {f.allowed}, each once")
        if unknown and allowed is not None:
            near = get_close_matches(unknown[0], list(allowed), n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ScenarioError(f"{f.name}: no {unknown[0]!r}.{hint} Allowed: {', '.join([*extra, *allowed])}")
    return texts


def parameters_cell() -> str:
    """Source of the notebooks' parameters cell: every field, with unit, meaning, range and default in its comment."""
    lines = ['preset: str = ""  # a story of data/scenarios to start from; what is set below overrides it']
    for f in FIELDS:
        default = ", ".join(f.default) or "none" if isinstance(f.default, list) else f"{f.default}"
        if isinstance(f.default, float):
            default = f"{f.default:g}"
        lines.append(
            f"{f.name}: {f.annotation} = None  # {f.unit}. {f.meaning}. Allowed: {f.allowed}. Default: {default}"
        )
    lines.append('facts_file: str = ""  # CSV of overrides: table, key, column, value, source, note')
    lines.append('as_of: str = ""  # day whose prices hold, as 2026-11-22; empty: the day the facts were last read')
    return "\n".join(lines)


def from_parameters(namespace: Mapping[str, Any]) -> pd.DataFrame:
    """The one scenario a notebook's parameters cell asks for: `preset` and every field that is not None.

    Refuses plain values under other names, which is what a misspelt parameter makes, and more than one scenario.
    """
    for name, value in namespace.items():
        plain = isinstance(value, str | int | float | list | tuple) and not name.startswith("_")
        if plain and name not in BY_NAME and name not in ("preset", "facts_file", "as_of", "In"):
            field(name)
    given = {f.name: namespace[f.name] for f in FIELDS if namespace.get(f.name) is not None}
    rows = grid(str(namespace.get("preset") or ""), **given)
    if len(rows) != 1:
        raise ScenarioError(f"the parameters make {len(rows)} scenarios; this answers one. Give one value a field")
    return rows


def notices(row: Mapping[str, Any] | pd.Series) -> list[str]:
    """What a row asks that can have no effect, a sentence each."""
    told = []
    if row["customisation"] != "prompting" and row["specialised_share"] == 0:
        told.append(f"customisation {row['customisation']} changes nothing while specialised_share is 0")
    if row["regimes"] and row["sensitive_share"] == 0:
        told.append(f"regimes {row['regimes']} bind nothing while sensitive_share is 0")
    if row["hours_per_week"] < HOURS_PER_WEEK and row["availability"] == AROUND_THE_CLOCK:
        told.append("availability around_the_clock keeps rented machines on in idle hours, unless an API answers then")
    return told


def changed(rows: pd.DataFrame, preset: str = "") -> dict[str, Any]:
    """Fields in which a one-row frame differs from a preset (or from the defaults), with the row's values."""
    row, base = rows.iloc[0].to_dict(), _told(preset)
    return {name: row[name] for name in BY_NAME if row[name] != base[name]}


@lru_cache(maxsize=32)
def _told(preset: str) -> dict[str, Any]:
    """The row of a preset."""
    return dict(grid(preset).iloc[0])
