"""Usage: the fields of a scenario as a log shows them, each with a range, and its hours as a measured curve."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..formulas.load_curve import PEAK_QUANTILE
from ..units import HOURS_PER_MONTH, HOURS_PER_WEEK, Array
from .log_formats import COUNTS, UsageError
from .log_hours import Log
from .log_times import HOUR
from .question import BY_NAME

DAY_H, WEEK_H = 24, HOURS_PER_WEEK

RECENT_WEEKS = 4
"""The latest weeks, from which the fields are taken: a month, and whole weeks, as all days of a week count alike."""

SHORTEST_H = 2 * DAY_H
"""Whole hours below which nothing is said of their spread: p99 over mean of one day is its busiest hour."""

FEWEST_WEEKS = 4
"""Weeks below which there is no growth to see, and below which all working days are taken as alike."""

RARE = 0.01
"""Hours without a row are missing, not idle, where arrivals at random at the usual rate are silent this rarely."""

DRAWS, SEED, COVER = 1_000, 7, 0.9
"""Series drawn to find a range, the seed, so that a file always has the same range, and what a range covers."""


@dataclass(frozen=True)
class Usage:
    """What a log says of a scenario.

    `fields`: field, value, low, high, seen (in which hours, or why it is not known); a range covers 90 %. `hours`: the
    measured hourly loads in order, with the mean of the hour of the week where one is missing, for
    `evaluate(hours=...)`, or None. `series`: every hour of the file, with `load` and `state`: measured, idle (zero),
    missing or partial (neither is counted). `counted` is the unit of the load: requests, or tokens where a file has no
    requests. `gaps`: start, end, hours of what is missing. `profile`: day (0 Monday), hour, load: the mean of each hour
    of the week. `per_month`: counts a month.
    """

    log: Log
    fields: pd.DataFrame
    hours: Array | None
    series: pd.DataFrame
    gaps: pd.DataFrame
    profile: pd.DataFrame
    counted: str
    per_month: Mapping[str, float]

    def changes(self, row: Mapping[str, Any]) -> dict[str, float]:
        """The fields to change in a row of the question, within what the question allows.

        Of a file that counts tokens and no requests: prompts stay as long as the row says, and there are as many
        requests as the tokens come to.
        """
        found = self.fields.dropna(subset="value").set_index("field")["value"].to_dict()
        if self.counted == "tokens" and self.per_month["input"] > 0:
            found["requests_per_month"] = self.per_month["input"] / row["input_tokens"]
            found["output_tokens"] = self.per_month["output"] / found["requests_per_month"]
        return {name: float(np.clip(value, BY_NAME[name].low, BY_NAME[name].high)) for name, value in found.items()}


def usage(log: Log) -> Usage:
    """What a log says of a scenario: its latest four weeks give the fields, all of it the growth.

    Refuses rows that stand for more than a week, and latest weeks without any load.
    """
    step_h = max(1, round(log.step_h))
    if step_h > WEEK_H:
        raise UsageError(f"a row of the file stands for {step_h:,} hours; give rows of a week or less")
    series, gaps = _series(log, step_h)
    # a window of whole weeks, or else days, ends before an hour that was cut: a nightly load stays as large as it is
    body = series[series["state"] != "partial"]
    weeks = min(RECENT_WEEKS, len(body) * step_h // WEEK_H)
    days_h = len(body) * step_h // DAY_H * DAY_H
    window_h = weeks * WEEK_H or (days_h if days_h >= SHORTEST_H else len(body) * step_h)
    recent = body.tail(max(1, window_h // step_h))
    whole = recent[recent["state"].isin(["measured", "idle"])]
    long = len(whole) * step_h >= SHORTEST_H
    part = whole if long else series[series["state"] != "missing"]
    if not part["load"].sum():
        last = series["time"].iloc[-1]
        raise UsageError(f"there is no load in the latest weeks of the file, up to {last:%Y-%m-%d}; is a time wrong?")
    counted_h = len(part) * step_h if log.step_h >= 1 else (log.last_us - log.first_us) / HOUR
    span_h = float(len(whole) * step_h) if long else counted_h
    drawn = _draws(len(whole), max(1, DAY_H // step_h)) if long else np.empty((0, len(part)), int)
    hours = _hours(recent, whole) if long and step_h == 1 else None
    slots = [series["time"].dt.day_of_week.rename("day"), series["time"].dt.hour.rename("hour")]
    return Usage(
        log=log,
        fields=pd.DataFrame([*_fields(part, span_h, drawn, step_h), _in_use(hours), _growth(body, step_h)]),
        hours=hours,
        series=series,
        gaps=gaps,
        profile=series.groupby(slots)["load"].mean().reset_index(),
        counted="requests" if log.hours["requests"].notna().any() else "tokens",
        per_month={name: float(part[name].sum()) / span_h * HOURS_PER_MONTH for name in COUNTS},
    )


def _hours(recent: pd.DataFrame, whole: pd.DataFrame) -> Array:
    """Load of each hour in order; of whole weeks one that is missing is as the same hour of the week is on average."""
    if len(recent) % WEEK_H:
        return whole["load"].to_numpy(float)
    load = whole["load"].reindex(recent.index)
    usual = load.groupby(np.arange(len(load)) % WEEK_H).transform("mean")
    return load.fillna(usual).fillna(load.mean()).to_numpy(float)


def _in_use(hours: Array | None) -> dict[str, Any]:
    """Hours of the week that are not silent in every week."""
    if hours is None or len(hours) % WEEK_H:
        return _field("hours_per_week", np.array([np.nan]), "not known: it takes a whole week of rows of an hour")
    used = hours.reshape(-1, WEEK_H).any(axis=0).sum()
    return _field("hours_per_week", np.array([float(used)]), f"{len(hours) // WEEK_H} weeks")


def _series(log: Log, step_h: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every hour (or longer step) of a log: time, counts, load, state; and what is missing: start, end, hours."""
    first = int(log.hours.index[0])
    # rows of a day of a local clock are an hour early or late for half of the year
    series = log.hours.groupby(first + (log.hours.index - first + step_h // 2) // step_h * step_h).sum(min_count=1)
    series = series.reindex(range(first, max(int(log.hours.index[-1]), int(series.index[-1])) + 1, step_h))
    time = pd.to_datetime(series.index * HOUR, unit="us", utc=True)
    tokens = series["input"].add(series["output"], fill_value=0)
    load = series["requests"] if series["requests"].notna().any() else tokens
    series = series.assign(time=time if log.relative else time.tz_convert(log.zone), load=load, state="measured")
    absent = load.isna()
    lost = _lost(series, absent, log.relative, step_h)
    known = [name for name in [*COUNTS, "with_input", "with_output", "load"] if series[name].notna().any()]
    series.loc[absent & ~lost, known] = 0.0
    series.loc[absent, "state"] = np.where(lost[absent], "missing", "idle")
    if log.step_h < 1 and len(series) > DAY_H:
        edges = [place for place, us in ((0, log.first_us), (-1, log.last_us)) if us % HOUR or not log.step_h]
        series.iloc[edges, series.columns.get_loc("state")] = "partial"
        series.iloc[edges, series.columns.get_loc("load")] = np.nan
    runs = series[lost].groupby((~lost).cumsum()[lost])["time"].agg(["min", "max", "size"])
    step = pd.Timedelta(hours=step_h)
    gaps = pd.DataFrame({"start": runs["min"], "end": runs["max"] + step, "hours": runs["size"] * step_h})
    return series.reset_index(drop=True), gaps.reset_index(drop=True)


def _lost(series: pd.DataFrame, absent: pd.Series, relative: bool, step_h: int) -> pd.Series:
    """Whether an hour without a row is missing: a run of them in which so little as nothing would come about by chance.

    What is usual is the median of the same hour of the week, or of working days or weekends in a file of less than four
    weeks. Where a short file does not say when it began, an hour without a row is idle.
    """
    day, hour = series["time"].dt.day_of_week, series["time"].dt.hour
    if len(series) * step_h < FEWEST_WEEKS * WEEK_H:
        if relative:
            return absent & False
        day = day >= SATURDAY
    usual = series["load"].fillna(0.0).groupby([day, hour]).transform("median")
    run = (~absent).cumsum()
    return absent & (usual.where(absent, 0.0).groupby(run).transform("sum") > -np.log(RARE))


SATURDAY = 5
"""Its number among the days of a week, Monday being 0."""


def _draws(number: int, block: int) -> Array:
    """Places of resampled series over (draw, place): circular blocks of a day (Politis and Romano 1992).

    A day as a block keeps the hours of a day together, which resampling single hours would not.
    """
    starts = np.random.default_rng(SEED).integers(0, number, (DRAWS, -(-number // block)))
    places: Array = (starts[:, :, None] + np.arange(block)) % number
    return places.reshape(DRAWS, -1)[:, :number]


def _fields(part: pd.DataFrame, span_h: float, drawn: Array, step_h: int) -> list[dict[str, Any]]:
    """The fields but for growth, with ranges where there are draws."""
    counts = part[[*COUNTS, "with_input", "with_output"]].to_numpy(float)
    counts = np.where(np.isnan(counts).all(axis=0), np.nan, np.nan_to_num(counts))
    seen = f"{span_h:,.0f} hours" if span_h >= DAY_H else f"{span_h:.2g} hours, too few for a range"
    total = np.concatenate([counts.sum(axis=0)[None], counts[drawn].sum(axis=1)])
    requests, prompt, answer, cached, prompts, answers = total.T
    load = part["load"].to_numpy(float)
    spread = np.concatenate([load[None], load[drawn]])
    with np.errstate(divide="ignore", invalid="ignore"):
        peak = np.quantile(spread, PEAK_QUANTILE, axis=1) / spread.mean(axis=1)
        found = {
            "requests_per_month": requests / span_h * HOURS_PER_MONTH,
            "input_tokens": prompt / prompts,
            "output_tokens": answer / answers,
            "cached_share": cached / prompt,
        }
    rows = [
        _field(name, values, seen if np.isfinite(values[0]) else "not in the file") for name, values in found.items()
    ]
    if step_h > 1 or not len(drawn):
        why = f"a row stands for {step_h} hours" if step_h > 1 else f"it takes {SHORTEST_H} whole hours"
        return [*rows, _field("spikiness", np.array([np.nan]), f"not known: {why}")]
    if peak[0] < 1:
        why = "less than one hour in a hundred has most of the load, so its p99 says nothing; the hours do"
        return [*rows, _field("spikiness", np.array([np.nan]), f"not known: {why}")]
    return [
        *rows,
        _field("spikiness", np.maximum(peak, 1.0), seen + ("" if span_h >= WEEK_H else ": not a whole week")),
    ]


def _field(name: str, values: Array, seen: str) -> dict[str, Any]:
    """A field from its value and those of the draws; a draw of quiet hours alone has none."""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.quantile(drawn, [(1 - COVER) / 2, (1 + COVER) / 2]) if len(drawn) else (np.nan, np.nan)
    return {"field": name, "value": float(values[0]), "low": float(low), "high": float(high), "seen": seen}


def _growth(series: pd.DataFrame, step_h: int) -> dict[str, Any]:
    """Growth a month: the median slope between the logarithms of whole weeks (Theil and Sen), with its range."""
    from scipy.stats import theilslopes

    steps = WEEK_H // step_h
    week = (len(series) - 1 - np.arange(len(series))) // steps
    weeks = series.loc[week < len(series) // steps, "load"].groupby(week[week < len(series) // steps]).mean()
    weeks = weeks[weeks > 0]
    if len(weeks) < FEWEST_WEEKS:
        nothing = f"not known: it takes {FEWEST_WEEKS} whole weeks"
        return _field("growth_per_month", np.array([np.nan]), nothing)
    months = -weeks.index.to_numpy(float) * WEEK_H / HOURS_PER_MONTH
    slope, _, low, high = theilslopes(np.log(weeks.to_numpy(float)), months, COVER)
    value, low, high = np.expm1([slope, low, high])
    return {"field": "growth_per_month", "value": value, "low": low, "high": high, "seen": f"{len(weeks)} weeks"}
