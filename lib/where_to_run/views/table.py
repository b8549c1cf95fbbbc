"""Table: words and frames as HTML; everything that comes from outside is escaped here."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, NamedTuple

import pandas as pd

NONE = "–"
"""In place of a figure there is not."""


class Html(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


class Cell(NamedTuple):
    """A cell of a table: what it shows, and the figure to sort it by."""

    text: str
    sort: float


def plain(value: Any) -> str:
    """A value of the question or of a fact, for reading."""
    return value or "none" if isinstance(value, str) else f"{value:,.10g}"


def usd(amount: float) -> str:
    """An amount of money for reading: $1,234 or -$56."""
    return NONE if pd.isna(amount) else f"{'-' if round(amount) < 0 else ''}${abs(amount):,.0f}"


def about(amount: float) -> str:
    """An amount of money to two significant digits at most: $3,800."""
    return usd(amount if pd.isna(amount) else float(f"{amount:.2g}"))


def money(amounts: Iterable[float]) -> list[Cell]:
    """Amounts of money as cells."""
    return [Cell(usd(amount), amount) for amount in amounts]


def numbers(values: Iterable[float], form: str) -> list[Cell]:
    """Numbers as cells, in a form such as {:.2f}."""
    return [Cell(NONE if pd.isna(value) else form.format(value), value) for value in values]


def link(source: str) -> str:
    """The source of a fact: a link under the name of its host, any other text as it is."""
    host = re.match(r"https://([^/\s]+)\S*$", source)
    return f'<a href="{escape(source)}">{escape(host[1])}</a>' if host else escape(source)


def table(columns: Mapping[str, Iterable[Any]] | pd.DataFrame, caption: str, left: int = 1) -> str:
    """Columns by heading as an HTML table: everything escaped, links as links, numbers to the right after `left`."""
    headings = "".join(f'<th scope="col">{escape(str(heading))}</th>' for heading in columns)
    rows = zip(*(columns[heading] for heading in columns), strict=True)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    # what names an option is long
    options = " options" if next(iter(columns), "") == "Option" else ""
    return (
        f'<table class="wtr left{left}{options}"><caption>{escape(caption)}</caption>\n'
        f"<thead><tr>{headings}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
    )


def _cell(value: Any) -> str:
    """A cell: HTML as it is, a figure with what it is sorted by, a link as a link."""
    if isinstance(value, Cell):
        text = value.text if isinstance(value.text, Html) else escape(value.text)
        # only a value that is not a number differs from itself: it has nothing to be sorted by
        return f"<td>{text}</td>" if value.sort != value.sort else f'<td data-sort="{value.sort:.10g}">{text}</td>'
    if isinstance(value, Html):
        return f"<td>{value}</td>"
    if isinstance(value, str):
        return f"<td>{link(value)}</td>"
    return f"<td>{NONE if pd.isna(value) else escape(str(value))}</td>"
