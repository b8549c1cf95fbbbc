"""Log times: how a file writes its times, told from its first rows, and SQL that reads them."""

from dataclasses import dataclass
from itertools import product
from typing import Any

from .log_file import Source, none, quoted
from .log_formats import UNITS, Layout, UsageError

SECOND = 1_000_000
HOUR = 3_600 * SECOND
"""Microseconds of a second and of an hour."""

MONDAY = 96 * HOUR
"""A Monday, 5 January 1970: an unknown start is taken to be there."""

SINCE, UNTIL = 946_684_800 * SECOND, 4_102_444_800 * SECOND
"""1 January 2000 and 2100: a time outside is a mistake."""

SHORT_MS = 3_200_000
"""Milliseconds since a start that are fewer may be seconds: the traces that count so are of an hour."""

MOST = 1 / 5
"""Share of the rows that may be unusable."""

DATES: tuple[str, ...] = (
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%Y%m%d",
)
DATES += ("%d %b %Y", "%d-%b-%Y", "%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%a, %d %b %Y", "%d/%b/%Y")
CLOCKS = (
    "",
    "%H",
    "%H:%M",
    "%H:%M:%S",
    "%H:%M:%S.%f",
    "%I:%M %p",
    "%I:%M:%S %p",
    "%I:%M:%S.%f %p",
    "%H:%M:%S %z",
    "%H:%M:%SZ",
    "%H:%M:%S GMT",
)
FORMS = [f"{date}{between}{clock}" for date, between, clock in product(DATES, (" ", ", ", ":", "T"), CLOCKS) if clock]
FORMS = [*DATES, *FORMS, "%Y%m%d%H%M%S", "%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y-%m-%d %I:%M:%S %p", "%Y-%m-%d-%H"]
"""Forms of a time that are tried where it is neither a number nor ISO 8601."""

OFFSET = r" ([+-]\d\d:?\d\d)( [A-Z]{3,4})?$"
"""An offset that stands apart, as in 2026-01-05 08:30:52 +0100."""

WITH_OFFSET = r"[A-Za-z/_]{3,}$|Z$|[+-]\d\d(:?\d\d)?$"
"""How a time ends that says its zone."""


@dataclass(frozen=True)
class Times:
    """How a file writes its times: `unit` of a number, `form` of words, ISO 8601 where neither.

    `since`: they count from an unknown start. `short`: some end in a capital letter, as an abbreviation of a zone does.
    """

    unit: str = ""
    form: str = ""
    since: bool = False
    zone: str = "UTC"
    short: bool = True

    def micros(self, text: str) -> str:
        """SQL of a time [microsecond since 1970], NULL where there is none or it is not understood."""
        if self.unit:
            whole = f"try_cast({text} AS BIGINT) * {UNITS[self.unit]:.0f}" if UNITS[self.unit] >= 1 else "NULL"
            parts = f"CAST(round(try_cast({text} AS DOUBLE) * {UNITS[self.unit]}) AS BIGINT)"
            fits = f"abs(try_cast({text} AS DOUBLE)) * {UNITS[self.unit]} < {2 * UNTIL}"
            return f"CASE WHEN {fits} THEN coalesce({whole}, {parts}) + {MONDAY * self.since} END"
        if self.form:
            read = f"try_strptime(trim({text}, ' \"'), {quoted(self.form)})"
            zone = "UTC" if self.form.endswith(("Z", "GMT")) else self.zone
            return f"epoch_us({read})" if "%z" in self.form else f"epoch_us(timezone({quoted(zone)}, {read}))"
        plain = f"try_cast({text} AS TIMESTAMPTZ)"
        bare = f"replace(trim({text}, ' \"'), ',', '.')"
        mended = f"try_cast(regexp_replace({bare}, '{OFFSET}', '\\1') AS TIMESTAMPTZ)"
        # an abbreviation of a zone may mean several; what ends in a small letter is a whole name
        short = f"right({text}, 1) BETWEEN 'A' AND 'Y' AND NOT regexp_matches({text}, '( UTC| GMT|{OFFSET[:-1]})$')"
        read = f"coalesce({plain}, {mended})"
        return f"epoch_us(CASE WHEN {short} THEN NULL ELSE {read} END)" if self.short else f"epoch_us({read})"

    def twice(self, text: str) -> str:
        """SQL of whether a time is of an hour that the clock of the zone shows twice: it is read as the second."""
        if self.unit or self.zone == "UTC":
            return "false"
        at, zone = f"make_timestamptz({self.micros(text)})", quoted(self.zone)
        same = f"timezone({zone}, {at} - INTERVAL 1 HOUR) = timezone({zone}, {at})"
        return f"(NOT regexp_matches({text}, '{WITH_OFFSET}') AND coalesce({same}, false))"


def told(source: Source, layout: Layout, text: str, zone: str) -> Times:
    """How a file writes its times; refuses what may be read in two ways, and what is no time in any way known."""
    rows = f"(SELECT {text} AS t FROM {source.few} WHERE {text} IS NOT NULL AND NOT {none(text)} LIMIT 100000)"
    number = "try_cast(t AS DOUBLE)"
    share, size, broken, span, example = source.one(
        f"SELECT avg(if(isfinite({number}), 1, 0)), median(abs({number})) FILTER (WHERE isfinite({number})), "
        f"bool_or({number} <> floor({number})), max({number}) - min({number}), any_value(t) FROM {rows}"
    )
    if not example:
        return Times(zone=zone)
    if layout.form:
        return Times(form=layout.form, zone=zone)
    if share > 1 / 2:
        return _number(source, layout, rows, zone, (size, bool(broken) or span < SHORT_MS, example[:40]))
    (short,) = source.one(f"SELECT bool_or(right(t, 1) BETWEEN 'A' AND 'Y') FROM {rows}")
    iso = Times(zone=zone, short=bool(short))
    (good,) = source.one(f"SELECT avg(if({iso.micros('t')} IS NULL, 0, 1)) FROM {rows}")
    return iso if good >= 1 - MOST else _worded(source, rows, zone) or iso


def _number(source: Source, layout: Layout, rows: str, zone: str, seen: tuple[float, bool, str]) -> Times:
    size, broken, example = seen
    units = [layout.unit] if layout.unit else list(UNITS)
    if unit := next((u for u in units if SINCE <= size * UNITS[u] < UNTIL), ""):
        return Times(unit, zone=zone)
    if not layout.unit and (form := _worded(source, rows, zone)):
        return form
    since = layout.since_start or (layout.name == "named" and bool(layout.unit))
    if not since or (broken and layout.unit != "s" and layout.name != "named"):
        raise UsageError(
            f"the times are numbers as {example}, which count from no start that is known; give times as "
            "2026-03-02T09:10:00Z, or name the columns and the unit (s, ms, us, ns) of a time since an unknown start"
        )
    return Times(layout.unit, since=True, zone=zone)


def _worded(source: Source, rows: str, zone: str) -> Times | None:
    """The form in which the times of the first rows are; refuses two that fit alike, as where no day is above 12."""
    few = [t for (t,) in source.connection.execute(f"SELECT DISTINCT t FROM {rows} LIMIT 5").fetchall()]
    tried = [Times(form=form, zone=zone) for form in FORMS]
    fits = ", ".join(f"count({times.micros('t')})" for times in tried)
    some = source.one(f"SELECT {fits} FROM (SELECT unnest(?) AS t)".replace("?", f"[{', '.join(map(quoted, few))}]"))
    tried = [times for times, number in zip(tried, some, strict=True) if number]
    if not tried:
        return None
    shares = ", ".join(f"avg(if({t.micros('t')} BETWEEN {SINCE} AND {UNTIL}, 1, 0))" for t in tried)
    found: list[tuple[float, Any]] = list(zip(source.one(f"SELECT {shares} FROM {rows}"), tried, strict=True))
    best, times = max(found, key=lambda pair: pair[0])
    alike = [other.form for share, other in found if share == best and other.form != times.form]
    if best < 1 - MOST:
        return None
    if alike:
        raise UsageError(
            f"times as {few[0][:40]} may be {times.form} or {alike[0]}; name the columns and the form of the time"
        )
    return times
