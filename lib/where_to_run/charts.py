"""Charts: a tidy frame in, an Altair chart out; one colour an option, told apart by the colour-blind too."""

import base64
import html

import altair as alt
import numpy as np
import pandas as pd
import vl_convert

from .options import TITLES
from .scenario import Field

OPTION_COLOURS = {
    "api": "#0072B2",
    "rented": "#E69F00",
    "owned": "#009E73",
    "split_by_sensitivity": "#CC79A7",
    "split_by_domain": "#56B4E9",
}
"""Okabe and Ito's palette, made to be told apart with any kind of colour vision."""

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
"""Which of eight groups a line is drawn in."""

WIDTH = 560


def _titled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(option=frame["option"].astype(str).map(TITLES))


def _colours(names: list[str]) -> alt.Scale:
    return alt.Scale(domain=[TITLES[n] for n in names], range=[OPTION_COLOURS[n] for n in names])


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
            color=alt.Color("option:N", title=None, scale=_colours(names)),
            strokeDash=alt.StrokeDash("option:N", title=None, legend=None),
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
            color=alt.Color("option:N", title=None, scale=_colours(names)),
            strokeDash=alt.StrokeDash("option:N", title=None, legend=None),
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
            x=alt.X("start:Q", title=f"{field.name} [{field.unit}]", scale=_scale(field), axis=alt.Axis(format="~s")),
            x2="end:Q",
            color=alt.Color("option:N", title=None, scale=_winners(intervals["option"])),
            tooltip=["option", "start", "end"],
        )
    )


def decision_map(cells: pd.DataFrame, x: Field, y: Field, here: tuple[float, float]) -> alt.LayerChart:
    """Who wins over two fields, the scenario marked; dots where the runner-up costs at most a tenth more."""
    words = f"Which option wins over {x.name} and {y.name}; a cross marks the scenario, dots a close runner-up"
    across = alt.X("x0:Q", title=f"{x.name} [{x.unit}]", scale=_scale(x), axis=alt.Axis(format="~s"))
    up = alt.Y("y0:Q", title=f"{y.name} [{y.unit}]", scale=_scale(y))
    winner = alt.Color("option:N", title=None, scale=_winners(cells["option"]))
    areas = alt.Chart(_runs(cells, x, y), width=WIDTH, height=360).mark_rect(strokeWidth=0.8)
    near = cells.loc[cells["near"], [x.name, y.name]].set_axis(["x0", "y0"], axis=1)
    close = alt.Chart(near).mark_circle(size=6, color="black", opacity=0.6).encode(x=across, y=up)
    mark = pd.DataFrame({"x0": [here[0]], "y0": [here[1]]})
    cross = alt.Chart(mark).mark_point(shape="cross", size=160, filled=True, color="black", stroke="white")
    layers = [
        areas.encode(x=across, x2="x1:Q", y=up, y2="y1:Q", color=winner, stroke=winner),
        close,
        cross.encode(x=across, y=up),
    ]
    return alt.LayerChart(layer=layers, description=words)


def _scale(field: Field) -> alt.Scale:
    return alt.Scale(type="log" if field.log else "linear", nice=False, zero=False)


def _runs(cells: pd.DataFrame, x: Field, y: Field) -> pd.DataFrame:
    """Cells of one winner side by side as one rectangle: option (title), x0, x1, y0, y1."""
    (left, right), (low, high) = _edges(cells[x.name], x), _edges(cells[y.name], y)
    frame = cells[[y.name, "option"]].assign(x0=left, x1=right, y0=low, y1=high).sort_values([y.name, "x0"])
    new = (frame["option"] != frame["option"].shift()) | (frame[y.name] != frame[y.name].shift())
    runs = frame.groupby(new.cumsum()).agg(
        {"option": "first", "x0": "first", "x1": "last", "y0": "first", "y1": "first"}
    )
    return runs.assign(option=runs["option"].map(lambda name: TITLES.get(name, "nothing allowed")))


def _winners(options: pd.Series) -> alt.Scale:
    """Colours of the options that win somewhere, grey where nothing is allowed."""
    names = [name for name in OPTION_COLOURS if name in set(options)]
    nothing = [] if set(options) <= set(names) else ["nothing allowed"]
    colours = [*(OPTION_COLOURS[n] for n in names), "#DDDDDD"][: len(names) + len(nothing)]
    return alt.Scale(domain=[*(TITLES[n] for n in names), *nothing], range=colours)


def _edges(column: pd.Series, field: Field) -> tuple[pd.Series, pd.Series]:
    """Lower and upper edge of every cell along a field, half-way to its neighbours on the field's scale."""
    values = np.sort(column.unique())
    middle = np.sqrt(values[1:] * values[:-1]) if field.log else (values[1:] + values[:-1]) / 2
    lower = dict(zip(values, np.append(values[0], middle), strict=True))
    upper = dict(zip(values, np.append(middle, values[-1]), strict=True))
    return column.map(lower), column.map(upper)


def figure(chart: alt.Chart | alt.LayerChart) -> str:
    """A chart as a picture inside HTML, with its description for those who cannot see it; nothing is loaded."""
    svg = vl_convert.vegalite_to_svg(
        chart.to_json(validate=False), vl_version=alt.SCHEMA_VERSION.removeprefix("v").rsplit(".", 1)[0]
    )
    picture = base64.b64encode(svg.encode()).decode()
    words = html.escape(str(chart.description), quote=True)
    return f'<figure><img alt="{words}" src="data:image/svg+xml;base64,{picture}"></figure>'
