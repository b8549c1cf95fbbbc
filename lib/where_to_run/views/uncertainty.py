"""Uncertainty: its panels, an answer of one scenario in, pieces of a page out."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape

import altair as alt
import pandas as pd

from ..analysis import uncertainty
from ..analysis.draws import INPUTS
from ..analysis.uncertainty import Run
from ..decision.answer import Answer
from . import charts, order
from .charts import WIDTH
from .figure import FRAME, Figure, Spec, columns, of
from .panel import Pieces
from .table import Cell, money, numbers, table, usd
from .titles import titles

INPUT = {one.name: one for one in INPUTS}

SHOWN = 0.01
"""Share of the widest swing below which an input is left out of the tornado."""


def _of(make: Callable[[Answer, Run], Pieces], fewest: int = 1) -> Callable[[Answer], Pieces]:
    """A panel made of the draws of an answer; words in its place where fewer options than that are allowed."""

    def panel(answer: Answer) -> Pieces:
        number = len(uncertainty.planned(answer).routings)
        if number >= fewest:
            return make(answer, uncertainty.run(answer))
        allowed = "Nothing is allowed as asked" if number == 0 else "One way to run this is allowed"
        return Pieces([f"<p>{allowed}, so there is no choice to be in doubt about.</p>"])

    panel.__name__ = make.__name__.strip("_")
    return panel


def _odds(answer: Answer, run: Run) -> Pieces:
    found = uncertainty.odds(run).sort_values("best", ascending=False, kind="stable")
    first, number, named = found.iloc[0], f"{len(run.cost):,}", titles(answer)
    near = [named[name] for name in found.loc[found["near"], "option"]]
    says = f"{named[first['option']]} comes first in {first['best']:.0%} of {number} draws."
    says += f" Expected to come to at most a twentieth more than the best: {'; '.join(near)}."
    shown = {
        "Option": found["option"].map(named),
        "Comes first": _percent(found["best"]),
        "Regret, mean": money(found["regret"]),
        "Regret, p95": money(found["regret_p95"]),
        "Over budget": _percent(found["over_budget"]),
        "Hardware over its limit": _percent(found["over_capex"]),
        "Late": _percent(found["late"]),
        "Cannot serve": _percent(found["misfits"]),
    }
    shown = {name: cells for name, cells in shown.items() if name != "Cannot serve" or found["misfits"].any()}
    bars = shares(found, "best", f"Share of {number} draws in which an option comes first", named)
    caption = "How each option does over the draws; regret is generalised cost above the best of the draw [USD/month]"
    return Pieces([f"<p>{escape(says)}</p>", bars, table(shown, caption) + _out(answer)])


def _out(answer: Answer) -> str:
    """What is not drawn: options that are struck out."""
    named, blocked = titles(answer), answer.options[answer.options["verdict"] == "blocked"]
    words = "; ".join(dict.fromkeys(named[name] for name in blocked["option"]))
    return f"<p>Not drawn, because struck out as asked: {escape(words)}.</p>" if words else ""


def _costs(answer: Answer, run: Run) -> Pieces:
    found, named = uncertainty.odds(run), titles(answer)
    base = answer.options.set_index("option")["level_usd_per_month"]
    shown = {
        "Option": found["option"].map(named),
        "As asked": money(base[found["option"]]),
        "Expected": money(found["expected"]),
        "p5": money(found["p5"]),
        "p50": money(found["p50"]),
        "p95": money(found["p95"]),
        "Worst twentieth": money(found["tail"]),
    }
    caption = "Level cost [USD/month]; as asked, prices and volume go as they are"
    return Pieces([ranges(found, named), table(shown, caption)])


def _tornado(answer: Answer, run: Run) -> Pieces:
    first, second = run.leaders
    found, named = uncertainty.tornado(answer, (first, second)), titles(answer)
    wide = (found["high_usd"] - found["low_usd"]).abs()
    found = found[wide > SHOWN * wide.max()].assign(title=lambda rows: [INPUT[name].title for name in rows["input"]])
    turns = found[(found["low_usd"] * found["high_usd"]) < 0]["title"]
    says = f"By itself {', '.join(turns)} can turn round which of the two comes first." if len(turns) else NO_TURN
    shown = {
        "Input": [f"{INPUT[name].title} [{INPUT[name].unit}]" for name in found["input"]],
        "p10": _figures(found["low"]),
        "p90": _figures(found["high"]),
        "Difference at p10": money(found["low_usd"]),
        "Difference at p90": money(found["high_usd"]),
    }
    caption = f"What {named[second]} comes to more than {named[first]} [USD/month], one input moved at a time"
    return Pieces([f"<p>{says}</p>", tornado_chart(found), table(shown, caption)])


NO_TURN = "No input by itself turns round which of the two comes first."


def _information(answer: Answer, run: Run) -> Pieces:
    found = uncertainty.information(run).set_index("input")["usd"]
    every, noise = found["everything"], found["noise"]
    worth = found.drop(["everything", "noise"]).sort_values(ascending=False, kind="stable")
    worth = worth[worth > max(noise, 1.0)]
    says = f"To know everything before choosing would be worth {usd(every)} a month on average. "
    if worth.empty:
        return Pieces([f"<p>{says}To learn one thing more would change no choice.</p>"])
    first = INPUT[worth.index[0]]
    says += f"Worth up to {usd(worth.iloc[0])} a month before deciding: {first.title.lower()} ({first.learn})."
    shown = {
        "What is known first": [INPUT[name].title for name in worth.index],
        "How": [INPUT[name].learn for name in worth.index],
        "Worth up to": money(worth),
    }
    return Pieces(
        [f"<p>{says}</p>" + table(shown, "What it is worth to learn first [USD/month of generalised cost]", left=2)]
    )


def _firmness(answer: Answer, run: Run) -> Pieces:
    found = uncertainty.firmness(answer, run).sort_values("ordered", ascending=False, kind="stable")
    recommended, named = order.allowed(answer)[0]["option"], titles(answer)
    first = found[found["option"] == recommended].iloc[0]
    says = (
        f"{named[recommended]} is recommended as asked. It stays first in {first['ordered']:.0%} of all premiums that "
    )
    says += f"keep your order of priorities, and in {first['free']:.0%} of any premiums up to the one you gave."
    shown = {
        "Option": found["option"].map(named),
        "First, your order of priorities": _percent(found["ordered"]),
        "First, any premiums": _percent(found["free"]),
        "First, your premiums, over the draws": _percent(found["best"]),
    }
    bars = shares(
        found, "ordered", "Share of premiums in your order of priorities at which an option comes first", named
    )
    return Pieces([f"<p>{escape(says)}</p>", bars, table(shown, "How firm the recommendation is")])


def _percent(values: pd.Series) -> list[Cell]:
    return numbers(values, "{:.0%}")


def _figures(values: pd.Series) -> list[Cell]:
    return [Cell(f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}", value) for value in values]


odds, costs = _of(_odds), _of(_costs)
tornado, information, firmness = _of(_tornado, 2), _of(_information, 2), _of(_firmness, 2)
PANELS = (odds, costs, tornado, information, firmness)

UP, DOWN = "#D55E00", "#0072B2"
"""Colours of an input at its high end and at its low one."""


def shares(found: pd.DataFrame, share: str, words: str, titles: Mapping[str, str]) -> Figure:
    """Bars of a share by option, told in words."""
    data = charts.titled(found["option"], titles) | {"share": found[share].tolist()}
    return Figure(_shares(words), {"d0": data})


BY_TITLE = alt.Y("option:N", title=None, axis=charts.TITLED, sort=None)
COLOUR = alt.Color("colour:N", scale=None)


@lru_cache
def _shares(words: str) -> Spec:
    chart = alt.Chart(FRAME, width=WIDTH, height=alt.Step(charts.STEP), description=words)
    share = alt.X("share:Q", title=words, axis=alt.Axis(format=".0%"), scale=alt.Scale(domain=[0, 1]))
    bars = chart.encode(x=share, y=BY_TITLE)
    text = bars.mark_text(align="left", dx=4).encode(text=alt.Text("share:Q", format=".0%"))
    return of(alt.LayerChart(layer=[bars.mark_bar().encode(color=COLOUR), text], description=words)).spec


def ranges(odds: pd.DataFrame, titles: Mapping[str, str]) -> Figure:
    """A line from p5 to p95 of the cost of each option, a bar at its median, a diamond at the mean of the worst."""
    data = charts.titled(odds["option"], titles) | columns(odds[["p5", "p50", "p95", "tail"]])
    return Figure(_ranges(), {"d0": data})


@lru_cache
def _ranges() -> Spec:
    words = "Range of the cost of each option over the draws"
    chart = alt.Chart(FRAME, width=WIDTH, height=alt.Step(charts.STEP)).encode(y=BY_TITLE, color=COLOUR)
    usd = "USD a month: p5 to p95, median, mean of the worst twentieth"
    line = alt.X("p5:Q", title=usd, axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False))
    layers = [
        chart.mark_rule(strokeWidth=4).encode(x=line, x2="p95:Q"),
        chart.mark_tick(thickness=3, size=18).encode(x="p50:Q"),
        chart.mark_point(shape="diamond", filled=True, size=90).encode(x="tail:Q"),
    ]
    return of(alt.LayerChart(layer=layers, description=words)).spec


def tornado_chart(found: pd.DataFrame) -> Figure:
    """Bars of what one input at its low and at its high end makes of the difference of two options."""
    ends = {"low_usd": "low (p10)", "high_usd": "high (p90)"}
    long = found.melt(["title", "middle_usd"], list(ends), "end", "usd").replace({"end": ends})
    return Figure(_tornado_spec(), {"d0": columns(long)})


@lru_cache
def _tornado_spec() -> Spec:
    words = "What the second option comes to more than the first, one input moved at a time"
    chart = alt.Chart(FRAME, width=WIDTH - 120, height=alt.Step(22))
    scale = alt.Scale(domain=["low (p10)", "high (p90)"], range=[DOWN, UP])
    across = "USD a month that the second option comes to more than the first"
    x = alt.X("usd:Q", title=across, axis=alt.Axis(format="~s"), scale=alt.Scale(zero=False))
    bars = chart.mark_bar(opacity=0.8).encode(
        x=x,
        x2="middle_usd:Q",
        y=alt.Y("title:N", title=None, sort=None),
        color=alt.Color("end:N", title="input", scale=scale),
    )
    middle = chart.mark_rule(color="#666666").encode(x="middle_usd:Q")
    even = chart.mark_rule(strokeDash=[4, 3]).encode(x=alt.datum(0))
    return of(alt.LayerChart(layer=[bars, middle, even], description=words)).spec
