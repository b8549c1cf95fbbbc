"""Usage charts: the hours of a log over time, by hour of the week, and in order of size."""

import altair as alt
import numpy as np
import pandas as pd

from .charts import WIDTH
from .demand import PEAK_QUANTILE, cv_from_spikiness, load_quantile
from .figures import Figure, of
from .scenario import BY_NAME
from .usage import Usage

MOST_POINTS = 1_500
"""Points a curve over time is drawn with; a longer one is drawn by means of several hours."""

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SPIKINESS = BY_NAME["spikiness"].low, BY_NAME["spikiness"].high
"""Between which the Gamma law is drawn."""

MEASURED, LAW, LOST = "#0072B2", "#D55E00", "#999999"


def over_time(found: Usage) -> Figure:
    """The load by hour, with what is missing shaded."""
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
    return of(alt.LayerChart(layer=[shade, curve], description=words))


def _clock(times: pd.Series) -> pd.Series:
    """Times as the clock of their zone shows them, in words that a chart takes for such."""
    return times.dt.strftime("%Y-%m-%dT%H:%M:%S")


def week(found: Usage) -> Figure:
    """The mean load of every hour of the week, as multiples of the mean."""
    load = found.profile["load"] / found.profile["load"].mean()
    start = (
        "hour of the day since a start that is not known"
        if found.log.relative
        else f"hour of the day ({found.log.zone})"
    )
    names = [f"Day {day + 1}" for day in range(7)] if found.log.relative else DAYS
    day = [names[number] for number in found.profile["day"]]
    drawn = pd.DataFrame({"day": day, "hour": found.profile["hour"], "load": load})
    top = drawn.loc[load.idxmax()]
    words = f"Mean load by hour of the week; busiest {top['day']} {top['hour']}:00, {top['load']:.1f} times the mean"
    cells = alt.Chart(drawn, width=WIDTH, height=alt.Step(22), description=words).mark_rect()
    shade = alt.Color("load:Q", title="times the mean", scale=alt.Scale(scheme="blues", zero=True))
    across = alt.X("hour:O", title=start, axis=alt.Axis(labelAngle=0))
    return of(cells.encode(across, alt.Y("day:O", title=None, sort=list(names)), shade))


def load_duration(found: Usage) -> Figure:
    """The load-duration curve of the measured hours beside the Gamma law of the same spikiness, in times the mean."""
    assert found.hours is not None
    hours = found.hours / found.hours.mean()
    spikiness = float(np.quantile(hours, PEAK_QUANTILE))
    share = np.concatenate([np.geomspace(0.002, 0.1, 40)[:-1], np.linspace(0.1, 0.998, 80)])
    law = load_quantile(1 - share, 1.0, cv_from_spikiness(np.clip(spikiness, *SPIKINESS)))
    curves = {"as measured": np.quantile(hours, 1 - share, method="inverted_cdf"), "Gamma law, equally spiky": law}
    drawn = pd.concat([pd.DataFrame({"share": share, "load": load, "curve": name}) for name, load in curves.items()])
    words = f"Load-duration curve, {' and '.join(curves)}: p99 of the hours is {spikiness:.2f} times their mean"
    names, legend = list(curves), alt.Legend(orient="top", labelLimit=400)
    hue = alt.Color("curve:N", title=None, scale=alt.Scale(domain=names, range=[MEASURED, LAW]), legend=legend)
    dash = alt.StrokeDash("curve:N", legend=None, scale=alt.Scale(domain=names, range=[[1, 0], [6, 4]]))
    across = alt.X("share:Q", title="share of the hours at least as busy", axis=alt.Axis(format="%"))
    up = alt.Y("load:Q", title="load [times the mean]")
    lines = alt.Chart(drawn, width=WIDTH, height=240, description=words).mark_line(strokeWidth=2)
    return of(lines.encode(across, up, hue, dash))
