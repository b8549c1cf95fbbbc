"""Roadmap charts: a tidy frame of `roadmap` in, a figure out; one colour an option."""

from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from .charts import OPTION_COLOURS, WIDTH
from .figures import FRAME, Figure, Spec, columns, of
from .moves import NAMED, WAITING
from .units import Array

COLOURS = {NAMED[name]: colour for name, colour in {**OPTION_COLOURS, WAITING: "#999999"}.items()}
"""Colour of every option and of waiting, by its title."""


def probability_by_quarter(by_quarter: pd.DataFrame) -> Figure:
    """Stacked areas of the probability that an option runs, quarter by quarter; `by_quarter` of a roadmap."""
    by_option = by_quarter.assign(option=by_quarter["option"].map(NAMED))
    by_option = by_option.groupby(["option", "month"], as_index=False, sort=False)["probability"].sum()
    return Figure(_probability_by_quarter(tuple(by_option["option"].unique())), {"d0": columns(by_option)})


@lru_cache
def _probability_by_quarter(here: tuple[str, ...]) -> Spec:
    words = "Probability that each option runs, quarter by quarter"
    chart = alt.Chart(FRAME, width=WIDTH, height=220, description=words).mark_area()
    return of(
        chart.encode(
            x=alt.X("month:Q", title="month", scale=alt.Scale(nice=False)),
            y=alt.Y("probability:Q", title="share of all paths", axis=alt.Axis(format="%"), stack="normalize"),
            color=alt.Color("option:N", title=None, scale=_scale(here)),
        )
    ).spec


def _scale(here: tuple[str, ...]) -> alt.Scale:
    return alt.Scale(domain=list(here), range=[COLOURS[name] for name in here])


def triggers_over_time(triggers: pd.DataFrame, likely: Array) -> Figure:
    """Lines of the volumes beyond which a move is ordered, coloured by the option it leads to, dashed for below.

    `triggers` of a roadmap; the `likely` volumes of its journey [request/month] are drawn in grey, with their middle.
    """
    lines = triggers.assign(to=triggers["to_option"].map(NAMED), line=triggers["stage"] + triggers["when"])
    low, high = likely[: triggers["month"].max() + 1].T
    volume = pd.DataFrame({"month": np.arange(len(low)), "low": low, "middle": np.sqrt(low * high), "high": high})
    data = {"d0": columns(volume), "d1": columns(lines[["month", "requests_per_month", "to", "when", "line"]])}
    return Figure(_triggers_over_time(tuple(lines["to"].unique())), data)


@lru_cache
def _triggers_over_time(here: tuple[str, ...]) -> Spec:
    title = "requests a month"
    words = "Volumes above or below which a move is ordered, by month, and the volume expected, 8 paths in 10 about it"
    month = alt.X("month:Q", title="month", scale=alt.Scale(nice=False))
    scale = alt.Scale(type="log", nice=False)
    grey = alt.Chart(FRAME, width=WIDTH, height=260)
    band = grey.mark_area(color="#BBBBBB", opacity=0.35).encode(month, alt.Y("low:Q", scale=scale), alt.Y2("high:Q"))
    mean = grey.mark_line(color="#777777").encode(month, alt.Y("middle:Q", title=title, axis=alt.Axis(format="~s")))
    looks = alt.Scale(domain=["above", "below"], range=[[1, 0], [5, 4]])
    edges = alt.Chart(alt.NamedData(name="d1")).mark_line(strokeWidth=2.5)
    edges = edges.encode(
        month,
        alt.Y("requests_per_month:Q", scale=scale),
        alt.Color("to:N", title="move to", scale=_scale(here)),
        alt.StrokeDash("when:N", title="order when", scale=looks),
        alt.Detail("line:N"),
    )
    return of(alt.LayerChart(layer=[band, mean, edges], description=words)).spec


def cost_of_waiting(waiting: pd.DataFrame) -> Figure:
    """Bars of what moving now, or waiting, costs more than the plan [USD today]; `waiting` of a roadmap."""
    return Figure(_cost_of_waiting(), {"d0": columns(waiting[["what", "more_usd"]])})


@lru_cache
def _cost_of_waiting() -> Spec:
    words = "What it costs to move now, or to wait for some months, more than the plan"
    bars = alt.Chart(FRAME, width=WIDTH, height=alt.Step(26), description=words).mark_bar(color="#444444")
    across = alt.X("more_usd:Q", title="USD today, more than the plan", axis=alt.Axis(format="~s"))
    return of(bars.encode(across, alt.Y("what:N", title=None, sort=None))).spec
