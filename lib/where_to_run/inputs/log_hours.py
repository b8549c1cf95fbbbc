"""Log hours: the rows of a file counted by the hour, with what could not be read, by reason."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pandas as pd

from .log_file import MOST_LOOKED, Source, none, number, opened, quoted
from .log_formats import COUNTS, Column, Layout, UsageError, choose, paths
from .log_times import HOUR, MOST, SECOND, SINCE, UNTIL, Times, told

WORDS = ("requests", "input tokens", "output tokens", "cached tokens")

UNUSABLE = (
    "line is not JSON",
    "no time",
    "time not understood",
    "time before 2000 or after 2100",
    *(f"{count}: not a number from 0 up" for count in WORDS),
    "tokens of a request are not whole",
    "more tokens from the cache than came in",
)
ASIDE = (
    "no call of a model",
    "no tokens",
    "no answer: failed, or no call of a model that writes",
    "a sum over calls that are rows of their own",
    "first reading of a counter",
    "cut short: not as long as the other rows",
    "an hour that comes twice on a local clock",
)
REASONS = ("", *UNUSABLE, *ASIDE)
"""Why a row cannot be used, or is none to be counted, by the number it has in SQL; 0 is a row that can."""

AT = {reason: place for place, reason in enumerate(REASONS)}
IMPOSSIBLE, CALL, NOTHING, FAILED, SUM, FIRST, CUT, TWICE = (AT[reason] for reason in (UNUSABLE[-1], *ASIDE))

MOST_IMPOSSIBLE = 0.01
"""Share of the rows with more cached than input from which on the input of all may be without what was cached."""

MOST_VERSIONS = 20
"""Rows a request may come in, as it is streamed; an id that comes oftener is of something else."""

FEWEST = 10
"""Readings up to which nothing is said of how even they are."""

SHOWN = 5
"""First rows that are shown as they were understood."""


@dataclass(frozen=True)
class Log:
    """What was read of a file.

    `hours`: requests, input, output and cached tokens by hour, counted from 1970 in UTC, and the requests whose input
    and whose output is known; NaN in a column the file does not have. `prompts`, `answers`: requests by their number of
    tokens, of a log of requests. `bad`: rows that are not counted, by reason. `repeats`: older versions of a request,
    which are not counted; `equal`: rows without an id that look the same, and are. `late` stood after a later one;
    `resets` is how often a counter began again. `step_h`: time a row stands for [hour], 0 for a request. `first`: the
    first rows as they were understood. `absent`: columns of a sum that the file does not have.
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
    equal: int
    late: int
    resets: int
    step_h: float
    first_us: int
    last_us: int
    first: pd.DataFrame
    absent: tuple[str, ...]
    file: str


def read(given: Path | bytes, columns: Mapping[str, Column] | None = None, time_zone: str = "UTC") -> Log:
    """Read a log or an export by the layout it has, or by the columns somebody names (see `log_formats.choose`).

    `time_zone` holds for times that do not say theirs. Every row that cannot be used is counted in `bad`. Of a request
    that comes again by its id the latest row counts; a row without an id is a row. Refuses with `UsageError` what is no
    such file, an unknown layout, numbers and times that may mean several things, more than a fifth of the rows
    unusable, and a file without two usable rows at different times.
    """
    if not isinstance(time_zone, str) or time_zone not in available_timezones():
        raise UsageError(f"no time zone {str(time_zone)[:60]!r}; write it as Europe/Berlin, or UTC")
    with opened(given) as source:
        source.connection.execute(f"SET TimeZone = {quoted(time_zone)}")
        layout, under = choose(source, {} if columns is None else columns)
        layout, absent = _expanded(source, layout)
        source.take(under, layout.wanted)
        times = told(source, layout, source.text(paths(layout.time)[0]), time_zone)
        for role in COUNTS:
            _plain(source, layout, role)
        source.connection.execute(f"CREATE TEMP TABLE raw AS {_raw(source, layout, times, source.rows)}")
        _not_in_file(source, layout)
        repeats, equal = _repeats(source, layout)
        step = _set_aside(source, layout)
        source.connection.execute(f"CREATE TEMP VIEW counted AS {_counted(layout, step)}")
        return _log(
            source, layout, times, step, {"repeats": repeats, "equal": equal, "absent": absent, "file": _name(given)}
        )


def _name(given: Path | bytes) -> str:
    return given.name if isinstance(given, Path) else ""


def _expanded(source: Source, layout: Layout) -> tuple[Layout, tuple[str, ...]]:
    """The layout with the columns of this file in its sums, and those it lacks."""
    changed: dict[str, Any] = {}
    absent: list[str] = []
    for role in COUNTS:
        column = getattr(layout, role)
        if isinstance(column, dict):
            parts = []
            for path in column["sum"]:
                some = [name for name in source.names if path.strip("*") in name] if path[0] == "*" else [path]
                parts += some
                absent += [p for p in some if " > " not in p and p not in source.names and source.whole]
            changed[role] = {"sum": parts}
    return replace(layout, **changed), tuple(absent)


def _plain(source: Source, layout: Layout, role: str) -> None:
    """Refuse numbers with marks between thousands, which are guessed wrongly; asked back with an example."""
    for text in (source.text(path) for path in paths(getattr(layout, role)) if "*" not in path):
        marked = f"regexp_matches({text}, '^\\s*[1-9]\\d{{0,2}}([., ''’\u00a0\u202f_]\\d{{3}})+(,\\d+)?\\s*$')"
        dotted = f"regexp_matches({text}, '^\\s*\\d+\\.\\d+\\s*$')"
        sql = f"SELECT any_value({text}) FILTER (WHERE {marked}), bool_and({marked}) FILTER (WHERE {dotted}), "
        sql += (
            f"bool_or({marked} AND NOT {dotted}) FROM (FROM {source.few} WHERE {text} IS NOT NULL LIMIT {MOST_LOOKED})"
        )
        example, dots, others = source.one(sql)
        if others or (dots and layout.counting != "rate"):
            what = WORDS[COUNTS.index(role)]
            asked = f"{what} are written as {example.strip()[:40]}, which may be a number with thousands"
            raise UsageError(
                f"{asked} apart; write numbers without marks between thousands, and a point before decimals"
            )


def _raw(source: Source, layout: Layout, times: Times, rows: str, more: str = "") -> str:
    """SQL of the rows: time and end [microsecond], hashes of id, parent and row, counts, why it cannot be used.

    `late` says whether it stands after a later one.
    """
    time, end = (source.text(paths(column)[0]) if column else "NULL" for column in (layout.time, layout.end))
    name, parent = (_id(source, column) for column in (layout.id, layout.parent))
    counts = ", ".join(_count(source, layout, role) for role in COUNTS)
    twice = times.twice(time) if layout.counting == "counter" else "false"
    numbers = dict.fromkeys(source.text(path) for role in COUNTS for path in paths(getattr(layout, role)))
    rows = f"(SELECT *{''.join(f', try_cast({text} AS DOUBLE) AS n{text}' for text in numbers)} FROM {rows})"
    inner = f"""
        SELECT *, {times.micros(time)} AS us, {times.micros(end) if layout.end else "NULL::BIGINT"} AS until,
            {name} AS name, {parent} AS parent, {twice} AS twice, {counts}
        FROM {rows}"""
    kept = ", ".join(("us", "until", "name", "parent", "whole", *COUNTS))
    return f"""
        SELECT {more} {kept}, CAST({_why(source, layout, times)} AS UTINYINT) AS why,
            coalesce(us < lag(us) OVER (), false) AS late
        FROM ({inner})"""


def _id(source: Source, column: Column) -> str:
    """SQL of the hash of an id, NULL where there is none or a word says so."""
    if not column:
        return "NULL::UBIGINT"
    text = source.text(paths(column)[0])
    return f"CASE WHEN NOT {none(text)} THEN hash({text}) END"


def _why(source: Source, layout: Layout, times: Times) -> str:
    """SQL of why a row cannot be used, a place in `REASONS`: of several the first in this order."""
    time = source.text(paths(layout.time)[0])
    there = [role for role in COUNTS if getattr(layout, role)]
    nothing = " AND ".join(f"coalesce({role}, 0) = 0" for role in there if role != "cached")
    broken = " OR ".join(f"{role} <> floor({role})" for role in there) or "false"
    request = not layout.buckets
    tests = {
        "torn": AT["line is not JSON"],
        _other(source, layout): CALL,
        f"CASE WHEN us IS NULL THEN {time} IS NULL OR {none(time)} END": AT["no time"],
        "us IS NULL": AT["time not understood"],
        "false" if times.since else f"us NOT BETWEEN {SINCE} AND {UNTIL}": AT["time before 2000 or after 2100"],
        **{f"isnan({role})": AT[f"{words}: not a number from 0 up"] for role, words in zip(COUNTS, WORDS, strict=True)},
        f"{request} AND ({broken})": AT["tokens of a request are not whole"],
        nothing if nothing and request else "false AND 1": NOTHING,
        f"{request} AND output = 0": FAILED,
        "cached > input" if layout.counting == "rows" else "1 = 0": IMPOSSIBLE,
        "twice": TWICE,
    }
    return f"CASE {' '.join(f'WHEN {test} THEN {n}' for test, n in tests.items())} ELSE 0 END"


def _count(source: Source, layout: Layout, role: str) -> str:
    """SQL of a count: the greatest there is, or the sum of those there are; NaN where one is no count."""
    column = getattr(layout, role)
    numbers = ", ".join(number(source.text(path), f"n{source.text(path)}") for path in paths(column)) or "NULL"
    found = f"list_sum([{numbers}])" if isinstance(column, dict) else f"greatest({numbers}, NULL)"
    # a stretch of time for which nothing is counted had none
    zero = "0" if column and layout.buckets and layout.counting == "rows" else "NULL"
    return f"CAST(coalesce({found}, {zero}) AS DOUBLE) AS {role}"


def _other(source: Source, layout: Layout) -> str:
    """SQL of whether a row is none of those the layout is about."""
    kept = [
        f"coalesce({source.text(column)} NOT IN ({', '.join(map(quoted, values))}), true)"
        for column, values in (layout.only or {}).items()
    ]
    skipped = [
        f"coalesce(contains(lower({source.text(column)}), {quoted(word.lower())}), false)"
        for column, words in (layout.skip or {}).items()
        for word in words
    ]
    return " OR ".join([*kept, *skipped]) or "0 = 1"


def _not_in_file(source: Source, layout: Layout) -> None:
    """Refuse a column somebody named that no row of JSON had."""
    for role in COUNTS if layout.name == "named" and not layout.buckets else ():
        if getattr(layout, role) and not source.one(f"SELECT count({role}) FROM raw")[0]:
            told_of = ", ".join(paths(getattr(layout, role)))
            raise UsageError(
                f"nothing in the file under {told_of[:60]!r} ({role}); it has: {', '.join(source.names[:30])}"
            )


def _repeats(source: Source, layout: Layout) -> tuple[int, int]:
    """Delete older versions of requests, and parts of a document that come again; how many, and equal rows that stay.

    Refuses ids that are none of requests, and files of which more than a fifth of the rows is there again.
    """
    (rows,) = source.one("SELECT count(*) FROM raw WHERE why = 0")
    if layout.buckets:
        # groups of a stretch of time may well be equal; the same place of the same object in a document is the same
        return (_delete(source, "whole", "whole IS NOT NULL") if source.nested else 0), 0
    if not layout.id or not source.one("SELECT count(name) FROM raw")[0]:
        (again, fine) = source.one(
            f"SELECT count(*) - count(DISTINCT whole), bool_or(us % {SECOND} <> 0) FROM raw WHERE why = 0"
        )
        if fine and again > MOST * rows:
            raise UsageError(
                f"{again:,} of {rows:,} rows are there more than once; name the column of the id of a request, or give "
                "every row once"
            )
        return 0, again
    groups = "SELECT name, count(*) AS times, max(us) - min(us) AS apart FROM raw WHERE name IS NOT NULL GROUP BY name"
    known = layout.name != "named"
    one = f"(times > 1 AND ({known} OR (times <= {MOST_VERSIONS} AND coalesce(apart, 0) <= {HOUR})))"
    source.connection.execute(f"CREATE TEMP TABLE ids AS SELECT *, {one} AS one FROM ({groups} HAVING count(*) > 1)")
    far, most = source.one("SELECT coalesce(sum(times), 0), max(times) FROM ids WHERE NOT one")
    if far > MOST * rows:
        raise UsageError(
            f"an id comes up to {most:,} times, or over more than an hour, so it is none of a request; name another "
            "column, or none"
        )
    return _delete(source, "name", "name IN (SELECT name FROM ids WHERE one)"), 0


def _delete(source: Source, key: str, where: str) -> int:
    """Delete all but the latest row that can be used of each key; how many."""
    latest = f"PARTITION BY {key} ORDER BY (why = 0) DESC, us DESC, output DESC, rowid DESC"
    places = f"SELECT rowid AS place, row_number() OVER ({latest}) AS n FROM raw WHERE {where}"
    (number_of,) = source.one(f"DELETE FROM raw WHERE rowid IN (SELECT place FROM ({places}) WHERE n > 1)")
    return int(number_of)


def _set_aside(source: Source, layout: Layout) -> int:
    """Set aside sums and rows that were cut; the time a row stands for [microsecond], 0 for a request with a time."""
    if layout.parent:
        source.connection.execute(f"""
            UPDATE raw SET why = {SUM} WHERE why = 0 AND name IN (
                WITH RECURSIVE above(name) AS (
                    SELECT parent FROM raw WHERE why = 0 AND parent IS NOT NULL
                    UNION SELECT raw.parent FROM raw JOIN above ON raw.name = above.name WHERE raw.parent IS NOT NULL)
                SELECT name FROM above)""")
    if not layout.buckets:
        return _coarse(source)
    if layout.counting != "rows":
        # of two readings of a counter at one time, in the hour that comes twice, the smaller is an hour earlier
        source.connection.execute(f"""
            UPDATE raw SET us = us - {HOUR} WHERE why = {TWICE} AND EXISTS (FROM raw AS other WHERE other.us = raw.us
                AND other.name IS NOT DISTINCT FROM raw.name AND other.requests > raw.requests)""")
        source.connection.execute(f"UPDATE raw SET why = 0 WHERE why = {TWICE}")
        return _even(source, layout)
    if layout.end:
        (step,) = source.one("SELECT median(until - us) FROM raw WHERE why = 0 AND until > us")
        if step:
            off = f"(until - us NOT BETWEEN {0.9 * step} AND {1.1 * step})"
            return _cut(source, f"coalesce({off}, false)", int(step))
    apart, first = source.one(f"SELECT quantile_disc(d, {MOST}), first(d ORDER BY us) FROM ({_distances()})")
    if apart and first < 0.9 * apart:
        _cut(source, "us = (SELECT min(us) FROM raw WHERE why = 0)", apart)
    return int(apart or 0)


def _distances() -> str:
    times = "SELECT DISTINCT us FROM raw WHERE why = 0"
    return f"SELECT us, d FROM (SELECT us, lead(us) OVER (ORDER BY us) - us AS d FROM ({times})) WHERE d IS NOT NULL"


def _cut(source: Source, where: str, step: int) -> int:
    cut, rows, least, most = source.one(
        f"SELECT count(DISTINCT us) FILTER (WHERE {where}), count(DISTINCT us), min(until - us), max(until - us) "
        "FROM raw WHERE why = 0"
    )
    if cut > max(MOST * rows, 2):
        raise UsageError(
            f"rows stand for between {least / HOUR:,.2f} and {most / HOUR:,.2f} hours; give an export of one length"
        )
    source.connection.execute(f"UPDATE raw SET why = {CUT} WHERE why = 0 AND {where}")
    return step


def _coarse(source: Source) -> int:
    """Days (or more) that the times of requests are rounded to [microsecond], 0 where they say the hour."""
    if not source.one(f"SELECT min(us % {HOUR}) = max(us % {HOUR}) FROM raw WHERE why = 0")[0]:
        return 0
    apart, times, clocks = source.one(
        f"SELECT quantile_disc(d, {MOST}), count(*), count(DISTINCT us % {24 * HOUR}) FROM ({_distances()})"
    )
    (rows,) = source.one("SELECT count(*) FROM raw WHERE why = 0")
    rounded = apart and apart >= 1.5 * HOUR and times > 1 and (rows >= 2 * times or (clocks <= 2 and times > SHOWN))
    return int(apart) if rounded else 0


def _even(source: Source, layout: Layout) -> int:
    """The usual time between two readings of a series [microsecond]; refuses what looks like several in one."""
    apart = """FROM (SELECT requests, us - lag(us) OVER w AS d, requests < lag(requests) OVER w AS again
        FROM raw WHERE why = 0 WINDOW w AS (PARTITION BY name ORDER BY us)) WHERE d IS NOT NULL"""
    most, readings, again = source.one(f"SELECT quantile_disc(d, 0.8), count(*), count(*) FILTER (WHERE again) {apart}")
    if not readings:
        return 0
    usual, short = source.one(f"SELECT quantile_disc(d, 0.5), avg(if(d < {most / 2}, 1, 0)) {apart}")
    resets = layout.counting == "counter" and again > max(3, readings / 20)
    if (short > MOST and readings > FEWEST) or resets:
        what = f"a counter begins again {again:,} times" if resets else "readings are not evenly apart"
        raise UsageError(
            f"{what} in {readings:,} readings: several series in one? Name the column that tells them apart (id)"
        )
    return int(usual)


def _counted(layout: Layout, step: int) -> str:
    """SQL of the rows with what was requested in each; `again`: its counter began again."""
    by = "WINDOW w AS (PARTITION BY name, why = 0 ORDER BY us)"
    if layout.counting == "rate":
        # a reading holds until the next, and no longer than usual where one is missing
        apart = f"coalesce(lead(us) OVER w - us, {step})"
        seconds = f"if({apart} > {1.5 * step}, {step}, {apart}) / {SECOND}"
        held = ", ".join(f"{c} * {seconds} AS {c}" for c in COUNTS)
        return f"SELECT * REPLACE ({held}), false AS again FROM raw {by}"
    if layout.counting == "counter":
        grown = ", ".join(
            f"{c} - CASE WHEN {c} < lag({c}) OVER w THEN 0 ELSE lag({c}) OVER w END AS {c}" for c in COUNTS
        )
        apart = "us - lag(us) OVER w"
        first = f"why = 0 AND coalesce({apart} > {max(1.1 * HOUR, 1.5 * step)}, true)"
        why, middle = f"CASE WHEN {first} THEN {FIRST} ELSE why END AS why", f"us - coalesce({apart}, 0) // 2 AS us"
        return f"SELECT * REPLACE ({grown}, {why}, {middle}), requests < lag(requests) OVER w AS again FROM raw {by}"
    return f"SELECT * REPLACE ({'requests' if layout.buckets else '1.0'} AS requests), false AS again FROM raw"


def _log(source: Source, layout: Layout, times: Times, step: int, more: dict[str, Any]) -> Log:
    """The log of what was counted; refuses one in which there is no load, or too much that is not understood."""
    named = {"no tokens": layout.without_tokens, "no call of a model": "no call of a model"}
    bad = source.connection.execute("SELECT why, count(*) FROM counted WHERE why > 0 GROUP BY ALL ORDER BY ALL")
    counted = {REASONS[why]: int(rows) for why, rows in bad.fetchall()}
    first, last, rows, late, resets = source.one(
        f"SELECT min(us), max(coalesce(until, us + {step})), count(*) FILTER (WHERE why = 0), "
        f"count(*) FILTER (WHERE late), count(*) FILTER (WHERE again AND why = 0) FROM counted WHERE why IN (0, {CUT})"
    )
    counted = counted | source.torn
    reasons: dict[str, int] = {}
    for reason, number_of in counted.items():
        reasons[named.get(reason, reason)] = reasons.get(named.get(reason, reason), 0) + number_of
    _refuse(source, layout, times, counted, rows)
    moments = source.one("SELECT count(*) FROM (SELECT DISTINCT us FROM counted WHERE why = 0 LIMIT 2)")[0]
    if moments < 2:
        words = "; ".join(f"{reason}: {number_of:,}" for reason, number_of in reasons.items())
        raise UsageError(f"the file has no two usable rows at different times ({words or 'all have the same time'})")
    sums = ", ".join(f"sum({name}) AS {name}" for name in COUNTS)
    known = ", ".join(f"sum(requests) FILTER (WHERE {c} IS NOT NULL) AS with_{c}" for c in ("input", "output"))
    by_hour = f"SELECT us // {HOUR} AS hour, {sums}, {known} FROM counted WHERE why = 0 GROUP BY hour ORDER BY hour"
    hours = source.connection.execute(by_hour).df().set_index("hour").astype(float)
    if not hours[list(COUNTS)].to_numpy(na_value=0.0).any():
        raise UsageError(f"every count in the file is zero ({rows:,.0f} rows), so there is no load to see")
    return Log(
        layout=layout,
        zone=times.zone,
        relative=times.since,
        hours=hours,
        prompts=_by_tokens(source, layout, "input"),
        answers=_by_tokens(source, layout, "output"),
        bad=reasons,
        rows=int(rows) + sum(reasons.values()) + more["repeats"],
        late=int(late),
        resets=int(resets),
        step_h=step / HOUR,
        first_us=int(first),
        last_us=int(last),
        first=_first(source, layout, times),
        **more,
    )


def _refuse(source: Source, layout: Layout, times: Times, counted: Mapping[str, int], rows: int) -> None:
    """Refuse where too many rows are not understood, with one of them."""
    unusable = {reason: number_of for reason, number_of in counted.items() if reason not in ASIDE}
    all_rows = rows + sum(unusable.values())
    impossible = unusable.get(UNUSABLE[-1], 0) > MOST_IMPOSSIBLE * all_rows
    if not impossible and sum(unusable.values()) <= MOST * all_rows:
        return
    why = UNUSABLE[-1] if impossible else max(unusable, key=lambda reason: unusable[reason])
    texts = list(source.texts.values())
    raw = _raw(source, layout, times, source.few, ", ".join(texts) + ",")
    row = source.connection.execute(
        f"SELECT {', '.join(texts)} FROM ({raw}) WHERE why = {AT.get(why, -1)} LIMIT 1"
    ).fetchall()
    shown = zip(source.texts, row[0] if row else (), strict=False)
    example = (
        f", as in: {', '.join(f'{path} {text[:40]}' for path, text in shown if text is not None)[:300]}" if row else ""
    )
    words = "; ".join(f"{reason}: {number_of:,}" for reason, number_of in unusable.items())
    do = "name the input as the sum of both" if impossible else "give a file without them, or name other columns"
    do = "name the columns and the form of the time (%d.%m.%Y %H:%M)" if why.startswith("time not") else do
    raise UsageError(f"{sum(unusable.values()):,} of {all_rows:,} rows cannot be used ({words}){example}; {do}")


def _first(source: Source, layout: Layout, times: Times) -> pd.DataFrame:
    """The first rows: what is written in the file for the time, and the time [microsecond] and counts understood."""
    written = source.text(paths(layout.time)[0])
    raw = _raw(source, layout, times, source.few, f"{written} AS written,")
    counts = ", ".join(COUNTS)
    return source.connection.execute(f"SELECT written, us, {counts} FROM ({raw}) WHERE why = 0 LIMIT {SHOWN}").df()


def _by_tokens(source: Source, layout: Layout, which: str) -> pd.Series:
    """Requests by their number of tokens, of the rows that can be used; none of rows that are no requests."""
    usable = f"why = 0 AND {which} IS NOT NULL AND {not layout.buckets}"
    sql = f"SELECT {which}, count(*) FROM counted WHERE {usable} GROUP BY ALL ORDER BY ALL"
    tokens, numbers = source.connection.execute(sql).fetchnumpy().values()
    return pd.Series(numbers.astype(float), tokens)
