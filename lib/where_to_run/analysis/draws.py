"""Draws: what is not known for sure, how far it spreads, and what points of the unit cube come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from ..formulas import load_curve
from ..inputs.facts import Facts
from ..inputs.question import BY_NAME, Field, ScenarioError
from ..units import HOURS_PER_WEEK, MONTHS_PER_YEAR, Array

SEED = 20261122
INSIDE = 1e-12
"""How far points keep from 0 and 1, where a distribution without ends has none."""

CUT = 2.0
"""Standard deviations at which a normal distribution is cut."""


class Input(NamedTuple):
    """Something not known for sure: its name, its words, what its values are told in, and how to learn more of it."""

    name: str
    title: str
    unit: str
    learn: str


QUOTES = "ask for quotes"

INPUTS = (
    Input("volume", "Volume", "request/month in month 1", "run a pilot and count"),
    Input("growth", "Growth", "share/month", "wait some months"),
    Input("spikiness", "Spikiness", "p99 hour / mean hour", "log a month of requests by the hour"),
    Input("input_tokens", "Prompt length", "token/request", "log the tokens of a pilot"),
    Input("output_tokens", "Answer length", "token/request", "log the tokens of a pilot"),
    Input("api_decline", "Fall of API prices", "share/year", "wait, or fix the price by contract"),
    Input("cloud_price", "Prices of cloud GPUs", "times today's", QUOTES),
    Input("throughput", "Throughput", "standard deviations", "measure it on the machine"),
    Input("server_price", "Prices of servers", "times today's", QUOTES),
    Input("residual", "Resale value of servers", "times the table's", "ask for a price to buy back"),
    Input("pue", "Power of the data centre over the computers'", "times the table's", QUOTES),
    Input("electricity", "Price of electricity", "times the table's", QUOTES),
    Input("wages", "Wages", "times the table's", "open the positions"),
    Input("ramp", "Time until new people work in full", "times the table's", "ask those who hired"),
    Input("lead", "Delivery time of servers", "times the table's", QUOTES),
)
"""What is drawn: methods 7, and the price of servers. Discrete events are not."""

NAMES = tuple(one.name for one in INPUTS)

FACTS = {
    "pue": "own.pue",
    "electricity": "own.electricity_usd",
    "ramp": "people.ramp_months",
    "lead": "spread.delivery",
    "server_price": "spread.server_price",
    "wages": "spread.wages",
}
"""Inputs that are triangular between the low and the high of a row of data/assumptions.csv."""


class Draws(NamedTuple):
    """Scenarios, factors on facts for `evaluate`, and what each input comes to, a draw a row."""

    rows: pd.DataFrame
    factors: dict[str, Array]
    inputs: pd.DataFrame


def points(number: int, dimensions: int, seed: int = SEED) -> Array:
    """Scrambled Sobol points of the unit cube over (point, dimension), most even for a power of two of them.

    The same for a seed, and fewer of them are the first of more.
    """
    from scipy.stats import qmc  # slow to import, and most pages draw nothing

    return np.asarray(qmc.Sobol(dimensions, rng=seed).random_base2(int(np.ceil(np.log2(number))))[:number])


def at(row: pd.DataFrame, facts: Facts, cube: Array) -> Draws:
    """What points of the unit cube over (point, NAMES) come to, for a scenario of one row.

    A coordinate is the share of an input's distribution below it: log-normal about what was asked for volume, hourly
    spread in the hours in use, tokens, cloud prices and throughput; normal, cut, for growth; triangular for the others.
    The spreads are rows `spread.*` and `throughput_sigma.*` of data/assumptions.csv, or the low and high of the fact
    itself; a fact without a range, as one a user gave, is taken as known. A fall of API prices that was asked for is
    the likeliest of those drawn; one of rents is what cloud prices are drawn about. Where API prices fall fast,
    throughput rises: their normal scores have the correlation of methods 3.5.
    """
    share = dict(zip(NAMES, np.clip(cube, INSIDE, 1 - INSIDE).T, strict=True))
    score = {name: ndtri(part) for name, part in share.items()}
    spread = {name: facts.value(f"spread.{name}") for name in SPREAD}
    tied = facts.value("spread.decline_throughput_correlation")
    inputs = {name: _between(facts, FACTS[name], share[name]) for name in FACTS}
    inputs["residual"] = _between(facts, _resale(row), share["residual"])
    fields = _fields(row, share, score, spread)
    inputs |= {"volume": fields["requests_per_month"], "growth": fields["growth_per_month"]}
    inputs |= {name: fields[name] for name in ("spikiness", "input_tokens", "output_tokens")}
    asked, (low, likeliest, high) = float(row["api_price_decline"].iloc[0]), _range(facts, "spread.api_decline")
    ends = (min(low, asked), asked, max(high, asked)) if asked else (low, likeliest, high)
    inputs["api_decline"] = _triangular(*ends, share["api_decline"])
    inputs["cloud_price"] = np.exp(spread["cloud_price"] * score["cloud_price"])
    inputs["throughput"] = tied * score["api_decline"] + np.sqrt(1 - tied**2) * score["throughput"]
    factors = {name: inputs[name] for name in ("cloud_price", "residual")}
    factors |= {name if key.startswith("spread.") else key: inputs[name] for name, key in FACTS.items()}
    factors["volume_drift"] = np.exp(spread["volume_drift"] * score["volume"])
    factors["api_price"] = (1 - inputs["api_decline"]) / (1 - asked)
    factors["throughput"] = np.exp(inputs["throughput"])
    rows = pd.DataFrame({name: np.repeat(row[name].to_numpy()[:1], len(cube)) for name in row.columns})
    return Draws(rows.assign(**fields), factors, pd.DataFrame(inputs)[list(NAMES)])


SPREAD = ("volume", "volume_drift", "growth", "spikiness", "input_tokens", "output_tokens", "cloud_price")
"""Standard deviations of data/assumptions.csv, rows `spread.*`."""


def _fields(
    row: pd.DataFrame, share: Mapping[str, Array], score: Mapping[str, Array], spread: Mapping[str, float]
) -> dict[str, Array]:
    """The fields of the scenario that are drawn, kept to what is allowed."""
    asked = {name: float(row[name].iloc[0]) for name in ("requests_per_month", "growth_per_month", *SIZES)}
    peak, in_use = (row[name].to_numpy(float)[:1] for name in ("spikiness", "hours_per_week"))
    in_use = in_use / HOURS_PER_WEEK
    cv = load_curve.cv_in_use(peak, in_use) * np.exp(spread["spikiness"] * score["spikiness"])
    cv = np.minimum(cv, load_curve.spikiest_cv(in_use)) if in_use < 1 else cv
    cut = ndtr(-CUT)
    drawn = {
        "requests_per_month": asked["requests_per_month"] * np.exp(spread["volume"] * score["volume"]),
        "growth_per_month": asked["growth_per_month"] + spread["growth"] * ndtri(cut + share["growth"] * (1 - 2 * cut)),
        "spikiness": load_curve.peak_in_use(cv, in_use),
    } | {name: asked[name] * np.exp(spread[name] * score[name]) for name in SIZES}
    return {name: np.clip(values, BY_NAME[name].low, BY_NAME[name].high) for name, values in drawn.items()}


SIZES = ("input_tokens", "output_tokens")


def _resale(row: pd.DataFrame) -> str:
    """The fact whose range is that of the resale value: at the age nearest to the horizon."""
    years = np.clip(round(float(row["horizon_months"].iloc[0]) / MONTHS_PER_YEAR), 1, 5)
    return f"residual.{years * MONTHS_PER_YEAR:.0f}_months"


def _range(facts: Facts, key: str) -> tuple[float, float, float]:
    """Low, value and high of a single figure; its value throughout where it has no range."""
    value, row = facts.value(key), facts.table("assumptions").loc[key]
    low, high = (value if np.isnan(end) else float(end) for end in (row["low"], row["high"]))
    return low, value, high


def _between(facts: Facts, key: str, share: Array) -> Array:
    """A factor on a single figure, triangular between its low and its high; 1 on one that is 0, which stays so."""
    low, value, high = _range(facts, key)
    if value == 0:
        return np.ones(len(share))
    return _triangular(low / value, 1.0, high / value, share)


def _triangular(low: float, mode: float, high: float, share: Array) -> Array:
    """Quantile of a triangular distribution: root of the share below the mode, and above it."""
    width = high - low
    left = low + np.sqrt(share * width * (mode - low))
    right = high - np.sqrt((1 - share) * width * (high - mode))
    return np.where(share * width <= mode - low, left, right)


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
