"""Table file: scenarios as the lines of a CSV file, checked; refusals name the line."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import scenario
from .plan import whole
from .scenario import ScenarioError

MOST_ROWS = 2_000_000
NAME = "name"
"""Column of a table that names its scenarios; it may be left out."""

Line = tuple[int, list[str]]
"""Number of a line, and its cells."""


def read(
    path: Path, base: Mapping[str, Any], keys: Mapping[str, Sequence[str]]
) -> tuple[pd.DataFrame, list[str] | None]:
    """The scenarios of a CSV file whose first line names fields, and their names where it has them."""
    heads, lines = _lines(path)
    numbers = [number for number, _ in lines]
    columns = {}
    for place, head in enumerate(heads):
        if head != NAME:
            columns[head] = _column(path.name, head, [cells[place] for _, cells in lines], numbers)
    checked = _checked(path.name, whole(base, pd.DataFrame(columns)), keys, numbers)
    named = [slug(cells[heads.index(NAME)]) for _, cells in lines] if NAME in heads else None
    return checked[list(columns)], named


def slug(text: str) -> str:
    """A name from outside as part of a folder's name: letters, digits, - and _ alone, at most 40."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text)[:40]


@contextmanager
def _naming(name: str, line: int) -> Iterator[None]:
    """What is refused inside is refused with a line of the table."""
    try:
        yield
    except ScenarioError as error:
        raise ScenarioError(f"{name}, line {line}: {error}") from None


def _lines(path: Path) -> tuple[list[str], list[Line]]:
    """The headings of a CSV file, and its filled lines."""
    lines: list[Line] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            heads = [head.strip() for head in next(reader, [])]
            for cells in reader:
                if cells:
                    lines.append((reader.line_num, cells))
                if len(lines) > MOST_ROWS:
                    raise ScenarioError(f"{path.name} has more than {MOST_ROWS:,} lines")
    except (OSError, UnicodeError, csv.Error) as error:
        raise ScenarioError(f"cannot read the table {path.name}: {error}") from None
    with _naming(path.name, 1):
        _check_heads(heads)
    if not lines:
        raise ScenarioError(f"{path.name} has no scenario below its first line")
    for number, cells in lines:
        if len(cells) != len(heads):
            raise ScenarioError(f"{path.name}, line {number}: {len(cells)} cells; its first line has {len(heads)}")
    return heads, lines


def _check_heads(heads: list[str]) -> None:
    for head in heads:
        if head != NAME:
            scenario.field(head[:60])
    if len(set(heads)) < len(heads) or set(heads) <= {NAME}:
        raise ScenarioError(f"it must name fields, each once; got {','.join(heads)[:80]!r}")


def _column(file: str, name: str, texts: list[str], numbers: list[int]) -> list[Any]:
    """One field of every line, numbers as numbers."""
    field = scenario.field(name)
    if field.kind not in ("number", "whole"):
        return [",".join(part.strip() for part in text.split(",")) for text in texts]
    values = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
    if values.isna().any():
        bad = int(np.argmax(values.isna()))
        got = repr(texts[bad][:40]) if texts[bad] else "nothing"
        raise ScenarioError(f"{file}, line {numbers[bad]}: {name}: got {got}, not a number; allowed: {field.allowed}")
    return values.tolist()


def _checked(file: str, rows: pd.DataFrame, keys: Mapping[str, Sequence[str]], numbers: list[int]) -> pd.DataFrame:
    """The rows checked; a refusal names the first line that is refused alone."""
    try:
        return scenario.check(rows, keys)
    except ScenarioError:
        low, high = 0, len(rows)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _refused(rows.iloc[low:middle], keys) else (middle, high)
        with _naming(file, numbers[low]):
            scenario.check(rows.iloc[[low]], keys)
        raise


def _refused(rows: pd.DataFrame, keys: Mapping[str, Sequence[str]]) -> bool:
    try:
        scenario.check(rows, keys)
    except ScenarioError:
        return True
    return False
