"""The question: every input once, with its unit, range, default and words, and how rows of inputs are made."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from math import prod
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from .paths import DATA
from .units import Array

Kind = Literal["number", "whole", "choice", "names", "order"]
LARGEST_GRID = 2_000_000
CRITERIA = ("cost", "control", "launch", "skills", "elasticity", "freedom")
PLACES = ("vendor_api", "rented_gpus", "own_gpus")
"""Where a token can be served."""

STREAMS = (("sensitive", "general"), ("sensitive", "specialised"), ("open", "general"), ("open", "specialised"))
"""The slices of traffic: data class and kind of task."""

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
    """One input: what it means, in which unit, what is allowed, and how a person sets it.

    `choices` are the allowed names, or the name of the table whose keys are allowed. `slider` is the range of the
    slider where it is narrower than what is allowed; `words` name some values.
    """

    name: str
    unit: str
    meaning: str
    default: Any
    kind: Kind = "number"
    low: float = 0.0
    high: float = 1.0
    step: float = 0.05
    slider: tuple[float, float] | None = None
    log: bool = False
    choices: tuple[str, ...] | str = ()
    group: str = "Traffic"
    words: Mapping[float, str] | None = None

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.kind in ("number", "whole"):
            return f"{self.low:g} to {self.high:g} {self.unit}"
        if isinstance(self.choices, str):
            return f"keys of {self.choices}"
        return ("any of " if self.kind == "names" else "") + ", ".join(self.choices)

    @property
    def annotation(self) -> str:
        """Type of the field in a parameters cell."""
        return {"number": "float", "whole": "int", "choice": "str", "names": "list", "order": "list"}[self.kind]


def _skill(area: str, default: int, meaning: str) -> Field:
    return Field(
        f"skill_{area}",
        "level",
        f"{meaning}: {', '.join(f'{k} {v}' for k, v in SKILL_WORDS.items())}",
        default,
        "whole",
        high=5,
        step=1,
        group="Skills",
        words=SKILL_WORDS,
    )


FIELDS: tuple[Field, ...] = (
    Field(
        "requests_per_month", "request/month", "Volume: requests in the first month", 3e6, low=1, high=1e10,
        slider=(1e3, 1e10), step=0.05, log=True, group="Headline",
    ),
    Field(
        "spikiness", "p99 hour / mean hour", "Spikiness: the busiest hours over the mean hour of a month", 5.0,
        low=1.05, high=20, step=0.05, group="Headline",
        words={1.5: "flat service", 3: "consumer, day and night", 5: "office hours", 8: "one team"},
    ),
    Field("budget_usd_per_month", "USD/month", "Budget: running cost, mean over the horizon", 60_000.0,
          low=0, high=1e9, slider=(1e3, 1e8), step=0.05, log=True, group="Headline"),
    Field("capex_limit_usd", "USD", "Budget: hardware that may be bought before launch", 300_000.0,
          low=0, high=1e10, slider=(0, 5e6), step=25_000, group="Headline"),
    Field("input_tokens", "token/request", "Mean length of a prompt", 1200.0, low=1, high=1e6,
          slider=(100, 20_000), step=100),
    Field("output_tokens", "token/request", "Mean length of an answer, reasoning included", 250.0, low=1, high=1e5,
          slider=(50, 8_000), step=50),
    Field("cached_share", "share", "Share of the input served from a prompt cache", 0.3),
    Field("batch_share", "share", "Share of requests that can wait a day", 0.0),
    Field("growth_per_month", "share/month", "Growth of the volume", 0.05, low=-0.2, high=0.5, step=0.01),
    Field("sensitive_share", "share", "Share of traffic that is regulated or confidential", 0.2, group="Data and rules"),
    Field("regimes", "names", "Rules the sensitive traffic falls under; none means confidential only", (), "names",
          choices="regimes", group="Data and rules"),
    Field("evidence", "names", "Contracts and attestations in hand", (), "names", choices="evidence",
          group="Data and rules"),
    Field("control", "level", "Sovereignty demanded for all traffic", "none", "choice",
          choices=("none", "region", "own_tenancy", "air_gapped"), group="Data and rules"),
    Field("specialised_share", "share", "Share of traffic in domains that need a model of one's own", 0.0,
          group="Data and rules"),
    Field("customisation", "level", "How deep the change to the model goes, for the specialised traffic", "prompting",
          "choice", choices=("prompting", "fine_tuning", "weights"), group="Data and rules"),
    _skill("ml", 3, "Choosing, quantising and serving models"),
    _skill("cloud", 2, "Containers and cloud infrastructure"),
    _skill("hardware", 0, "Servers, network and machine room"),
    _skill("integration", 2, "Joining models to applications, routing, evaluation"),
    _skill("operations", 2, "Monitoring, on-call and security"),
    Field("weeks_to_launch", "week", "Deadline: weeks until it must serve", 12.0, low=0, high=260, slider=(1, 104),
          step=1, group="Time and money"),
    Field("latency", "level", "Service level", "chat", "choice", choices=("batch", "chat", "interactive")),
    Field("api_model", "key", "API model to compare", "anthropic/claude-sonnet-5.5", "choice", choices="api_offers",
          group="Models"),
    Field("open_model", "key", "Open-weight model to compare", "llama-3.3-70b", "choice", choices="models",
          group="Models"),
    Field("gpu", "key", "GPU type, or cheapest to search all", "cheapest", "choice", choices="gpus", group="Models"),
    Field("horizon_months", "month", "Months compared", 36, "whole", low=6, high=60, step=6, group="Time and money"),
    Field("discount_rate", "share/year", "Cost of capital", 0.08, low=0, high=0.5, step=0.01, group="Time and money"),
    Field("priorities", "order", "What matters more, first to last; those left out follow in this order", ("cost",),
          "order", choices=CRITERIA, group="Time and money"),
)
BY_NAME = {field.name: field for field in FIELDS}
SKILLS = tuple(f.name.removeprefix("skill_") for f in FIELDS if f.name.startswith("skill_"))


def field(name: str) -> Field:
    """The definition of one input; refuses an unknown name with the names there are."""
    if name not in BY_NAME:
        near = get_close_matches(name, BY_NAME, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ScenarioError(f"no field {name!r}.{hint} The fields are: {', '.join(BY_NAME)}")
    return BY_NAME[name]


def presets() -> dict[str, dict[str, Any]]:
    """The stories in data/scenarios by name: `title`, `story` and the `fields` each changes."""
    return {p.stem: yaml.safe_load(p.read_text()) for p in sorted((DATA / "scenarios").glob("*.yaml"))}


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


def _number(f: Field, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ScenarioError(f"{f.name}: got {value!r}, not a number; allowed: {f.allowed}") from None
    if isinstance(value, bool) or not np.isfinite(number):
        raise ScenarioError(f"{f.name}: got {value!r}; allowed: {f.allowed}")
    return number


def _listed(f: Field, value: Any) -> list[Any]:
    """The values asked for on one axis: a list of numbers or names, or for a field of names a list of lists."""
    if isinstance(value, str) and f.kind in ("names", "order"):
        return [parse(f.name, value)]
    if isinstance(value, str | bytes) or not isinstance(value, Sequence | np.ndarray | pd.Series | range):
        return [value]
    values = list(value)
    if f.kind in ("names", "order"):
        nested = [v for v in values if not isinstance(v, str)]
        return values if nested else [values]
    if not values:
        raise ScenarioError(f"{f.name}: got an empty list; give at least one value ({f.allowed})")
    return values


def _value(f: Field, value: Any) -> Any:
    """One value as it stands in a frame: a number, a name, or names joined by commas."""
    if f.kind in ("number", "whole"):
        return _number(f, value)
    if f.kind == "choice":
        return str(value)
    parts = parse(f.name, value) if isinstance(value, str) else list(value)
    unknown = [p for p in parts if not isinstance(p, str)]
    if unknown:
        raise ScenarioError(f"{f.name}: got {unknown[0]!r}; give names ({f.allowed})")
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
    return check(pd.DataFrame(list(product(*axes)), columns=list(chosen)))


def check(rows: pd.DataFrame, keys: Mapping[str, Collection[str]] | None = None) -> pd.DataFrame:
    """The rows with every field in its place and type; refuses what is missing, unknown or out of range.

    `keys` gives the names allowed for fields that point at a table of facts; without it those are not checked.
    """
    for name in rows.columns:
        field(str(name))
    missing = [name for name in BY_NAME if name not in rows.columns]
    if missing:
        raise ScenarioError(f"scenarios lack the fields {', '.join(missing)}; make rows with scenario.grid(...)")
    if rows.empty:
        raise ScenarioError("no scenario to evaluate: the table has no row")
    columns = {f.name: pd.Series(_checked(f, rows[f.name], keys or {}), dtype=None if f.kind in ("number", "whole") else object)
               for f in FIELDS}
    return pd.DataFrame(columns).rename_axis("scenario")


def _checked(f: Field, column: pd.Series, keys: Mapping[str, Collection[str]]) -> Array:
    if f.kind not in ("number", "whole"):
        return _checked_names(f, column, keys)
    try:
        numbers = column.to_numpy(dtype=float, copy=True)
    except (TypeError, ValueError):
        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = ~((numbers >= f.low) & (numbers <= f.high))
    if f.kind == "whole":
        bad |= numbers != np.round(numbers)
    if bad.any():
        row = int(np.argmax(bad))
        kind = "a whole number " if f.kind == "whole" else ""
        raise ScenarioError(f"{f.name}: got {column.iloc[row]!r} in row {row}; allowed: {kind}{f.allowed}. {f.meaning}")
    return numbers.astype(np.int64) if f.kind == "whole" else numbers


def _checked_names(f: Field, column: pd.Series, keys: Mapping[str, Collection[str]]) -> Array:
    texts = column.to_numpy(dtype=object, copy=True)
    allowed = keys.get(f.choices) if isinstance(f.choices, str) else f.choices
    extra = ["cheapest"] if f.name == "gpu" else []
    for text in dict.fromkeys(texts):
        if not isinstance(text, str):
            raise ScenarioError(f"{f.name}: got {text!r}; allowed: {f.allowed}")
        parts = [p for p in text.split(",") if p] if f.kind in ("names", "order") else [text]
        unknown = [p for p in parts if allowed is not None and p not in allowed and p not in extra]
        if unknown and allowed is not None:
            near = get_close_matches(unknown[0], list(allowed), n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise ScenarioError(f"{f.name}: no {unknown[0]!r}.{hint} Allowed: {', '.join([*extra, *allowed])}")
    return texts


def parameters_cell() -> str:
    """Source of the notebooks' parameters cell: every field, with unit, meaning, range and default in its comment."""
    lines = ['preset: str = ""  # a story of data/scenarios to start from; what is set below overrides it']
    for f in FIELDS:
        default = ", ".join(f.default) or "none" if isinstance(f.default, tuple) else f"{f.default}"
        if isinstance(f.default, float):
            default = f"{f.default:g}"
        lines.append(f"{f.name}: {f.annotation} = None  # {f.unit}. {f.meaning}. Allowed: {f.allowed}. Default: {default}")
    lines.append('facts_file: str = ""  # CSV of overrides: table, key, column, value, source, note')
    lines.append('as_of: str = ""  # day whose prices hold, as 2026-11-22; empty: the day the facts were last read')
    return "\n".join(lines)


def from_parameters(namespace: Mapping[str, Any]) -> pd.DataFrame:
    """The scenarios a notebook's parameters cell asks for: `preset` and every field that is not None."""
    given = {f.name: namespace[f.name] for f in FIELDS if namespace.get(f.name) is not None}
    return grid(str(namespace.get("preset") or ""), **given)


def changed(rows: pd.DataFrame, preset: str = "") -> dict[str, Any]:
    """Fields in which a one-row frame differs from a preset (or from the defaults), with the row's values."""
    base = grid(preset)
    return {name: rows[name].iloc[0] for name in BY_NAME if rows[name].iloc[0] != base[name].iloc[0]}
