"""Log hours: the rows of a file counted by the hour, with what could not be read, by reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import available_timezones

import pandas as pd

from .log_file import Source, opened, quoted
from .log_formats import COUNTS, UNITS, Column, Layout, UsageError, choose, paths

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
    """Read a log or an export by the layout it has, or by the columns somebody names (see `log_formats.choose`).

    `time_zone` holds for times that do not say theirs. Every row that cannot be used is counted in `bad`. A row that
    comes again, by its id or else in every column, counts once; but rows of a log without ids whose times are whole
    seconds are kept, because two requests may well look the same. Refuses with `UsageError` what is no such file, an
    unknown layout, and a file without two usable rows at different times.
    """
    if time_zone not in available_timezones():
        raise UsageError(f"no time zone {time_zone[:60]!r}; write it as Europe/Berlin, or UTC")
    with opened(given) as source:
        layout = choose(source.names, columns or {})
        source.connection.execute(f"SET TimeZone = {quoted(time_zone)}")
        source.unnest(layout)
        unit, relative = _unit(source, layout)
        source.connection.execute(f"CREATE TEMP TABLE once AS {_once(source, layout, unit, relative, time_zone)}")
        step = _step(source, layout)
        source.connection.execute(f"CREATE TEMP VIEW counted AS {_counted(layout, step)}")
        return _log(source, layout, time_zone, relative, step)


def _unit(source: Source, layout: Layout) -> tuple[str, bool]:
    """The unit of a time that is a number, "" for one in words, and whether it counts from an unknown start."""
    time = source.text(paths(layout.time)[0])
    rows = f"{source.few or source.rows} WHERE {time} IS NOT NULL LIMIT 1000"
    few = f"SELECT try_cast({time} AS DOUBLE) AS size FROM {rows}"
    numbers, size = source.one(f"SELECT avg(if(isfinite(size), 1, 0)), median(abs(size)) FROM ({few})")
    if not numbers or numbers <= 1 / 2:
        return "", False
    unit = layout.unit or next((u for u in UNITS if size * UNITS[u] < UNTIL), "ns")
    return unit, size * UNITS[unit] < SINCE


def _once(source: Source, layout: Layout, unit: str, relative: bool, zone: str) -> str:
    """SQL of the rows, each once: time and end [microsecond], hash of its series, counts, why it cannot be used.

    `times` is how often it comes, `late` how often after a later one. Of a row that comes again by its id and differs,
    what can be used counts, and of that the least.
    """
    time, end = (_micros(source, column, unit, relative, zone) for column in (layout.time, layout.end))
    name = f"hash({source.text(paths(layout.id)[0])})" if layout.id else "0"
    row = name if layout.id and layout.counting != "counter" else f"hash({source.whole})"
    least = ", ".join(f"min({column}) AS {column}" for column in ("us", "until", "name", *COUNTS, "why"))
    return f"""
        SELECT {least}, count(*) AS times, count(*) FILTER (WHERE late) AS late
        FROM (
            SELECT *, {_why(source, layout, relative)} AS why, us < lag(us) OVER () AS late
            FROM (
                SELECT *, {time} AS us, {end} AS until, {row} AS row, {name} AS name,
                    {", ".join(_count(source, layout, role) for role in COUNTS)}
                FROM {source.rows}))
        GROUP BY row"""


def _micros(source: Source, column: Column, unit: str, relative: bool, zone: str) -> str:
    """SQL of a time [microsecond since 1970], NULL where there is none or it is not understood."""
    text = source.text(paths(column)[0]) if column else "NULL"
    if unit:
        return f"try_cast(try_cast({text} AS DOUBLE) * {UNITS[unit]} + {MONDAY * relative} AS BIGINT)"
    return f"epoch_us(try_cast({text} AS {'TIMESTAMP' if zone == 'UTC' else 'TIMESTAMPTZ'}))"


def _why(source: Source, layout: Layout, relative: bool) -> str:
    """SQL of why a row cannot be used, a place in `REASONS`: of several the first in their order."""
    nothing = " AND ".join(f"{role} IS NULL" for role in COUNTS if getattr(layout, role))
    tests = (
        f"{source.objects[0]} IS NULL" if source.objects else "false",
        _other(source, layout),
        f"{source.text(paths(layout.time)[0])} IS NULL",
        "us IS NULL",
        "false" if relative else f"us NOT BETWEEN {SINCE} AND {UNTIL}",
        *(f"isnan({role})" for role in COUNTS),
        nothing if nothing and not layout.buckets else "false",
    )
    return f"CASE {' '.join(f'WHEN {test} THEN {n}' for n, test in enumerate(tests, start=1))} ELSE 0 END"


def _count(source: Source, layout: Layout, role: str) -> str:
    """SQL of a count: the first there is, or the sum of those there are; NaN where one is no count."""
    column = getattr(layout, role)
    numbers = ", ".join(_number(source.text(path)) for path in paths(column)) or "NULL"
    found = f"list_sum([{numbers}])" if isinstance(column, dict) else f"coalesce({numbers}, NULL)"
    # a stretch of time for which nothing is counted had none
    return f"CAST(coalesce({found}, {'0' if column and layout.buckets else 'NULL'}) AS DOUBLE) AS {role}"


def _number(text: str) -> str:
    """SQL of the number in a text, NaN where it is no count."""
    number = f"try_cast({text} AS DOUBLE)"
    return f"CASE WHEN {number} BETWEEN 0 AND {LARGEST} THEN {number} WHEN {text} IS NOT NULL THEN 'nan' END"


def _other(source: Source, layout: Layout) -> str:
    """SQL of whether a row is none of those the layout is about."""
    kept = (
        f"coalesce({source.text(column)} NOT IN ({', '.join(map(quoted, values))}), true)"
        for column, values in (layout.only or {}).items()
    )
    return " OR ".join(kept) or "false"


def _step(source: Source, layout: Layout) -> int:
    """The time a row stands for [microsecond]: to its end, or else the least between two times; 0 for a request."""
    if not layout.buckets:
        return 0
    ends = "SELECT DISTINCT us, until FROM once WHERE why = 0"
    apart = f"SELECT coalesce(until - us, lead(us) OVER (ORDER BY us) - us) AS apart FROM ({ends})"
    return int(source.one(f"SELECT coalesce(min(apart), 0) FROM ({apart}) WHERE apart > 0")[0])


def _counted(layout: Layout, step: int) -> str:
    """SQL of the rows with what was requested in each, whatever its numbers say; `again`: its counter began again."""
    if layout.counting == "rate":
        return f"SELECT * REPLACE (requests * {step / SECOND} AS requests), false AS again FROM once"
    if layout.counting == "counter":
        grown = ", ".join(
            f"{c} - CASE WHEN {c} < lag({c}) OVER w THEN 0 ELSE lag({c}) OVER w END AS {c}" for c in COUNTS
        )
        first = f"why = 0 AND coalesce(us - lag(us) OVER w > {HOUR}, true)"
        return f"""
            SELECT * REPLACE ({grown}, CASE WHEN {first} THEN {len(REASONS) - 1} ELSE why END AS why),
                requests < lag(requests) OVER w AS again
            FROM once WINDOW w AS (PARTITION BY name, why = 0 ORDER BY us)"""
    requests = "requests" if layout.buckets else "1.0"
    return f"SELECT * REPLACE ({requests} AS requests), false AS again FROM once"


def _log(source: Source, layout: Layout, zone: str, relative: bool, step: int) -> Log:
    """The log of what was counted; refuses one in which there is no load."""
    named = {"no tokens": layout.without_tokens}
    bad = source.connection.execute("SELECT why, sum(times) FROM counted WHERE why > 0 GROUP BY ALL ORDER BY ALL")
    reasons = {named.get(REASONS[why], REASONS[why]): int(number) for why, number in bad.fetchall()} | source.torn
    first, last, rows, repeats, late, resets, fine = source.one(
        f"SELECT min(us), max(us), sum(times), sum(times - 1), sum(late), count(*) FILTER (WHERE again), "
        f"bool_or(us % {SECOND} <> 0) FROM counted WHERE why = 0"
    )
    if first == last:
        told = "; ".join(f"{reason}: {number:,}" for reason, number in reasons.items())
        raise UsageError(f"the file has no two usable rows at different times ({told or 'all have the same time'})")
    # two requests of a log without ids may well look the same where times are whole seconds
    kept = not layout.id and not layout.buckets and not fine
    weight = "times" if kept else "1"
    sums = ", ".join(f"sum({name} * {weight}) AS {name}" for name in COUNTS)
    by_hour = f"SELECT us // {HOUR} AS hour, {sums} FROM counted WHERE why = 0 GROUP BY hour ORDER BY hour"
    hours = source.connection.execute(by_hour).df().set_index("hour").astype(float)
    if not hours.to_numpy(na_value=0.0).any():
        raise UsageError(f"every count in the file is zero ({rows:,.0f} rows), so there is no load to see")
    return Log(
        layout=layout,
        zone=zone,
        relative=relative,
        hours=hours,
        prompts=_by_tokens(source, layout, "input", weight),
        answers=_by_tokens(source, layout, "output", weight),
        bad=reasons,
        rows=int(rows) + sum(reasons.values()),
        repeats=int(repeats),
        kept=kept,
        late=int(late),
        resets=int(resets),
        step_h=step / HOUR,
        first_us=int(first),
        last_us=int(last) + step,
    )


def _by_tokens(source: Source, layout: Layout, which: str, weight: str) -> pd.Series:
    """Requests by their number of tokens, of the rows that can be used; none of rows that are no requests."""
    usable = f"why = 0 AND {which} IS NOT NULL AND {not layout.buckets}"
    sql = f"SELECT {which}, sum({weight}) FROM counted WHERE {usable} GROUP BY ALL ORDER BY ALL"
    tokens, number = source.connection.execute(sql).fetchnumpy().values()
    return pd.Series(number.astype(float), tokens)
