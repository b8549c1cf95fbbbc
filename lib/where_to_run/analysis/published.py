"""Published: figures of other people's studies, recomputed by the ordinary engine with their facts laid over ours."""

from collections.abc import Callable
from functools import lru_cache
from heapq import heapreplace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..decision.evaluate import evaluate
from ..inputs import facts, question
from ..inputs.facts import Facts
from ..inputs.tables import COLUMNS
from ..paths import DATA, read_yaml
from ..units import HOURS_PER_MONTH, TOKENS_PER_MTOK

FOLDER = DATA / "published"

SAME, CUT, LAST_DIGIT, DIFFERS = "same", "same, cut not rounded", "1 off in the last digit", "differs"
PUBLISHED = "as published"
"""The way of data/published/studies.yaml in which the studies ask."""


class Sums(NamedTuple):
    """What one scenario costs: its row, and by option the columns of `Answer.options` and the lines of `means`."""

    row: dict[str, Any]
    options: dict[str, dict[str, float]]
    lines: dict[tuple[str, str], float]

    def usd(self, option: str) -> float:
        """Mean of all lines over the horizon [USD/month]."""
        return self.options[option]["usd_per_month"]

    def months(self, against: str) -> float:
        """Hardware over what owning saves a month in running cost [month]; infinite where it saves nothing."""
        own = self.options["owned"]
        saved = self.options[against]["running_usd_per_month"] - own["running_usd_per_month"]
        return np.inf if saved <= 0 else own["capex_usd"] / saved

    def per_mtok(self, option: str) -> float:
        """Cost of a million tokens of output [USD]."""
        return self.usd(option) / (self.row["requests_per_month"] * self.row["output_tokens"] / TOKENS_PER_MTOK)


def _an_hour(line: str) -> Callable[[Sums], float]:
    return lambda s: s.lines.get(("owned", line), 0.0) / HOURS_PER_MONTH


FIGURES: dict[str, Callable[[Sums], float]] = {
    "months to pay back against the API": lambda s: s.months("api"),
    "months to pay back against renting": lambda s: s.months("rented"),
    "hours to pay back against renting": lambda s: s.months("rented") * HOURS_PER_MONTH,
    "maintenance an hour": _an_hour("maintenance"),
    "colocation an hour": _an_hour("colocation"),
    "running an hour": lambda s: s.options["owned"]["running_usd_per_month"] / HOURS_PER_MONTH,
    "owning an hour": lambda s: s.usd("owned") / HOURS_PER_MONTH,
    "owning over the horizon": lambda s: s.usd("owned") * s.row["horizon_months"],
    "renting over the horizon": lambda s: s.usd("rented") * s.row["horizon_months"],
    "percent saved against renting": lambda s: 100 * (1 - s.usd("owned") / s.usd("rented")),
    "hours of renting a day that cost as much": lambda s: 24 * s.usd("owned") / s.usd("rented"),
    "owning a million output tokens": lambda s: s.per_mtok("owned"),
    "renting a million output tokens": lambda s: s.per_mtok("rented"),
    "times cheaper than renting": lambda s: s.usd("rented") / s.usd("owned"),
    "times cheaper than the API": lambda s: s.usd("api") / s.usd("owned"),
}
"""The figures studies print, from what `evaluate` says; USD, or the unit in the name."""


@lru_cache(maxsize=1)
def book() -> dict[str, Any]:
    """The studies and the ways they are asked, as data/published/studies.yaml has them."""
    read: dict[str, Any] = read_yaml(FOLDER / "studies.yaml")
    return read


def figures(study: str) -> pd.DataFrame:
    """The figures a study prints, as data/published/figures.csv has them, all text."""
    rows = pd.read_csv(FOLDER / "figures.csv", dtype=str, keep_default_na=False)
    return rows[rows["study"] == study].reset_index(drop=True)


def recomputed(study: str) -> pd.DataFrame:
    """The figures of a study, recomputed from its facts: row, figure, published, ours, difference [share], verdict, why

    A verdict says whether ours, rounded or cut to the last digit printed, is what the study prints.
    """
    printed = figures(study)
    published, digit = (printed[name].astype(float) for name in ("published", "last_digit"))
    ours = _ours(study, printed, PUBLISHED)
    verdicts = [verdict(*figure) for figure in zip(published, digit, ours, strict=True)]
    found = printed[["row", "figure", "published"]].assign(ours=ours, difference=ours / published - 1)
    return found.assign(verdict=verdicts, why=printed["why"])


def headlines(study: str) -> pd.DataFrame:
    """What the headlines of a study become: row, figure, published, and our figure for every other way of asking.

    A figure is infinite where owning never pays back, and no number where the model does not fit.
    """
    printed = figures(study)
    printed = printed[printed["headline"] == "yes"].reset_index(drop=True)
    ways = {way: _ours(study, printed, way) for way in book()["ways"] if way != PUBLISHED}
    return printed[["row", "figure", "published"]].assign(**ways)


def _ours(study: str, printed: pd.DataFrame, way: str) -> pd.Series:
    """Figures of a study asked in one of the ways of data/published/studies.yaml, in order."""
    ways = list(book()["ways"].items())
    upto = ways[: [name for name, _ in ways].index(way) + 1]
    shared = {name: value for _, each in upto for name, value in each["fields"].items()}
    known = facts.load(overrides=tuple(FOLDER / name for name in (*upto[-1][1]["files"], f"{study}.csv")))
    ours = pd.Series(np.nan, printed.index)
    for cells, rows in printed.groupby("facts", sort=False):
        laid = facts.laid_over(known, _cells(str(cells), study)) if cells else known
        ours[rows.index] = _asked(rows, shared, laid)
    return ours


def verdict(published: float, last_digit: float, ours: float) -> str:
    """Whether ours, rounded or cut to the last digit printed, is the figure printed, or less than such a digit off."""
    if round(ours / last_digit) == round(published / last_digit):
        return SAME
    if np.floor(ours / last_digit + 1e-9) == round(published / last_digit):
        return CUT
    return LAST_DIGIT if abs(ours - published) < last_digit else DIFFERS


def _cells(text: str, study: str) -> pd.DataFrame:
    """Overrides of one figure, written `table key [column] number; ...`."""
    source = book()["studies"][study]["source"]
    cells = [part.split() for part in text.split(";")]
    rows = [(*cell[:2], *(cell[2:-1] or ["value"]), cell[-1], source, "as this figure takes it") for cell in cells]
    return pd.DataFrame(rows, [study] * len(rows), list(COLUMNS), dtype=object)


def _asked(printed: pd.DataFrame, shared: dict[str, Any], known: Facts) -> list[float]:
    fields = [dict(pair.split("=") for pair in text.split()) for text in printed["fields"]]
    rows = [question.grid(**shared | {name: question.parse(name, v) for name, v in own.items()}) for own in fields]
    answer = evaluate(pd.concat(rows, ignore_index=True), known, names=("api", "rented", "owned"))
    options, means = answer.options.astype({"option": str}), answer.means
    found = []
    for number, figure in enumerate(printed["figure"]):
        mine = options[options["scenario"] == number].set_index("option").to_dict("index")
        here = means[means["scenario"] == number]
        lines = here.groupby(["option", "line"])["usd_per_month"].sum().to_dict()
        found.append(FIGURES[figure](Sums(answer.scenarios.iloc[number].to_dict(), mine, lines)))
    return found


def share_waiting(slots: int, busy: float, arrival_cv: float, requests: int, chance: np.random.Generator) -> float:
    """Share of requests that find every slot taken [share], first come first served.

    `busy` slots are taken on average. Times between arrivals are Gamma with a coefficient of variation, times in a slot
    exponential with mean 1. The first tenth of the requests fills the pool and does not count.
    """
    shape = 1 / arrival_cv**2
    arrivals = np.cumsum(chance.gamma(shape, 1 / (shape * busy), requests)).tolist()
    lengths, free, waiting = chance.exponential(1.0, requests).tolist(), [0.0] * slots, 0
    for number, (arrival, length) in enumerate(zip(arrivals, lengths, strict=True)):
        waiting += free[0] > arrival and number >= requests // 10
        heapreplace(free, max(arrival, free[0]) + length)
    return waiting / (requests - requests // 10)
