"""Sampling: scenarios drawn evenly from ranges and distributions of fields, the same for the same seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from .scenario import Field, ScenarioError
from .units import Array

METHODS = ("sobol", "latin_hypercube")
"""Scrambled Sobol points, or a Latin hypercube."""

FIGURES = {
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
    "triangular": ("low", "mode", "high"),
    "normal": ("mean", "sd", "low", "high"),
    "choice": ("values", "weights"),
}
"""What each distribution takes; a normal one is cut at low and high, by default the ends of the field's range."""


@dataclass(frozen=True)
class Law:
    """How one field is drawn: a distribution of FIGURES and its figures."""

    field: Field
    distribution: str
    figures: Mapping[str, Any]

    def draw(self, share: Array) -> Array:
        """Values of the field for points from 0 to 1, by the inverse of the distribution."""
        f, whole = self.figures, self.field.kind == "whole"
        if self.distribution == "choice":
            upto = np.cumsum(f["weights"]) / np.sum(f["weights"])
            values = np.array(f["values"], dtype=object)[np.searchsorted(upto[:-1], share, side="right")]
            return values.astype(float) if self.field.numeric else values
        if self.distribution == "uniform" and whole:
            return np.floor(f["low"] + share * (f["high"] - f["low"] + 1))
        drawn = np.clip(_spread_by(self.distribution, f).ppf(share), f["low"], f["high"])
        return np.round(drawn) if whole else drawn


def _spread_by(distribution: str, f: Mapping[str, float]) -> Any:
    """A distribution of scipy; all have two ends."""
    from scipy.stats import loguniform, triang, truncnorm, uniform

    low, high, span = f["low"], f["high"], f["high"] - f["low"]
    if distribution == "uniform":
        return uniform(low, span)
    if distribution == "loguniform":
        return loguniform(low, high)
    if distribution == "triangular":
        return triang((f["mode"] - low) / span, low, span)
    return truncnorm((low - f["mean"]) / f["sd"], (high - f["mean"]) / f["sd"], f["mean"], f["sd"])


def law(field: Field, given: Any) -> Law:
    """The law a file gives a field: [low, high], or a mapping with `distribution`; refuses what it cannot be."""
    if isinstance(given, list) and len(given) == 2:
        given = {"low": given[0], "high": given[1]}
    if not isinstance(given, Mapping):
        raise ScenarioError(f"{field.name}: give a range as [low, high], or a distribution: {', '.join(FIGURES)}")
    figures = dict(given)
    name = figures.pop("distribution", "choice" if "values" in figures else "uniform")
    if not isinstance(name, str) or name not in FIGURES:
        raise ScenarioError(f"{field.name}: no distribution {str(name)[:40]!r}; there are: {', '.join(FIGURES)}")
    extra = [key for key in figures if key not in FIGURES[name]]
    if extra:
        raise ScenarioError(f"{field.name}: {name} takes {', '.join(FIGURES[name])}, not {extra[0][:40]!r}")
    return _choice(field, figures) if name == "choice" else _spread(field, name, figures)


def _choice(field: Field, figures: dict[str, Any]) -> Law:
    values = figures.get("values")
    if not isinstance(values, list) or not values:
        raise ScenarioError(f"{field.name}: choice takes a list of values; allowed: {field.allowed}")
    weights = figures.get("weights", [1.0] * len(values))
    sound = isinstance(weights, list) and len(weights) == len(values)
    if not sound or not all(_is_number(w) and w >= 0 for w in weights) or sum(weights) <= 0:
        raise ScenarioError(f"{field.name}: weights are one number a value, none negative, not all zero")
    return Law(field, "choice", {"values": values, "weights": [float(w) for w in weights]})


def _spread(field: Field, name: str, figures: dict[str, Any]) -> Law:
    if not field.numeric:
        raise ScenarioError(f"{field.name} is no number: give `values:` to choose from; allowed: {field.allowed}")
    if name == "normal":
        figures = {"low": field.low, "high": field.high} | figures
    for key in FIGURES[name]:
        if key not in figures:
            raise ScenarioError(f"{field.name}: {name} takes {', '.join(FIGURES[name])}; {key} is missing")
        if not _is_number(figures[key]):
            raise ScenarioError(f"{field.name}: {key} is {str(figures[key])[:40]!r}, not a number")
        if key != "sd" and not field.low <= float(figures[key]) <= field.high:
            raise ScenarioError(f"{field.name}: {key} is {figures[key]}; allowed: {field.allowed}")
    f = {key: float(figures[key]) for key in FIGURES[name]}
    middle = f.get("mode", f.get("mean", f["low"]))
    if not f["low"] < f["high"] or not f["low"] <= middle <= f["high"] or f.get("sd", 1.0) <= 0:
        raise ScenarioError(f"{field.name}: low must be below high, the middle between them, sd above zero")
    if name == "loguniform" and f["low"] <= 0:
        raise ScenarioError(f"{field.name}: loguniform needs low above zero")
    if field.kind == "whole" and any(f[key] != round(f[key]) for key in ("low", "high")):
        raise ScenarioError(f"{field.name}: low and high are whole numbers")
    return Law(field, name, f)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return bool(np.isfinite(float(value)))
    except (ValueError, OverflowError):
        return False


@dataclass(frozen=True)
class Sample:
    """Some number of scenarios drawn by laws from a seed."""

    number: int
    seed: int
    method: str
    laws: Sequence[Law]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The fields drawn, a scenario a row; the first rows of a larger Sobol sample are the smaller one."""
        from scipy.stats import qmc  # slow to import, and no worker draws

        engine = (qmc.Sobol if self.method == "sobol" else qmc.LatinHypercube)(len(self.laws), rng=self.seed)
        if self.method == "sobol":
            points = engine.random_base2(int(np.ceil(np.log2(self.number))))[: self.number]
        else:
            points = engine.random(self.number)
        return pd.DataFrame({law.field.name: law.draw(points[:, i]) for i, law in enumerate(self.laws)})
