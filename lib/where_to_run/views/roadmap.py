"""Roadmap: its panels, an answer of one scenario in, pieces of a page out."""

from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from html import escape
from math import ceil

import altair as alt
import numpy as np
import pandas as pd

from ..analysis.roadmap import Roadmap, roadmap
from ..analysis.stages import NAMED, WAITING, called
from ..decision.answer import Answer
from ..decision.routing import API, OWN
from ..inputs.facts import remembered
from ..inputs.question import ScenarioError
from ..units import Array
from .charts import OPTION_COLOURS, WIDTH
from .figure import FRAME, Figure, Spec, columns, of
from .panel import Pieces, aside
from .table import Cell, money, numbers, table, usd
from .titles import titles

Panel = Callable[[Answer], Pieces]

COMMON = (
    "Right on every path, whatever it is: one gateway with one interface for all places, a test set of your own "
    "requests, and a log of tokens by class of data."
)


@remembered
def _made(answer: Answer) -> Roadmap:
    return roadmap(answer.scenarios, answer.facts, answer.hours)


def _panel(make: Callable[[Answer, Roadmap], Pieces]) -> Panel:
    """A panel of the roadmap of an answer; words where there is none."""

    @wraps(make)
    def panel(answer: Answer) -> Pieces:
        try:
            return make(answer, _made(answer))
        except ScenarioError as error:
            return Pieces([f"<p>{escape(str(error))}</p>"])

    # they share one roadmap, and whichever comes first makes it
    return aside(panel)


@_panel
def what_to_do(answer: Answer, road: Roadmap) -> Pieces:
    """A panel: what to begin with, when to order the next step, and when to go back; the first stages compared."""
    now, way = road.now.sort_values("usd", kind="stable"), road.journey
    best = now[now["best"]].iloc[0]
    weeks = ceil(best["launch_weeks"])
    says = [f"Begin with <strong>{escape(best['stage'])}</strong>, ready in {weeks} week{'s' * (weeks != 1)}."]
    if best["then"]:
        says.append(f"At once, order the next step: {escape(best['then'])}.")
    edges = road.triggers.drop_duplicates(["stage", "when"])
    here = edges[edges["stage"] == (best["then"] or best["stage"])]
    back = edges[edges["stage"].isin(here["to"]) & (edges["when"] == "below")]
    says += [_trigger(row, way.server.name) for _, row in pd.concat([here, back]).iterrows()]
    says += [_date(road), *_otherwise(answer, road)]
    shown = {
        "Begin with": now["stage"],
        "Ready in weeks": numbers(map(ceil, now["launch_weeks"]), "{}"),
        "In time": now["in_time"].map({True: "yes", False: "as a second step"}),
        "Expected cost": money(now["usd"]),
        "More than the best": money(now["more_usd"]),
    }
    caption = (
        f"Cost of {way.programme.months} months on the best way from there, resale of servers taken off, USD today"
    )
    return Pieces(["".join(f"<p>{line}</p>" for line in says) + table(shown, caption)])


def _trigger(row: pd.Series, server: str) -> str:
    """A trigger in plain words."""
    many, stage, to = int(row["servers"]), escape(row["stage"]), escape(row["to"])
    volume = volume_words(row["requests_per_month"])
    if many > 0:
        order = f"order {many} server{'s' * (many > 1)} ({escape(server)}), to run {to}"
    else:
        order = f"{f'sell {-many} and ' * (many < 0)}move to {to}"
    lead = f"{row['lead_months']} month{'s' * (row['lead_months'] > 1)} before it serves"
    if row["when"] == "above":
        return f"On {stage}: when the three-month average passes {volume} requests a month and grows, {order}; {lead}."
    return f"The way back: on {stage}, when it falls below {volume}, {order}; {lead}."


def _date(road: Roadmap) -> str:
    """When the first move is ordered, in words."""
    found = road.first_move.iloc[0]
    if found["probability"] < 0.005:
        return "No move is worth its price on any likely path within the horizon."
    when = {"the earliest tenth": "p10", "half": "p50", "nine in ten": "p90"}
    known = ", ".join(f"{who} by month {found[p]:.0f}" for who, p in when.items() if not pd.isna(found[p]))
    dates = f": {known}" if known else ""
    return f"Within the horizon a first move is ordered on {found['probability']:.0%} of the paths{dates}."


def _otherwise(answer: Answer, road: Roadmap) -> Iterator[str]:
    """Why the plan begins otherwise than with the recommended option, where it does."""
    ranked, way = answer.options[answer.options["recommended"]], road.journey
    for option in ranked["option"]:
        taken = answer.option(option)
        used = tuple(taken.routing.uses(taken.question.shares > 0)[0].tolist())
        offer = called(taken.question, taken.outcome) if used[API] else ""
        here = [n for n in road.now.index if (way.stages[n].used, way.stages[n].api) == (used, offer)]
        here += [n for n in road.now.index if used[OWN] and way.stages[n].option == WAITING]
        if road.first in here:
            return
        title = escape(titles(answer)[option])
        yield f"{title} is recommended on the page Decide; this plan goes by expected cost alone."
        if here and road.now.at[here[0], "in_time"]:
            yield f"To begin with it costs {usd(road.now.at[here[0], 'more_usd'])} more."


def volume_words(volume: float) -> str:
    """A volume for reading: 8.1 million."""
    for size, word in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if volume >= size:
            return f"{volume / size:,.3g}{word}"
    return f"{volume:,.0f}"


@_panel
def path(_: Answer, road: Roadmap) -> Pieces:
    """A panel: the probability of each stage by quarter, and which moves come first."""
    first, wide = road.first_move.iloc[1:], road.by_quarter.pivot(index="stage", columns="month", values="probability")
    ends = wide.loc[road.by_quarter["stage"].unique(), [m for m in wide.columns if m % 6 == 0]]
    shown = {"Stage": ends.index, **{f"Month {m}": numbers(ends[m], "{:.0%}") for m in ends.columns}}
    moves = [f"{escape(row['to'])} on {row['probability']:.0%} of the paths" for _, row in first.iterrows()]
    said = f"<p>The first move leads to {', to '.join(moves)}.</p>" if moves else ""
    drawn = probability_by_quarter(road.by_quarter)
    return Pieces([drawn, table(shown, "Share of all paths on which a stage runs") + said])


@_panel
def triggers(_: Answer, road: Roadmap) -> Pieces:
    """A panel: the volumes at which the next step is ordered over time, with the way back."""
    found, first = road.triggers, road.journey.stages[road.first].words
    near = [first, *found.loc[found["stage"] == first, "to"].unique()]
    found = found[found["stage"].isin(near)]
    if found.empty:
        return Pieces(["<p>At no volume within reach is a move worth its price.</p>"])
    shown = found[found["month"] % 6 == 0]
    rows = {
        "Running": shown["stage"],
        "Month": shown["month"],
        "Order when": shown["when"],
        "Requests a month": [Cell(volume_words(volume), volume) for volume in shown["requests_per_month"]],
        "Move to": shown["to"],
        "Months before need": shown["lead_months"],
    }
    drawn = triggers_over_time(found, road.journey.likely)
    return Pieces([drawn, table(rows, "Triggers on the three-month average of the volume")])


@_panel
def waiting(_: Answer, road: Roadmap) -> Pieces:
    """A panel: what moving now costs against waiting and then following the plan."""
    shown = {"What": road.waiting["what"], "Cost": money(road.waiting["usd"]), "More": money(road.waiting["more_usd"])}
    words = f"Expected cost from {road.journey.stages[road.first].words}, USD today"
    return Pieces([cost_of_waiting(road.waiting), table(shown, words)])


@_panel
def preparations(_: Answer, road: Roadmap) -> Pieces:
    """A panel: what paths ask for sooner or later, and what is right on all of them."""
    found = road.preparations
    shown = {
        "Preparation": found["what"].str.replace("_", " "),
        "On paths": numbers(found["probability"], "{:.0%}"),
        "Ordered by month": numbers(found["month"], "{:.0f}"),
        "No regret": found["no_regret"].map({True: "yes", False: ""}),
    }
    caption = "What the plan asks for within the horizon; the month by which half of those paths have ordered it"
    return Pieces([table(shown, caption) + f"<p>{COMMON}</p>"])


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
