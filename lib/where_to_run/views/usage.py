"""Usage: the panels of a log that was read, what was found in and pieces of a page out."""

from html import escape
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ..formulas.load_curve import cv_from_spikiness, load_quantile
from ..inputs.question import BY_NAME
from ..inputs.usage import SHORTEST_H, Usage
from .charts import WIDTH
from .figure import of
from .panel import Pieces
from .table import Cell, numbers, table

MOST_GAPS = 20
"""Gaps that are listed one by one."""

MOST_POINTS = 1_500
"""Points a curve over time is drawn with; a longer one is drawn by means of several hours."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MEASURED, LAW, LOST = "#0072B2", "#D55E00", "#999999"

NOTHING = Pieces(["<p>No log was read yet.</p>"])
"""In place of the panels before there is a log."""

IN_USE = (
    "<p>The hours are those of your log, until the spikiness or the hours in use are moved. The link, the scenario "
    "file and the report do not have them and take those two instead.</p>"
)
"""What is said while measured hours are in use."""


def fields(found: Usage) -> Pieces:
    """A panel: the fields of a scenario as the log shows them, with their ranges."""
    words = "<p>Low and high hold the value nine times in ten, if the weeks to come are like those seen.</p>"
    if found.counted == "tokens":
        words += "<p>The file counts tokens and no requests: the volume follows from the prompt length you set.</p>"
    return Pieces([table(_fields(found), "The scenario as your log shows it") + words])


def _fields(found: Usage) -> dict[str, Any]:
    rows, asked = found.fields, [BY_NAME[name] for name in found.fields["field"]]
    form = {"share": "{:.1%}", "share/month": "{:.1%}", "p99 hour / mean hour": "{:.2f}"}
    forms = [form.get(field.unit, "{:,.0f}") for field in asked]
    shown: dict[str, Any] = {"Field": [f"{field.label} [{field.unit}]" for field in asked]}
    for name in ("value", "low", "high"):
        shown[name.capitalize()] = [numbers([v], f)[0] for v, f in zip(rows[name], forms, strict=True)]
    return shown | {"Seen over": list(rows["seen"])}


def hours(found: Usage) -> Pieces:
    """A panel: the load by hour in order, with what is missing shaded."""
    number = -(-len(found.series) // MOST_POINTS)
    series = found.series.assign(part=np.arange(len(found.series)) // number).groupby("part")
    drawn = pd.DataFrame({"time": _clock(series["time"].first()), "load": series["load"].mean()})
    across = alt.X("time:T", title=f"time ({found.log.zone})")
    if found.log.relative:
        across = alt.X("time:T", title="time since a start that is not known", axis=alt.Axis(labels=False, ticks=False))
    title = f"{found.counted} an hour" + (f", mean of {number}" if number > 1 else "")
    words = f"{title}, from {drawn['time'].iloc[0]} to {drawn['time'].iloc[-1]}; shaded where it says nothing"
    line = alt.Chart(drawn, width=WIDTH, height=180).mark_line(color=MEASURED, strokeWidth=1)
    gaps = pd.DataFrame({"start": _clock(found.gaps["start"]), "end": _clock(found.gaps["end"])})
    shade = alt.Chart(gaps).mark_rect(color=LOST, opacity=0.35).encode(alt.X("start:T"), alt.X2("end:T"))
    curve = line.encode(across, alt.Y("load:Q", title=title, axis=alt.Axis(format="~s", tickCount=4)))
    return Pieces([of(alt.LayerChart(layer=[shade, curve], description=words))])


def _clock(times: pd.Series) -> pd.Series:
    """Times as the clock of their zone shows them, in words that a chart takes for such."""
    return times.dt.strftime("%Y-%m-%dT%H:%M:%S")


def week(found: Usage) -> Pieces:
    """A panel: the mean load of every hour of the week, in times the mean."""
    zone = "since a start that is not known" if found.log.relative else f"({found.log.zone})"
    names = [f"Day {day + 1}" for day in range(7)] if found.log.relative else list(DAYS)
    load = found.profile["load"] / found.profile["load"].mean()
    drawn = found.profile.assign(day=[names[number] for number in found.profile["day"]], load=load)
    top = drawn.loc[load.idxmax()]
    words = f"Mean load by hour of the week; busiest {top['day']} {top['hour']}:00, {top['load']:.1f} times the mean"
    cells = alt.Chart(drawn, width=WIDTH, height=alt.Step(22), description=words).mark_rect()
    shade = alt.Color("load:Q", title="times the mean", scale=alt.Scale(scheme="blues", zero=True))
    across = alt.X("hour:O", title=f"hour of the day {zone}", axis=alt.Axis(labelAngle=0))
    return Pieces([of(cells.encode(across, alt.Y("day:O", title=None, sort=names), shade))])


def load_duration(found: Usage) -> Pieces:
    """A panel: the load-duration curve of the measured hours beside the Gamma law as spiky, or why there is none."""
    if found.hours is None:
        return Pieces([f"<p>No curve: it takes {SHORTEST_H} whole hours, and rows that stand for an hour or less.</p>"])
    hours, asked = found.hours / found.hours.mean(), BY_NAME["spikiness"]
    spikiness = float(found.fields.set_index("field").at["spikiness", "value"])
    share = np.concatenate([np.geomspace(0.002, 0.1, 40)[:-1], np.linspace(0.1, 0.998, 80)])
    curves = {"as measured": np.quantile(hours, 1 - share, method="inverted_cdf")}
    if not np.isnan(spikiness):
        spread = cv_from_spikiness(np.clip(spikiness, asked.low, asked.high))
        curves["Gamma law, equally spiky"] = load_quantile(1 - share, 1.0, spread)
    drawn = pd.concat([pd.DataFrame({"share": share, "load": load, "curve": name}) for name, load in curves.items()])
    words = f"Load-duration curve, {' and '.join(curves)}"
    words += f": p99 of the hours is {spikiness:.2f} times their mean" if len(curves) > 1 else ""
    names, legend = list(curves), alt.Legend(orient="top", labelLimit=400)
    hue = alt.Color(
        "curve:N", title=None, scale=alt.Scale(domain=names, range=[MEASURED, LAW][: len(names)]), legend=legend
    )
    dash = alt.StrokeDash("curve:N", legend=None, scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]][: len(names)]))
    across = alt.X("share:Q", title="share of the hours at least as busy", axis=alt.Axis(format="%"))
    lines = alt.Chart(drawn, width=WIDTH, height=240, description=words).mark_line(strokeWidth=2)
    return Pieces([of(lines.encode(across, alt.Y("load:Q", title="load [times the mean]"), hue, dash))])


def read(found: Usage) -> Pieces:
    """A panel: what was read of the file, what could not be used and why, and what is missing."""
    log, rows = found.log, _read(found)
    cells = [value if isinstance(value, str) else Cell(f"{value:,.0f}", float(value)) for value in rows.values()]
    named = (
        f"<p>Read from {escape(log.file[:100])}{EXAMPLE if log.file == EXAMPLE_FILE else ''}.</p>" if log.file else ""
    )
    lacks = f"<p>Not in the file, so not in the sum: {escape(', '.join(log.absent)[:300])}.</p>" if log.absent else ""
    understood = table(_first(found), FIRST_ROWS, left=2)
    whole = table({"What": rows, "Read": cells}, f"What was read: {_caption(found)}")
    return Pieces([named + understood + lacks + whole + _gaps(found)])


FIRST_ROWS = "The first rows as they were understood"


def told(found: Usage) -> dict[str, pd.DataFrame]:
    """What a log says, for a terminal: a frame by its title."""
    rows = {name: value if isinstance(value, str) else f"{value:,.0f}" for name, value in _read(found).items()}
    rows |= {"Not in the file, so not in the sum": ", ".join(found.log.absent)} if found.log.absent else {}
    return {
        FIRST_ROWS: pd.DataFrame(_first(found)),
        f"What was read: {_caption(found)}": pd.DataFrame({"What": rows.keys(), "Read": rows.values()}),
        "The scenario as the log shows it": pd.DataFrame(_fields(found)).map(
            lambda cell: cell.text if isinstance(cell, Cell) else cell
        ),
    }


def _caption(found: Usage) -> str:
    log = found.log
    return f"{log.layout.title}, " + ("since a start that is not known" if log.relative else f"in {log.zone}")


def _read(found: Usage) -> dict[str, float | str]:
    log, states = found.log, found.series["state"].value_counts()
    step_h = max(1, round(log.step_h))
    rows: dict[str, float | str] = {"Rows": log.rows}
    rows |= {f"Not used: {reason}": number for reason, number in log.bad.items()}
    rows |= {"Older versions of a row, not counted": log.repeats, "Equal rows without an id, counted": log.equal}
    rows |= {"Rows after a later one": log.late, "Times a counter began again": log.resets}
    for name, us in (("First time", log.first_us), ("Last time", log.last_us)):
        rows[name] = _told(found, pd.Timestamp(us, unit="us", tz="UTC").tz_convert(log.zone))
    rows |= {f"Hours {state}": int(number) * step_h for state, number in states.items()}
    for name, by_tokens in (("Prompt", log.prompts), ("Answer", log.answers)):
        if len(by_tokens):
            middle = by_tokens.cumsum().searchsorted(by_tokens.sum() / 2)
            rows[f"{name}: median [token]"] = float(by_tokens.index[middle])
    return rows


EXAMPLE_FILE, EXAMPLE = "usage_example.csv", ", the synthetic example of this project: set usage_file to read your own"


def _first(found: Usage) -> dict[str, list[str]]:
    """The first rows as they were understood, beside what is written for the time."""
    log = found.log
    times = pd.to_datetime(log.first["us"], unit="us", utc=True)
    shown = {
        "Time in the file": [str(text)[:40] for text in log.first["written"]],
        "Understood as": [_told(found, time if log.relative else time.tz_convert(log.zone)) for time in times],
    }
    known = {name: log.first[name].astype(float) for name in COUNTED if log.first[name].notna().any()}
    return shown | {COUNTED[name]: [f"{count:,.6g}" for count in counts] for name, counts in known.items()}


COUNTED = {"requests": "Requests", "input": "Tokens in", "output": "Tokens out", "cached": "Of them cached"}


def _gaps(found: Usage) -> str:
    """The gaps as a table, the longest first."""
    gaps = found.gaps.nlargest(MOST_GAPS, "hours")
    if gaps.empty:
        return ""
    ends = {name: [_told(found, time) for time in gaps[column]] for name, column in (("From", "start"), ("To", "end"))}
    more = "" if len(found.gaps) == len(gaps) else f", the longest of {len(found.gaps):,}"
    about = f"Missing, so neither busy nor idle: no row where there usually are{more}"
    return table(ends | {"Hours": numbers(gaps["hours"], "{:,.0f}")}, about, left=2)


def _told(found: Usage, time: pd.Timestamp) -> str:
    """A time for reading; since the start, where the file does not say when that was."""
    start = found.series["time"].iloc[0]
    return f"day {(time - start).days + 1}, {time:%H:%M}" if found.log.relative else f"{time:%Y-%m-%d %H:%M}"
