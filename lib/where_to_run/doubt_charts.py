"""Doubt charts: a tidy frame of `uncertainty` in, a figure out; options in their colours."""

from functools import lru_cache

import altair as alt
import pandas as pd

from .charts import WIDTH, winner_colours
from .figures import FRAME, Figure, Spec, columns, of
from .routings import TITLES

STEP = 30
"""Height of a bar and the gap below it [pixel]."""

UP, DOWN = "#D55E00", "#0072B2"
"""Colours of an input at its high end and at its low one."""


def shares(found: pd.DataFrame, share: str, words: str) -> Figure:
    """Bars of a share by option, told in words."""
    frame = found.assign(title=found["option"].map(TITLES), share=found[share])[["title", "share"]]
    return Figure(_shares(tuple(found["option"]), words), {"d0": columns(frame)})


@lru_cache
def _shares(options: tuple[str, ...], words: str) -> Spec:
    chart = alt.Chart(FRAME, width=WIDTH, height=alt.Step(STEP), description=words)
    share = alt.X("share:Q", title=words, axis=alt.Axis(format=".0%"), scale=alt.Scale(domain=[0, 1]))
    bars = chart.encode(x=share, y=alt.Y("title:N", title=None, sort=None))
    colour = alt.Color("title:N", title=None, scale=winner_colours(options), legend=None)
    text = bars.mark_text(align="left", dx=4).encode(text=alt.Text("share:Q", format=".0%"))
    return of(alt.LayerChart(layer=[bars.mark_bar().encode(color=colour), text], description=words)).spec


def ranges(odds: pd.DataFrame) -> Figure:
    """A line from p5 to p95 of the cost of each option, a bar at its median, a diamond at the mean of the worst."""
    names = ["p5", "p50", "p95", "tail"]
    frame = odds.assign(title=odds["option"].map(TITLES))[["title", *names]]
    return Figure(_ranges(tuple(odds["option"])), {"d0": columns(frame)})


@lru_cache
def _ranges(options: tuple[str, ...]) -> Spec:
    words = "Range of the cost of each option over the draws"
    chart = alt.Chart(FRAME, width=WIDTH, height=alt.Step(STEP)).encode(
        y=alt.Y("title:N", title=None, sort=None),
        color=alt.Color("title:N", title=None, scale=winner_colours(options), legend=None),
    )
    usd = "USD today: p5 to p95, median, mean of the worst twentieth"
    line = alt.X("p5:Q", title=usd, axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False))
    layers = [
        chart.mark_rule(strokeWidth=4).encode(x=line, x2="p95:Q"),
        chart.mark_tick(thickness=3, size=18).encode(x="p50:Q"),
        chart.mark_point(shape="diamond", filled=True, size=90).encode(x="tail:Q"),
    ]
    return of(alt.LayerChart(layer=layers, description=words)).spec


def tornado(found: pd.DataFrame, first: str, second: str) -> Figure:
    """Bars of what one input at its low and at its high end makes of the cost difference of two options."""
    ends = {"low_usd": "low (p10)", "high_usd": "high (p90)"}
    long = found.melt(["title", "middle_usd"], list(ends), "end", "usd").replace({"end": ends})
    return Figure(_tornado(TITLES[first], TITLES[second]), {"d0": columns(long)})


@lru_cache
def _tornado(first: str, second: str) -> Spec:
    words = f"What {second} costs more than {first}, one input moved at a time"
    chart = alt.Chart(FRAME, width=WIDTH - 120, height=alt.Step(22))
    scale = alt.Scale(domain=["low (p10)", "high (p90)"], range=[DOWN, UP])
    x = alt.X(
        "usd:Q", title=f"USD today, {second} less {first}", axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False)
    )
    bars = chart.mark_bar(opacity=0.8).encode(
        x=x,
        x2="middle_usd:Q",
        y=alt.Y("title:N", title=None, sort=None),
        color=alt.Color("end:N", title="input", scale=scale),
    )
    middle = chart.mark_rule(color="#666666").encode(x="middle_usd:Q")
    even = chart.mark_rule(strokeDash=[4, 3]).encode(x=alt.datum(0))
    return of(alt.LayerChart(layer=[bars, middle, even], description=words)).spec
