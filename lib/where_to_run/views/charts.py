"""Charts: a tidy frame in, a figure out; one colour an option, told apart by the colour-blind too."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ..decision.routing import TITLES
from ..inputs.question import BY_NAME, CRITERIA, Field
from ..places.bill import GROUPS, line
from ..units import Array
from .figure import FRAME, Columns, Figure, Spec, columns, of

OPTION_COLOURS = {
    "api": "#0072B2",
    "rented": "#E69F00",
    "owned": "#009E73",
    "split_by_sensitivity": "#CC79A7",
    "split_by_domain": "#56B4E9",
    "base_and_burst": "#D55E00",
    "free_search": "#444444",
}
"""Okabe and Ito's palette, made to be told apart with any kind of colour vision; its black a dark grey."""

OPTION_DASHES = {
    "api": [1, 0],
    "rented": [7, 3],
    "owned": [2, 2],
    "split_by_sensitivity": [9, 3, 2, 3],
    "split_by_domain": [4, 6],
    "base_and_burst": [12, 3],
    "free_search": [4, 2],
}
"""Line and gap of each option's lines [pixel]."""

SHADES = ["#0072B2", "#56B4E9", "#E69F00", "#F0E442", "#009E73", "#CC79A7", "#999999", "#D55E00"]

WIDTH = 560


def _by_month(frame: pd.DataFrame, value: str) -> tuple[tuple[str, ...], Array, Array]:
    """The options of a frame, all its months, and the sums of a column over (option, month)."""
    code, here = pd.factorize(frame["option"])
    names = tuple(name for name in OPTION_COLOURS if name in here)
    position, month = np.array([names.index(name) for name in here]), frame["month"].to_numpy()
    months = np.arange(month.min(), month.max() + 1)
    total = np.zeros((len(names), len(months)))
    np.add.at(total, (position[code], month - months[0]), frame[value].to_numpy())
    return names, months, total


def _series(names: tuple[str, ...], months: Array, value: str, amounts: Array) -> dict[str, Columns]:
    """Amounts over (option, month) as the dataset of a chart."""
    titles = [TITLES[name] for name in names for _ in months]
    return {"d0": {"option": titles, "month": months.tolist() * len(names), value: amounts.ravel().tolist()}}


def _by_option(names: tuple[str, ...]) -> dict[str, Any]:
    """Colour and dash of every option's line."""
    titles = [TITLES[n] for n in names]
    colours, dashes = ([looks[n] for n in names] for looks in (OPTION_COLOURS, OPTION_DASHES))
    return {
        "color": alt.Color("option:N", title=None, scale=alt.Scale(domain=titles, range=colours)),
        "strokeDash": alt.StrokeDash("option:N", title=None, scale=alt.Scale(domain=titles, range=dashes)),
    }


def cost_by_option(means: pd.DataFrame, struck_out: Collection[str] = ()) -> Figure:
    """Stacked bars of the mean monthly cost [USD/month] of each option by group of lines, of `Answer.means`.

    Pale for the options that are `struck_out`.
    """
    options, groups = means["option"].tolist(), {name: line(name).group for name in means["line"].unique()}
    data = {
        "option": [TITLES[name] for name in options],
        "group": means["line"].map(groups).tolist(),
        "usd": means["usd_per_month"].tolist(),
        "strength": [PALE if name in struck_out else 1.0 for name in options],
    }
    return Figure(_cost_by_option(), {"d0": data})


PALE = 0.35
"""Strength of the colours of an option that is struck out."""


@lru_cache
def _cost_by_option() -> Spec:
    groups = list(dict.fromkeys(GROUPS.values()))
    chart = _bars("Monthly cost of each option by kind of line").encode(
        x=alt.X("sum(usd):Q", title="USD a month, mean over the horizon", axis=alt.Axis(format="~s")),
        opacity=alt.Opacity("strength:Q", scale=None),
        color=alt.Color(
            "group:N", title=None, scale=alt.Scale(domain=groups, range=SHADES), legend=alt.Legend(columns=1)
        ),
    )
    return of(chart.transform_calculate(rank=f"indexof({groups}, datum.group)")).spec


def score_by_criterion(fit: pd.DataFrame) -> Figure:
    """Stacked bars of the score of each allowed option by criterion; `fit` of one scenario."""
    rows = zip(*(fit[name].tolist() for name in ("option", "criterion", "contribution")), strict=True)
    # what is blocked has no score: a value that is not a number, which differs from itself
    scored = [(TITLES[option], criterion, part) for option, criterion, part in rows if part == part]
    names = ("option", "criterion", "contribution")
    return Figure(_score_by_criterion(), {"d0": {n: [row[at] for row in scored] for at, n in enumerate(names)}})


@lru_cache
def _score_by_criterion() -> Spec:
    criteria = list(CRITERIA)
    chart = _bars("Score of each allowed option by criterion").encode(
        x=alt.X("sum(contribution):Q", title="score, 0 to 1", scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("criterion:N", title=None, scale=alt.Scale(domain=criteria, range=SHADES)),
    )
    return of(chart.transform_calculate(rank=f"indexof({criteria}, datum.criterion)")).spec


def _bars(words: str) -> alt.Chart:
    """Bars by option, stacked by rank."""
    bars = alt.Chart(FRAME, width=WIDTH, height=alt.Step(30), description=words).mark_bar()
    return bars.encode(y=alt.Y("option:N", title=None, sort=list(TITLES.values())), order=alt.Order("rank:Q"))


def cost_over_time(totals: pd.DataFrame) -> Figure:
    """Lines of what each option has cost so far [USD] by month; `totals` of one scenario."""
    names, months, paid = _by_month(totals, "usd")
    return Figure(_cost_over_time(names), _series(names, months, "usd", paid.cumsum(axis=1)))


@lru_cache
def _cost_over_time(names: tuple[str, ...]) -> Spec:
    lines = alt.Chart(FRAME, width=WIDTH, height=230, description="Cost of each option so far, month by month")
    return of(
        lines.mark_line(strokeWidth=2.5).encode(
            x=alt.X("month:Q", title="month"),
            y=alt.Y("usd:Q", title="USD paid so far", axis=alt.Axis(format="~s")),
            **_by_option(names),
        )
    ).spec


def gpus_over_time(sizing: pd.DataFrame) -> Figure:
    """Steps of the GPUs that stand ready by month for each option with machines; `sizing` of one scenario."""
    names, months, gpus = _by_month(sizing, "gpus")
    return Figure(_gpus_over_time(names), _series(names, months, "gpus", gpus))


@lru_cache
def _gpus_over_time(names: tuple[str, ...]) -> Spec:
    steps = alt.Chart(FRAME, width=WIDTH, height=200, description="GPUs standing ready by month")
    return of(
        steps.mark_line(interpolate="step", strokeWidth=2.5).encode(
            x=alt.X("month:Q", title="month"), y=alt.Y("gpus:Q", title="GPUs"), **_by_option(names)
        )
    ).spec


def winning_intervals(intervals: pd.DataFrame, field: Field) -> Figure:
    """A bar along a field, coloured by the option that wins there; `intervals` of `breakeven.intervals`."""
    frame = intervals[["start", "end"]].assign(
        option=[TITLES.get(name, "nothing allowed") for name in intervals["option"]]
    )
    here = frozenset(intervals["option"])
    return Figure(_winning_intervals(field.name, here), {"d0": columns(frame)})


@lru_cache
def _winning_intervals(name: str, winners: frozenset[str]) -> Spec:
    field = BY_NAME[name]
    bar = alt.Chart(FRAME, width=WIDTH, height=40, description=f"Which option wins along {field.label.lower()}")
    return of(
        bar.mark_bar(stroke="white").encode(
            x=alt.X("start:Q", title=f"{field.label} [{field.unit}]", scale=scale(field), axis=alt.Axis(format="~s")),
            x2="end:Q",
            color=alt.Color("option:N", title=None, scale=winner_colours(winners)),
            tooltip=["option:N", "start:Q", "end:Q"],
        )
    ).spec


def scale(field: Field) -> alt.Scale:
    """Scale of a field: logarithmic where its slider is, and as wide as the values."""
    return alt.Scale(type="log" if field.log else "linear", nice=False, zero=False)


def winner_colours(options: Iterable[str]) -> alt.Scale:
    """Colours of the options that win somewhere, grey where nothing is allowed."""
    winners = set(options)
    names = [name for name in OPTION_COLOURS if name in winners]
    nothing = ["nothing allowed"] if winners - set(names) else []
    colours = [*(OPTION_COLOURS[n] for n in names), "#DDDDDD"][: len(names) + len(nothing)]
    return alt.Scale(domain=[*(TITLES[n] for n in names), *nothing], range=colours)
