"""Uncertainty: its panels, an answer of one scenario in, pieces of a page out."""

from collections.abc import Callable
from functools import lru_cache
from html import escape

import altair as alt
import pandas as pd

from ..analysis import uncertainty
from ..analysis.draws import INPUTS
from ..analysis.uncertainty import Run
from ..decision.answer import Answer
from ..decision.routing import TITLES
from .charts import WIDTH, winner_colours
from .decide import titles
from .figure import FRAME, Figure, Spec, columns, of
from .panel import Pieces
from .table import Cell, money, numbers, table, usd

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
    first, number = found.iloc[0], f"{len(run.cost):,}"
    near = [TITLES[name] for name in found.loc[found["near"], "option"]]
    says = f"{TITLES[first['option']]} costs least in {first['best']:.0%} of {number} draws."
    says += f" Expected to cost at most a twentieth more than the cheapest: {', '.join(near)}."
    shown = {
        "Option": found["option"].map(TITLES),
        "Costs least": _percent(found["best"]),
        "Regret, mean": money(found["regret"]),
        "Regret, p95": money(found["regret_p95"]),
        "Over budget": _percent(found["over_budget"]),
        "Hardware over its limit": _percent(found["over_capex"]),
        "Late": _percent(found["late"]),
        "Cannot serve": _percent(found["misfits"]),
    }
    shown = {name: cells for name, cells in shown.items() if name != "Cannot serve" or found["misfits"].any()}
    bars = shares(found, "best", f"Share of {number} draws in which an option costs least")
    return Pieces(
        [f"<p>{says}</p>", bars, table(shown, "How each option does over the draws [USD today]") + _out(answer)]
    )


def _out(answer: Answer) -> str:
    """What is not drawn: options that are struck out."""
    named, blocked = titles(answer), answer.options[answer.options["verdict"] == "blocked"]
    words = "; ".join(named[name] for name in blocked["option"])
    return f"<p>Not drawn, because struck out as asked: {escape(words)}.</p>" if words else ""


def _costs(answer: Answer, run: Run) -> Pieces:
    found = uncertainty.odds(run)
    base = answer.options.set_index("option")["npv_usd"]
    shown = {
        "Option": found["option"].map(TITLES),
        "As asked": money(base[found["option"]]),
        "Expected": money(found["expected"]),
        "p5": money(found["p5"]),
        "p50": money(found["p50"]),
        "p95": money(found["p95"]),
        "Worst twentieth": money(found["tail"]),
    }
    caption = "Cost over the horizon [USD today]; as asked, prices and volume go as they are"
    return Pieces([ranges(found), table(shown, caption)])


def _tornado(answer: Answer, run: Run) -> Pieces:
    first, second = run.leaders
    found = uncertainty.tornado(answer, (first, second))
    wide = (found["high_usd"] - found["low_usd"]).abs()
    found = found[wide > SHOWN * wide.max()].assign(title=lambda rows: [INPUT[name].title for name in rows["input"]])
    turns = found[(found["low_usd"] * found["high_usd"]) < 0]["title"]
    says = f"By itself {', '.join(turns)} can turn round which of the two costs less." if len(turns) else NO_TURN
    shown = {
        "Input": [f"{INPUT[name].title} [{INPUT[name].unit}]" for name in found["input"]],
        "p10": _figures(found["low"]),
        "p90": _figures(found["high"]),
        "Difference at p10": money(found["low_usd"]),
        "Difference at p90": money(found["high_usd"]),
    }
    caption = f"What {TITLES[second]} costs more than {TITLES[first]} [USD today], one input moved at a time"
    return Pieces([f"<p>{says}</p>", tornado_chart(found, first, second), table(shown, caption)])


NO_TURN = "No input by itself turns round which of the two costs less."


def _information(answer: Answer, run: Run) -> Pieces:
    found = uncertainty.information(run).set_index("input")["usd"]
    every, noise = found["everything"], found["noise"]
    worth = found.drop(["everything", "noise"]).sort_values(ascending=False, kind="stable")
    worth = worth[worth > max(noise, 1.0)]
    says = f"To know everything before choosing would save {usd(every)} on average. "
    if worth.empty:
        return Pieces([f"<p>{says}To learn one thing more would change no choice.</p>"])
    first = INPUT[worth.index[0]]
    says += f"Worth up to {usd(worth.iloc[0])} before deciding: {first.title.lower()} ({first.learn})."
    shown = {
        "What is known first": [INPUT[name].title for name in worth.index],
        "How": [INPUT[name].learn for name in worth.index],
        "Worth up to": money(worth),
    }
    return Pieces([f"<p>{says}</p>" + table(shown, "What it is worth to learn first [USD today]", left=2)])


def _firmness(answer: Answer, run: Run) -> Pieces:
    found = uncertainty.firmness(answer, run).sort_values("score", ascending=False, kind="stable")
    first = found.iloc[0]
    says = f"{TITLES[first['option']]} has the best score as asked, and in {first['ordered']:.0%} of the draws with "
    says += f"weights that keep your order of priorities; with any weights in {first['free']:.0%}."
    shown = {
        "Option": found["option"].map(TITLES),
        "Score": numbers(found["score"], "{:.2f}"),
        "First, your order of priorities": _percent(found["ordered"]),
        "First, any weights": _percent(found["free"]),
        "First, weights that favour it": _percent(found["confidence"]),
    }
    bars = shares(found, "ordered", "Share of draws in which an option has the best score")
    return Pieces([f"<p>{says}</p>", bars, table(shown, "How firm the order by score is")])


def _percent(values: pd.Series) -> list[Cell]:
    return numbers(values, "{:.0%}")


def _figures(values: pd.Series) -> list[Cell]:
    return [Cell(f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}", value) for value in values]


odds, costs = _of(_odds), _of(_costs)
tornado, information, firmness = _of(_tornado, 2), _of(_information, 2), _of(_firmness, 2)
PANELS = (odds, costs, tornado, information, firmness)

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


def tornado_chart(found: pd.DataFrame, first: str, second: str) -> Figure:
    """Bars of what one input at its low and at its high end makes of the cost difference of two options."""
    ends = {"low_usd": "low (p10)", "high_usd": "high (p90)"}
    long = found.melt(["title", "middle_usd"], list(ends), "end", "usd").replace({"end": ends})
    return Figure(_tornado_spec(TITLES[first], TITLES[second]), {"d0": columns(long)})


@lru_cache
def _tornado_spec(first: str, second: str) -> Spec:
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
