"""Refresh: prices of two public price maps against ours; what is new becomes dated rows, and old rows stay.

Both maps lie in wheels that the user's own pip fetches. They are read as zips: nothing in them is imported or run.
"""

import csv
import io
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from ..paths import DATA, read_yaml
from .facts import in_force
from .price_map import READERS, Said, content, fetched, is_same
from .tables import FactsError, columns_of, is_day, read, row_problems

TABLE = "api_offers"
FAR = 10
"""A price that moved by more than this factor is taken for a slip, and left to whoever reads the vendor's page."""

AGREED = "New rows, both maps agree"
ALONE = "New rows with figures of one map alone: reported"
ENDED = "Rows that end an offer"
CONFIRMED = "Rows that confirm figures read long ago"
APART = "The maps disagree, nothing to write"
MOVED = f"More than {FAR} times off ours, nothing to write"
TAKEN = "There is a row of that day, nothing to write"
BEHIND = "The maps have what ours was before, nothing to write"
GONE = "Not in a map, yet or any more"
UNREAD = "In a map in a form this version does not read"
HEADINGS = (AGREED, ALONE, ENDED, CONFIRMED, APART, MOVED, BEHIND, TAKEN, GONE, UNREAD)

REPORTED = "reported, not confirmed on the vendor's page"

Row = dict[str, str]


@dataclass(frozen=True)
class PriceMap:
    """A price map: its name and version, the page that shows it, and what it says, by its own names of offers.

    What it says of one is in order of days, and nothing where it cannot be read.
    """

    name: str
    version: str
    page: str
    offers: Mapping[str, Sequence[Said]]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


Speaking = Sequence[tuple[PriceMap, Said]]


@dataclass(frozen=True)
class Finding:
    """A line to read under one of `HEADINGS`, with the row it proposes where it proposes one."""

    heading: str
    line: str
    row: Row | None = None


def proposed(today: str) -> list[Finding]:
    """What the price maps that pip fetches now say against the table of offers; nothing is written.

    Refuses (`FactsError`) maps that cannot be fetched or read, names of no offer, and rows the table may not hold.
    """
    if not is_day(today):
        raise FactsError(f"today: got {today!r}; give a day as 2026-11-22")
    names, known = names_of_offers(), read_yaml(DATA / "price_maps.yaml")
    days = read("assumptions", DATA / "assumptions.csv").set_index("key").at["stale_after_days.prices", "value"]
    with tempfile.TemporaryDirectory(prefix="where-to-run-") as folder:
        maps = []
        for name, (wheel, version) in fetched(list(READERS), Path(folder)).items():
            offers = READERS[name](content(wheel, known[name]["file"]), {of[name] for of in names.values()})
            maps.append(PriceMap(name, version, known[name]["page"], offers))
        oldest = (date.fromisoformat(today) - timedelta(days)).isoformat()
        found = compared(_rows(), names, maps, today, oldest)
        _check(found, Path(folder) / f"{TABLE}.csv")
    return found


def words(found: Sequence[Finding]) -> str:
    """The lines of findings under their headings."""
    lines = {heading: [each.line for each in found if each.heading == heading] for heading in HEADINGS}
    return "\n".join(f"{heading}: {len(of)}\n  " + "\n  ".join(of) for heading, of in lines.items() if of)


def extended(found: Sequence[Finding]) -> bytes:
    """The table of offers as it is, byte by byte, with the rows that findings propose at its end."""
    old, new = (DATA / f"{TABLE}.csv").read_bytes(), io.StringIO()
    if rows := [each.row for each in found if each.row]:
        csv.DictWriter(new, list(rows[0]), lineterminator="\n").writerows(rows)
    return old + b"\n" * (not old.endswith(b"\n")) + new.getvalue().encode()


def _rows() -> list[Row]:
    """Every row of the table of offers as it is written; refuses a damaged table."""
    read(TABLE, DATA / f"{TABLE}.csv")
    with (DATA / f"{TABLE}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names_of_offers() -> dict[str, dict[str, str]]:
    """The name each map has for an offer, empty where it has none; refuses a name of no offer (`FactsError`)."""
    with (DATA / "price_names.csv").open(encoding="utf-8", newline="") as file:
        names = {row["key"]: {name: row[name] for name in READERS} for row in csv.DictReader(file)}
    if unknown := sorted(names.keys() - {row["key"] for row in _rows()}):
        raise FactsError(f"price_names.csv: {unknown[0]!r} is no key of {TABLE}.csv; add the offer, or drop the line")
    return names


def _check(found: Sequence[Finding], path: Path) -> None:
    """Refuse new rows the table may not hold."""
    path.write_bytes(extended(found))
    rows, new = read(TABLE, path), {each.row["key"] for each in found if each.row}
    named = {column["table"] for column in columns_of(TABLE).values() if "table" in column}
    keys = {name: set(read(name, DATA / f"{name}.csv")["key"]) for name in named}
    if problems := row_problems(TABLE, rows[rows["key"].isin(new)], keys):
        raise FactsError(f"a new row would not be sound: {problems[0]}")


# what is new


def compared(
    rows: Sequence[Row], names: Mapping[str, Mapping[str, str]], maps: Sequence[PriceMap], today: str, oldest: str
) -> list[Finding]:
    """What the maps say against the rows of offers in force today.

    Both agree on new figures: a row. One speaks alone: a row that says so. They disagree: a line. Both have the figures
    that were last read before the day `oldest`: a row that confirms them. A past end: a row that ends the offer.
    """
    found: list[Finding] = []
    for key, of in names.items():
        ours = [row for row in rows if row["key"] == key]
        if held(ours, today):
            named = [(one, of[one.name]) for one in maps if of[one.name]]
            said = [(one, one.offers[name]) for one, name in named if one.offers.get(name)]
            missing = [(one, name) for one, name in named if not one.offers.get(name)]
            found += [Finding(UNREAD if name in one.offers else GONE, f"{key}: {one}, {name}") for one, name in missing]
            found += _ends(ours, said, today) or _prices(ours, said, today, oldest)
    return found


def held(rows: Sequence[Row], day: str) -> Row | None:
    """The row of an offer in force on a day; none before the first, and none once it has ended."""
    found = in_force(pd.DataFrame(rows), day).reset_index()
    return found.to_dict("records")[0] if len(found) else None


def _ends(ours: Sequence[Row], said: Sequence[tuple[PriceMap, Sequence[Said]]], today: str) -> list[Finding]:
    """A row that ends an offer where a map says it has ended."""
    row = held(ours, today)
    for one, dated in said:
        ends_on = dated[-1].ends_on
        if row and "" < ends_on <= today:
            note = f"not sold any more by {one} alone: {REPORTED}"
            cells = {"ends_on": ends_on, "source": one.page, "read_on": today, "note": note}
            return [_proposed(ours, row, cells, ends_on, today, ENDED)]
    return []


def _prices(
    ours: Sequence[Row], said: Sequence[tuple[PriceMap, Sequence[Said]]], today: str, oldest: str
) -> list[Finding]:
    """What the maps say of one offer's prices today, and on each later day from which one of them has a price."""
    found: list[Finding] = []
    later = {of.since for _, dated in said for of in dated if of.since > today}
    for day in (today, *sorted(later)):
        begun = [(one, [of for of in dated if of.since <= day][-1:]) for one, dated in said]
        speaking = [(one, last) for one, dated in begun for last in dated if day in (today, last.since)]
        row = held([*ours, *(each.row for each in found if each.row)], day)
        if row and speaking:
            found += _weighed(ours, row, speaking, day, today, oldest)
    return found


def _weighed(ours: Sequence[Row], row: Row, speaking: Speaking, day: str, today: str, oldest: str) -> list[Finding]:
    """What the maps that speak of a day say against the row in force then: a new row, why there is none, or nothing."""
    figures = {column: figure for _, said in reversed(speaking) for column, figure in said.figures.items()}
    new = {column: figure for column, figure in figures.items() if not is_same(float(row[column] or -1), figure)}
    if doubt := _doubt(ours, row, speaking, figures, new):
        return [doubt]
    if not new and (len(speaking) == 1 or row["read_on"] >= oldest):
        return []
    both = len(speaking) > 1 and all(new.keys() <= said.figures.keys() for _, said in speaking)
    # what was not known before is known from the day of reading, a price that moved from the day it did
    since = max(said.since for _, said in speaking) if any(row[column] for column in new) else ""
    cells = _cells(new) | ({"low": "", "high": ""} if "output_usd_per_mtok" in new else {})
    cells |= {"source": speaking[0][0].page, "read_on": today, "note": _note(speaking, new)}
    return [_proposed(ours, row, cells, since, day, CONFIRMED if not new else AGREED if both else ALONE)]


def _doubt(
    ours: Sequence[Row], row: Row, speaking: Speaking, figures: Mapping[str, float], new: Mapping[str, float]
) -> Finding | None:
    """Why figures that are new should not be written, if there is a reason."""
    for column, figure in figures.items():
        if not all(is_same(said.figures.get(column, figure), figure) for _, said in speaking):
            each = ", ".join(f"{one} {said.figures[column]:.10g}" for one, said in speaking)
            return Finding(APART, f"{row['key']}: {column} {each}; ours {row[column] or 'none'}")
    moved = {column: figure for column, figure in new.items() if row[column]}
    line = f"{row['key']}: {_change(row, _cells(new))}"
    before = [each for each in ours if each["effective_from"] < row["effective_from"]]
    if moved and any(all(is_same(float(each[c] or -1), figure) for c, figure in moved.items()) for each in before):
        return Finding(BEHIND, line)  # a wheel may be weeks old, and a row by hand newer
    if any(not float(row[c]) / FAR <= figure <= float(row[c]) * FAR for c, figure in moved.items()):
        return Finding(MOVED, line)
    return None


def _cells(figures: Mapping[str, float]) -> Row:
    return {column: f"{figure:.10g}" for column, figure in figures.items()}


def _note(speaking: Speaking, new: Collection[str]) -> str:
    """Who says what of a new row."""
    rest = "what is not given there is as in the row before"
    if len(speaking) == 1:
        return f"by {speaking[0][0]} alone: {REPORTED}; {rest}"
    alone = [
        f"{', '.join(columns)} by {one} alone: {REPORTED}"
        for (one, _), (_, other) in zip(speaking, reversed(speaking), strict=True)
        if (columns := [column for column in new if column not in other.figures])
    ]
    return "; ".join([f"{' and '.join(str(one) for one, _ in speaking)} agree", *alone, rest])


def _proposed(ours: Sequence[Row], row: Row, cells: Row, since: str, day: str, heading: str) -> Finding:
    """A row with new cells, from the day the maps have where that is after the row before it, else from `day`."""
    start = since if row["effective_from"] < since <= day else day
    line = f"{row['key']} from {start}: {_change(row, cells)}"
    if start in {each["effective_from"] for each in (*ours, row)}:
        return Finding(TAKEN, line)
    return Finding(heading, line, row | cells | {"effective_from": start})


def _change(row: Row, cells: Row) -> str:
    """Cells of a row before and after, without those that say where from."""
    told = {
        column: cell for column, cell in cells.items() if column not in ("low", "high", "source", "read_on", "note")
    }
    return ", ".join(f"{column} {row[column] or 'none'} -> {cell}" for column, cell in told.items()) or "as before"
