"""Charts: a tidy frame in, a figure out; one colour an option, told apart by the colour-blind too."""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    "hosted_open": "#332288",
    "rented": "#E69F00",
    "owned": "#009E73",
    "split_by_sensitivity": "#CC79A7",
    "split_by_domain": "#56B4E9",
    "split_by_difficulty": "#7A4B00",
    "base_and_burst": "#D55E00",
    "free_search": "#444444",
}
"""Okabe and Ito's palette, made to be told apart with any kind of colour vision; its black a dark grey, and with an
indigo and a brown that stay as far from all of them.
"""

OPTION_DASHES = {
    "api": [1, 0],
    "hosted_open": [12, 3, 2, 3, 2, 3],
    "rented": [7, 3],
    "owned": [2, 2],
    "split_by_sensitivity": [9, 3, 2, 3],
    "split_by_domain": [4, 6],
    "split_by_difficulty": [7, 3, 2, 3, 2, 3],
    "base_and_burst": [12, 3],
    "free_search": [4, 2],
}
"""Line and gap of each option's lines [pixel]."""

SHADES = ["#0072B2", "#56B4E9", "#E69F00", "#F0E442", "#009E73", "#CC79A7", "#999999", "#D55E00", "#882255"]

WIDTH = 560


WRAP = "split(slice(replace(datum.label, regexp('(.{1,60})(?: |$)', 'g'), '$1\\n'), 0, -1), '\\n')"
"""A label in lines of at most so many letters: what names an option may be long."""

TITLED = alt.Axis(labelExpr=WRAP, labelLimit=400, maxExtent=420)
"""An axis of options by title."""

STEP = 40
"""Height of a bar and the gap below it, with room for a title in three lines [pixel]."""


def titled(options: Iterable[str], titles: Mapping[str, str]) -> Columns:
    """Titles of options and their colours as columns of a chart; they are data, so a title may change with a slider."""
    here = list(options)
    return {"option": [titles[name] for name in here], "colour": [OPTION_COLOURS[name] for name in here]}


def _by_month(frame: pd.DataFrame, value: str, titles: Mapping[str, str]) -> tuple[list[str], Array, Array]:
    """The options that have a title, all months of a frame, and the sums of a column over (option, month)."""
    frame = frame[frame["option"].isin([*titles])]
    code, here = pd.factorize(frame["option"])
    names = [name for name in OPTION_COLOURS if name in here]
    position, month = np.array([names.index(name) for name in here], int), frame["month"].to_numpy()
    months = np.arange(month.min(), month.max() + 1)
    total = np.zeros((len(names), len(months)))
    np.add.at(total, (position[code], month - months[0]), frame[value].to_numpy())
    return names, months, total


def _series(
    names: list[str], months: Array, value: str, amounts: Array, titles: Mapping[str, str]
) -> dict[str, Columns]:
    """Amounts over (option, month) as the dataset of a chart."""
    each = [name for name in names for _ in months]
    told = titled(each, titles) | {"dash": [OPTION_DASHES[name] for name in each]}
    return {"d0": told | {"month": months.tolist() * len(names), value: amounts.ravel().tolist()}}


LEGEND = alt.Legend(orient="bottom", direction="vertical", columns=1, symbolSize=400, labelExpr=WRAP, labelLimit=400)

BY_OPTION: dict[str, Any] = {
    "color": alt.Color("option:N", title=None, scale=alt.Scale(range=alt.FieldRange("colour")), legend=LEGEND),
    "strokeDash": alt.StrokeDash("option:N", title=None, scale=alt.Scale(range=alt.FieldRange("dash")), legend=LEGEND),
}
"""Colour and dash of every option's line, from the data."""


def cost_by_option(means: pd.DataFrame, titles: Mapping[str, str], struck_out: Collection[str] = ()) -> Figure:
    """Stacked bars of the mean monthly cost [USD/month] of each option by group of lines, of `Answer.means`.

    Of the options that have a title; pale for those that are `struck_out`.
    """
    means = means[means["option"].isin([*titles])]
    options, groups = means["option"].tolist(), {name: line(name).group for name in means["line"].unique()}
    data = {
        "option": [titles[name] for name in options],
        "group": means["line"].map(groups).tolist(),
        "usd": means["usd_per_month"].tolist(),
        "strength": [PALE if name in struck_out else 1.0 for name in options],
        "place": [[*titles].index(name) for name in options],
    }
    return Figure(_cost_by_option(), {"d0": data})


PALE = 0.35
"""Strength of the colours of an option that is struck out."""


@lru_cache
def _cost_by_option() -> Spec:
    chart = stacked("Monthly cost of each option by kind of line", tuple(dict.fromkeys(GROUPS.values())))
    return of(
        chart.encode(
            x=alt.X("sum(usd):Q", title="USD a month, mean over the horizon", axis=alt.Axis(format="~s")),
            opacity=alt.Opacity("strength:Q", scale=None),
        )
    ).spec


def order_by_option(parts: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Stacked bars of what makes the order [USD/month]: level cost, and what drawbacks are worth by criterion.

    `parts` has option, group (LEVEL, or a criterion) and usd, best option first.
    """
    place = {name: number for number, name in enumerate(dict.fromkeys(parts["option"]))}
    frame = parts.assign(place=parts["option"].map(place), option=parts["option"].map(titles))
    return Figure(_order_by_option(), {"d0": columns(frame)})


LEVEL = "level cost"
"""What the bars of the order begin with."""


@lru_cache
def _order_by_option() -> Spec:
    words = "Level cost of each allowed option, and what its drawbacks are worth by criterion"
    groups = (LEVEL, *(criterion.replace("_", " ") for criterion in CRITERIA))
    across = alt.X(
        "sum(usd):Q", title="USD a month: level cost, and what its drawbacks are worth", axis=alt.Axis(format="~s")
    )
    return of(stacked(words, groups, ("#BBBBBB", *SHADES)).encode(x=across)).spec


def stacked(words: str, groups: Sequence[str], colours: Sequence[str] = SHADES) -> alt.Chart:
    """Bars by option in the order of their column `place`, stacked and coloured by `group`."""
    bars = alt.Chart(FRAME, width=WIDTH, height=alt.Step(STEP), description=words).mark_bar()
    scale = alt.Scale(domain=[*groups], range=[*colours])
    drawn = bars.encode(
        y=alt.Y("option:N", title=None, axis=TITLED, sort=alt.EncodingSortField("place", op="min")),
        color=alt.Color(
            "group:N",
            title=None,
            scale=scale,
            legend=alt.Legend(orient="top", columns=3, columnPadding=24, labelLimit=260),
        ),
        order=alt.Order("rank:Q"),
    )
    return drawn.transform_calculate(rank=f"indexof({[*groups]}, datum.group)")


def cost_over_time(totals: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Lines of what each option that has a title has cost so far [USD] by month; `totals` of one scenario."""
    names, months, paid = _by_month(totals, "usd", titles)
    return Figure(_cost_over_time(), _series(names, months, "usd", paid.cumsum(axis=1), titles))


@lru_cache
def _cost_over_time() -> Spec:
    lines = alt.Chart(FRAME, width=WIDTH, height=230, description="Cost of each option so far, month by month")
    return of(
        lines.mark_line(strokeWidth=2.5).encode(
            x=alt.X("month:Q", title="month"),
            y=alt.Y("usd:Q", title="USD paid so far", axis=alt.Axis(format="~s")),
            **BY_OPTION,
        )
    ).spec


def gpus_over_time(sizing: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """Steps of the GPUs that stand ready by month for each option that has a title; `sizing` of one scenario."""
    names, months, gpus = _by_month(sizing, "gpus", titles)
    return Figure(_gpus_over_time(), _series(names, months, "gpus", gpus, titles))


@lru_cache
def _gpus_over_time() -> Spec:
    steps = alt.Chart(FRAME, width=WIDTH, height=200, description="GPUs standing ready by month")
    return of(
        steps.mark_line(interpolate="step", strokeWidth=2.5).encode(
            x=alt.X("month:Q", title="month"), y=alt.Y("gpus:Q", title="GPUs"), **BY_OPTION
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
