"""Logs: the rows of a file counted by the hour, with what could not be read, by reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from .layouts import COUNTS, UNITS, Layout, UsageError, choose, paths
from .logfile import Source, opened

SECOND = 1_000_000
HOUR = 3_600 * SECOND
"""Microseconds of a second and of an hour."""

MONDAY = 96 * HOUR
"""A Monday, 5 January 1970: an unknown start is taken to be there."""

SINCE, UNTIL = 946_684_800 * SECOND, 4_102_444_800 * SECOND
"""1 January 2000 and 2100: a time outside is a mistake, and a smaller number of seconds counts from a start."""

LARGEST = 1e15
"""A count above is a mistake."""


REASONS = (
    "",
    "line is not JSON",
    "no call of a model",
    "no time",
    "time not understood",
    "time before 2000 or after 2100",
    *(f"{count}: not a number from 0 up" for count in ("requests", "input tokens", "output tokens", "cached tokens")),
    "no tokens",
    "first reading of a counter",
)
"""Why a row cannot be used, by the number it has in SQL; 0 is a row that can."""


@dataclass(frozen=True)
class Log:
    """What was read of a file.

    `hours`: requests, input, output and cached tokens by hour, counted from 1970 in UTC; NaN in a column the file does
    not have. `prompts`, `answers`: requests by their number of tokens, of a log of requests. `bad`: rows that cannot be
    used, by reason. `repeats` came again and were left out, or kept where `kept`; `late` stood after a later one;
    `resets` is how often a counter began again. `step_h`: time a row stands for [hour], 0 for a request.
    """

    layout: Layout
    zone: str
    relative: bool
    hours: pd.DataFrame
    prompts: pd.Series
    answers: pd.Series
    bad: Mapping[str, int]
    rows: int
    repeats: int
    kept: bool
    late: int
    resets: int
    step_h: float
    first_us: int
    last_us: int


def read(given: Path | bytes, columns: Mapping[str, str] | None = None, time_zone: str = "UTC") -> Log:
    """Read a log or an export by the layout it has, or by the columns somebody names (see `layouts.choose`).

    `time_zone` holds for times that do not say theirs. Every row that cannot be used is counted in `bad`. A row that
    comes again, by its id or else in every column, counts once; but rows of a log without ids whose times are whole
    seconds are kept, because two requests may well look the same. Refuses with `UsageError` what is no such file, an
    unknown layout, and a file without two usable rows at different times.
    """
    if time_zone not in available_timezones():
        raise UsageError(f"no time zone {time_zone[:60]!r}; write it as Europe/Berlin, or UTC")
    with opened(given) as source:
        layout = choose(source.names, columns or {})
        source.connection.execute(f"SET TimeZone = '{time_zone}'")
        source.unnest(layout)
        unit, relative = _unit(source, layout)
        rows = _rows(source, layout, unit, relative, time_zone)
        step = _step(source, layout, rows)
        found = source.frame(_counted(rows, layout, step))
        return _log(found, source.rejected(), layout, time_zone, relative, step)


def _unit(source: Source, layout: Layout) -> tuple[str, bool]:
    """The unit of a time that is a number, "" for one in words, and whether it counts from an unknown start."""
    if layout.source and layout.unit:
        return layout.unit, layout.relative
    time = source.text(paths(layout.time)[0])
    some = source.frame(f"SELECT try_cast({time} AS DOUBLE) AS at FROM {source.relation} LIMIT 1000")["at"]
    if some.notna().sum() <= len(some) / 2:
        return "", False
    size = float(some.abs().max())
    unit = layout.unit or min((u for u in UNITS if size * UNITS[u] < UNTIL), key=lambda u: -UNITS[u], default="ns")
    return unit, size * UNITS[unit] < SINCE


def _rows(source: Source, layout: Layout, unit: str, relative: bool, zone: str) -> str:
    """SQL of the rows: time and end [microsecond], hashes of row and series, counts, why it cannot be used.

    The last is a place in `REASONS`; of several reasons the first in their order is told.
    """

    def micros(text: str) -> str:
        if not unit:
            return f"epoch_us(try_cast({text} AS {'TIMESTAMP' if zone == 'UTC' else 'TIMESTAMPTZ'}))"
        return f"try_cast(try_cast({text} AS DOUBLE) * {UNITS[unit]} + {MONDAY * relative} AS BIGINT)"

    time, *end = (source.text(path) for role in ("time", "end") for path in paths(getattr(layout, role)))
    known = {role: [source.text(path) for path in paths(getattr(layout, role))] for role in COUNTS}
    name = f"hash({source.text(paths(layout.id)[0])})" if layout.id else "0"
    row = name if layout.id and layout.counting != "counter" else f"hash({source.row})"
    texts = []
    for role, found in known.items():
        # a stretch of time for which nothing is counted had none
        none = "0" if found and layout.buckets else "NULL"
        count = _count(found, isinstance(getattr(layout, role), dict))
        texts.append(f"coalesce({count}, {none}) AS {role}, {_wrong(found)} AS {role}_wrong")
    torn = f"{source.objects[0]} IS NULL" if source.objects else "false"
    said = f"{torn} AS torn, {_other(source, layout)} AS other, {time} IS NULL AS timeless"
    tests = ["torn", "other", "timeless", "us IS NULL", "false" if relative else f"us NOT BETWEEN {SINCE} AND {UNTIL}"]
    tests += [f"{role}_wrong" for role in COUNTS]
    given = " AND ".join(f"{role} IS NULL" for role in COUNTS if known[role])
    tests.append(given if given and not layout.buckets else "false")
    why = " ".join(f"WHEN {test} THEN {number}" for number, test in enumerate(tests, start=1))
    return (
        f"(SELECT us, until, row, name, {', '.join(COUNTS)}, CAST(CASE {why} ELSE 0 END AS UTINYINT) AS why FROM "
        f"(SELECT {micros(time)} AS us, {micros(end[0]) if end else 'NULL'} AS until, {row} AS row, {name} AS name, "
        f"{said}, {', '.join(texts)} FROM {source.relation}))"
    )


def _count(texts: list[str], summed: bool) -> str:
    """SQL of a count: the first there is, or the sum of those there are."""
    if not summed:
        return f"try_cast(coalesce({', '.join([*texts, 'NULL'])}) AS DOUBLE)"
    total = " + ".join(f"coalesce(try_cast({text} AS DOUBLE), 0)" for text in texts)
    return f"CASE WHEN coalesce({', '.join(texts)}) IS NOT NULL THEN {total} END"


def _wrong(texts: list[str]) -> str:
    """SQL of whether a text is there that is no count."""
    count = "coalesce(try_cast({0} AS DOUBLE) BETWEEN 0 AND {1}, {0} IS NULL)"
    return " OR ".join(f"NOT {count.format(text, LARGEST)}" for text in texts) or "false"


def _other(source: Source, layout: Layout) -> str:
    """SQL of whether a row is none of those the layout is about."""
    kept = (
        f"coalesce({source.text(column)} NOT IN ({', '.join(map(source.value, values))}), true)"
        for column, values in (layout.only or {}).items()
    )
    return " OR ".join(kept) or "false"


def _step(source: Source, layout: Layout, rows: str) -> int:
    """The time a row stands for [microsecond]: to its end, or else the least between two times; 0 for a request."""
    if not layout.buckets:
        return 0
    ends = "SELECT DISTINCT us, until FROM " + rows + " WHERE why = 0"
    apart = "coalesce(until - us, lead(us) OVER (ORDER BY us) - us)"
    least = f"SELECT min(apart) AS step FROM (SELECT {apart} AS apart FROM ({ends})) WHERE apart > 0"
    step = source.frame(least)["step"].iloc[0]
    return 0 if pd.isna(step) else int(step)


def _counted(rows: str, layout: Layout, step: int) -> str:
    """SQL of the counts by hour, and of requests by their tokens, once for each row and with its repeats."""
    sql = rows
    if layout.counting == "counter":
        sql = _increases(rows)
    elif layout.counting == "rate":
        sql = f"(SELECT * REPLACE (requests * {step / SECOND} AS requests) FROM {rows})"
    requests = "requests" if layout.requests else "CAST(NULL AS DOUBLE)" if layout.buckets else "1.0"
    resets = "resets" if layout.counting == "counter" else "0"
    each = ", ".join(f"any_value({name}) AS {name}" for name in ("us", "input", "output", "cached", "why"))
    once = (
        f"SELECT {each}, any_value({requests}) AS requests, any_value({resets}) AS resets, count(*) AS times, "
        f"sum(late) AS late FROM (SELECT *, CAST(us < lag(us) OVER () AS INTEGER) AS late FROM {sql}) GROUP BY row"
    )
    sums = ", ".join(f"sum({name}) AS {name}_once, sum({name} * times) AS {name}_all" for name in COUNTS)
    return (
        "SELECT why, hour, grouping(hour, input, output) AS kind, input AS prompt, output AS answer, count(*) AS once, "
        "sum(times) AS times, sum(late) AS late, sum(resets) AS resets, min(us) AS first, max(us) AS last, "
        f"max(CAST(us % {SECOND} <> 0 AS INTEGER)) AS fine, {sums} FROM (SELECT *, us // {HOUR} AS hour FROM ({once})) "
        "GROUP BY GROUPING SETS ((why, hour), (why, input), (why, output))"
    )


def _increases(rows: str) -> str:
    """SQL of what counters grew by since the reading before; one that is lower than before has begun again at zero."""
    before = ", ".join(f"lag({name}) OVER w AS {name}_before" for name in ("us", *COUNTS))
    grown = ", ".join(f"{c} - CASE WHEN {c} < {c}_before THEN 0 ELSE {c}_before END AS {c}" for c in COUNTS)
    first = f"us_before IS NULL OR us - us_before > {HOUR}"
    return (
        f"(SELECT * REPLACE ({grown}, CASE WHEN why = 0 AND ({first}) THEN {len(REASONS) - 1} ELSE why END "
        "AS why), CAST(requests < requests_before AS INTEGER) AS resets FROM "
        f"(SELECT *, {before} FROM {rows} WINDOW w AS (PARTITION BY name, why = 0 ORDER BY us)))"
    )


def _log(found: pd.DataFrame, torn: Mapping[str, int], layout: Layout, zone: str, relative: bool, step: int) -> Log:
    """The log of what SQL counted; refuses one in which there is no load."""
    found = found.assign(times=found["times"].astype(int), once=found["once"].astype(int))
    by_hour = found[found["kind"] == KINDS["hour"]]
    good, bad = by_hour[by_hour["why"] == 0], by_hour[by_hour["why"] > 0].groupby("why")["times"].sum()
    reasons = {layout.without_tokens if REASONS[why] == "no tokens" else REASONS[why]: int(n) for why, n in bad.items()}
    reasons |= torn
    if good.empty or good["first"].min() == good["last"].max():
        told = "; ".join(f"{reason}: {number:,}" for reason, number in reasons.items())
        raise UsageError(f"the file has no two usable rows at different times ({told or 'all have the same time'})")
    # two requests of a log without ids may well look the same where times are whole seconds
    kept = not layout.id and not layout.buckets and not good["fine"].any()
    sums = {name: good[f"{name}_all" if kept else f"{name}_once"].to_numpy(float) for name in COUNTS}
    if not any(np.nansum(sums[name]) for name in COUNTS):
        raise UsageError(f"every count in the file is zero ({good['times'].sum():,} rows), so there is no load to see")
    return Log(
        layout=layout,
        zone=zone,
        relative=relative,
        hours=pd.DataFrame(sums, good["hour"].to_numpy(int)).sort_index(),
        prompts=_by_tokens(found[:0] if layout.buckets else found, "prompt", kept),
        answers=_by_tokens(found[:0] if layout.buckets else found, "answer", kept),
        bad=reasons,
        rows=int(by_hour["times"].sum()) + sum(torn.values()),
        repeats=int((good["times"] - good["once"]).sum()),
        kept=kept,
        late=int(good["late"].sum()),
        resets=int(good["resets"].sum()),
        step_h=step / HOUR,
        first_us=int(good["first"].min()),
        last_us=int(good["last"].max()) + step,
    )


KINDS = {"hour": 0b011, "prompt": 0b101, "answer": 0b110}
"""What the bits of SQL's grouping() say a row of the counts is of: those that are set are summed over."""


def _by_tokens(found: pd.DataFrame, which: str, kept: bool) -> pd.Series:
    """Requests by their number of tokens, of the rows that can be used."""
    some = found[(found["kind"] == KINDS[which]) & (found["why"] == 0) & found[which].notna()].sort_values(which)
    return pd.Series(some["times" if kept else "once"].to_numpy(float), some[which].to_numpy(float))
