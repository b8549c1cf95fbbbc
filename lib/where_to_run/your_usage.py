"""Your usage: the panels of a log that was read, what was found in and pieces of a page out."""

import pandas as pd

from . import usage_charts
from .figures import Pieces
from .markup import Cell, numbers, table
from .scenario import BY_NAME
from .usage import SHORTEST_H, Usage

MOST_GAPS = 20
"""Gaps that are listed one by one."""

NOTHING = Pieces(["<p>No log was read yet.</p>"])
"""In place of the panels before there is a log."""


IN_USE = (
    "<p>The hours are those of your log, until the spikiness is moved. The link, the scenario file and the report do "
    "not have them and take the spikiness instead.</p>"
)
"""What is said while measured hours are in use."""


def fields(found: Usage) -> Pieces:
    """A panel: the fields of a scenario as the log shows them, with their ranges."""
    rows = found.fields
    form = {"share": "{:.1%}", "share/month": "{:.1%}", "p99 hour / mean hour": "{:.2f}"}
    unit = [BY_NAME[name].unit for name in rows["field"]]
    shown = {
        "Field": [f"{BY_NAME[name].label} [{BY_NAME[name].unit}]" for name in rows["field"]],
        **{
            head: [
                numbers([value], form.get(u, "{:,.0f}"))[0] for value, u in zip(rows[head.lower()], unit, strict=True)
            ]
            for head in ("Value", "Low", "High")
        },
        "Seen over": rows["seen"],
    }
    words = "<p>Low and high hold the value nine times in ten, if the weeks to come are like those seen.</p>"
    if found.counted == "tokens":
        words += "<p>The file counts tokens and no requests: the volume follows from the prompt length you set.</p>"
    return Pieces([table(shown, "The scenario as your log shows it") + words])


def hours(found: Usage) -> Pieces:
    """A panel: the hours of the log in order, with what is missing."""
    return Pieces([usage_charts.over_time(found)])


def week(found: Usage) -> Pieces:
    """A panel: the mean load of every hour of the week."""
    return Pieces([usage_charts.week(found)])


def load_duration(found: Usage) -> Pieces:
    """A panel: the measured load-duration curve beside the Gamma law, or why there is none."""
    if found.hours is None:
        return Pieces([f"<p>No curve: it takes {SHORTEST_H} whole hours, and rows that stand for an hour or less.</p>"])
    return Pieces([usage_charts.load_duration(found)])


def read(found: Usage) -> Pieces:
    """A panel: what was read of the file, what could not be used and why, and what is missing."""
    log = found.log
    ends = [pd.Timestamp(us, unit="us", tz="UTC").tz_convert(log.zone) for us in (log.first_us, log.last_us)]
    states = found.series["state"].value_counts()
    step_h = round(found.gaps["hours"].sum() / states["missing"]) if "missing" in states else 1
    rows: dict[str, float | str] = {"Rows": log.rows}
    rows |= {f"Not used: {reason}": number for reason, number in log.bad.items()}
    rows[f"Repeated rows, {'kept: whole seconds tell no two requests apart' if log.kept else 'counted once'}"] = (
        log.repeats
    )
    rows["Rows after a later one"] = log.late
    rows["Times a counter began again"] = log.resets
    rows |= {name: _clock(found, end) for name, end in zip(("First time", "Last time"), ends, strict=True)}
    rows |= {f"Hours {state}": int(number) * step_h for state, number in states.items()}
    for name, by_tokens in (("Prompt", log.prompts), ("Answer", log.answers)):
        if len(by_tokens):
            rows[f"{name}: median [token]"] = float(
                by_tokens.index[by_tokens.cumsum().searchsorted(by_tokens.sum() / 2)]
            )
    cells = [value if isinstance(value, str) else Cell(f"{value:,.0f}", float(value)) for value in rows.values()]
    caption = f"{log.layout.title}, " + ("since a start that is not known" if log.relative else f"in {log.zone}")
    return Pieces([table({"What": rows, "Read": cells}, f"What was read: {caption}") + _gaps(found)])


def _gaps(found: Usage) -> str:
    """The gaps as a table, the longest first."""
    gaps = found.gaps.nlargest(MOST_GAPS, "hours")
    if gaps.empty:
        return ""
    ends = {name: [_clock(found, time) for time in gaps[column]] for name, column in (("From", "start"), ("To", "end"))}
    shown = {**ends, "Hours": numbers(gaps["hours"], "{:,.0f}")}
    more = "" if len(found.gaps) == len(gaps) else f", the longest of {len(found.gaps):,}"
    return table(shown, f"Missing, so neither busy nor idle: no row where there usually are{more}", left=2)


def _clock(found: Usage, time: pd.Timestamp) -> str:
    """A time for reading; since the start, where the file does not say when that was."""
    start = found.series["time"].iloc[0]
    return f"day {(time - start).days + 1}, {time:%H:%M}" if found.log.relative else f"{time:%Y-%m-%d %H:%M}"
