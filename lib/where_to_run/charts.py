"""Charts: a tidy frame in, an Altair chart out; one colour an option, told apart by the colour-blind too."""

import base64
import html
import threading
from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

from .routings import TITLES
from .scenario import Field

OPTION_COLOURS = {
    "api": "#0072B2",
    "rented": "#E69F00",
    "owned": "#009E73",
    "split_by_sensitivity": "#CC79A7",
    "split_by_domain": "#56B4E9",
    "base_and_burst": "#D55E00",
    "best_mix": "#444444",
}
"""Okabe and Ito's palette, made to be told apart with any kind of colour vision; its black a dark grey."""

OPTION_DASHES = {
    "api": [1, 0],
    "rented": [7, 3],
    "owned": [2, 2],
    "split_by_sensitivity": [9, 3, 2, 3],
    "split_by_domain": [4, 6],
    "base_and_burst": [12, 3],
    "best_mix": [4, 2],
}
"""Line and gap of each option's lines [pixel]."""

SHADES = ["#0072B2", "#56B4E9", "#E69F00", "#F0E442", "#009E73", "#CC79A7", "#999999", "#D55E00"]

GROUPS = {
    "input tokens": "tokens",
    "cached input tokens": "tokens",
    "output tokens": "tokens",
    "long prompts": "tokens",
    "batch discount": "tokens",
    "residency uplift": "tokens",
    "retries": "tokens",
    "machines": "rented machines",
    "burst machines": "rented machines",
    "spot machines": "rented machines",
    "contract past the horizon": "rented machines",
    "storage": "rented machines",
    "egress": "rented machines",
    "servers": "own hardware",
    "network": "own hardware",
    "spare parts": "own hardware",
    "installation": "own hardware",
    "capital tied up": "own hardware",
    "residual value": "own hardware",
    "power": "power, housing, upkeep",
    "colocation": "power, housing, upkeep",
    "maintenance": "power, housing, upkeep",
    "bill while waiting for delivery": "waiting for delivery",
    "set-up project": "set-up and platform",
    "platform services": "set-up and platform",
    "least staff": "people",
    "people to add": "people",
    "recruiting and ramp-up": "people",
    "staff for further servers": "people",
}
"""Which of seven groups a line is drawn in."""

WIDTH = 560


def _titled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(option=frame["option"].astype(str).map(TITLES))


def _of_options(names: list[str], looks: Mapping[str, Any]) -> alt.Scale:
    return alt.Scale(domain=[TITLES[n] for n in names], range=[looks[n] for n in names])


def cost_by_option(lines: pd.DataFrame, months: float) -> alt.Chart:
    """Stacked bars of the mean monthly cost [USD/month] of each option by group of lines; `lines` of one scenario."""
    frame = _titled(lines.assign(group=lines["line"].map(GROUPS), usd=lines["usd"] / months))
    frame = frame.groupby(["option", "group"], as_index=False, sort=False)["usd"].sum()
    groups = list(dict.fromkeys(GROUPS.values()))
    return (
        alt.Chart(frame, width=WIDTH, height=alt.Step(30), description="Monthly cost of each option by kind of line")
        .mark_bar()
        .encode(
            x=alt.X("sum(usd):Q", title="USD a month, mean over the horizon", axis=alt.Axis(format="~s")),
            y=alt.Y("option:N", title=None, sort=list(TITLES.values())),
            color=alt.Color(
                "group:N", title=None, scale=alt.Scale(domain=groups, range=SHADES), legend=alt.Legend(columns=1)
            ),
            order=alt.Order("rank:Q"),
        )
        .transform_calculate(rank=f"indexof({groups}, datum.group)")
    )


def score_by_criterion(fit: pd.DataFrame) -> alt.Chart:
    """Stacked bars of the score of each allowed option by criterion; `fit` of one scenario."""
    frame = _titled(fit.dropna(subset=["contribution"]))
    criteria = list(dict.fromkeys(fit["criterion"]))
    return (
        alt.Chart(frame, width=WIDTH, height=alt.Step(30), description="Score of each allowed option by criterion")
        .mark_bar()
        .encode(
            x=alt.X("sum(contribution):Q", title="score, 0 to 1", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("option:N", title=None, sort=list(TITLES.values())),
            color=alt.Color("criterion:N", title=None, scale=alt.Scale(domain=criteria, range=SHADES)),
            order=alt.Order("rank:Q"),
        )
        .transform_calculate(rank=f"indexof({criteria}, datum.criterion)")
    )


def cost_over_time(lines: pd.DataFrame) -> alt.Chart:
    """Lines of what each option has cost so far [USD] by month; `lines` of one scenario."""
    paid = lines.groupby(["option", "month"], as_index=False, sort=False)["usd"].sum()
    wide = paid.pivot(index="month", columns="option", values="usd").fillna(0.0).cumsum()
    names = [name for name in OPTION_COLOURS if name in wide.columns]
    frame = _titled(wide.reset_index().melt("month", var_name="option", value_name="usd"))
    return (
        alt.Chart(frame, width=WIDTH, height=230, description="Cost of each option so far, month by month")
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X("month:Q", title="month"),
            y=alt.Y("usd:Q", title="USD paid so far", axis=alt.Axis(format="~s")),
            color=alt.Color("option:N", title=None, scale=_of_options(names, OPTION_COLOURS)),
            strokeDash=alt.StrokeDash("option:N", title=None, scale=_of_options(names, OPTION_DASHES)),
        )
    )


def gpus_over_time(sizing: pd.DataFrame) -> alt.Chart:
    """Steps of the GPUs that stand ready by month for each option with machines; `sizing` of one scenario."""
    total = sizing.groupby(["option", "month"], as_index=False, sort=False)["gpus"].sum()
    names = [name for name in OPTION_COLOURS if name in set(total["option"].astype(str))]
    return (
        alt.Chart(_titled(total), width=WIDTH, height=200, description="GPUs standing ready by month")
        .mark_line(interpolate="step", strokeWidth=2.5)
        .encode(
            x=alt.X("month:Q", title="month"),
            y=alt.Y("gpus:Q", title="GPUs"),
            color=alt.Color("option:N", title=None, scale=_of_options(names, OPTION_COLOURS)),
            strokeDash=alt.StrokeDash("option:N", title=None, scale=_of_options(names, OPTION_DASHES)),
        )
    )


def winning_intervals(intervals: pd.DataFrame, field: Field) -> alt.Chart:
    """A bar along a field, coloured by the option that wins there; `intervals` of `breakeven.intervals`."""
    frame = intervals.assign(option=intervals["option"].map(lambda name: TITLES.get(name, "nothing allowed")))
    words = f"Which option wins along {field.name}"
    return (
        alt.Chart(frame, width=WIDTH, height=40, description=words)
        .mark_bar(stroke="white")
        .encode(
            x=alt.X("start:Q", title=f"{field.name} [{field.unit}]", scale=scale(field), axis=alt.Axis(format="~s")),
            x2="end:Q",
            color=alt.Color("option:N", title=None, scale=winner_colours(intervals["option"])),
            tooltip=["option", "start", "end"],
        )
    )


def scale(field: Field) -> alt.Scale:
    """Scale of a field: logarithmic where its slider is, and as wide as the values."""
    return alt.Scale(type="log" if field.log else "linear", nice=False, zero=False)


def winner_colours(options: pd.Series) -> alt.Scale:
    """Colours of the options that win somewhere, grey where nothing is allowed."""
    names = [name for name in OPTION_COLOURS if name in set(options)]
    nothing = [] if set(options) <= set(names) else ["nothing allowed"]
    colours = [*(OPTION_COLOURS[n] for n in names), "#DDDDDD"][: len(names) + len(nothing)]
    return alt.Scale(domain=[*(TITLES[n] for n in names), *nothing], range=colours)


DRAWN = threading.Event()
"""Set once this process has drawn: the converter then has threads of its own, and a fork of it could not draw."""


def figure(chart: alt.Chart | alt.LayerChart) -> str:
    """A chart as a picture inside HTML, with its description for those who cannot see it; nothing is loaded."""
    DRAWN.set()
    svg = vl_convert.vegalite_to_svg(
        chart.to_json(validate=False), vl_version=alt.SCHEMA_VERSION.removeprefix("v").rsplit(".", 1)[0]
    )
    picture = base64.b64encode(svg.encode()).decode()
    words = html.escape(str(chart.description), quote=True)
    return f'<figure><img alt="{words}" src="data:image/svg+xml;base64,{picture}"></figure>'
