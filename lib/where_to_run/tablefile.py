"""Table file: scenarios as the lines of a CSV file, checked; refusals name the line."""

import csv
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from . import scenario
from .plan import NAME, whole
from .scenario import BY_NAME, ScenarioError

MOST_ROWS = 2_000_000
Line = tuple[int, list[str]]
"""Number of a line, and its cells."""


def read(path: Path, base: Mapping[str, Any], keys: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The scenarios of a CSV file whose first line names fields and, as one likes, a NAME."""
    heads, lines = _lines(path)
    texts = pd.DataFrame([cells for _, cells in lines], columns=heads, dtype=object)
    for name in heads:
        if name != NAME and not BY_NAME[name].numeric:
            texts[name] = texts[name].str.replace(r"\s*,\s*", ",", regex=True).str.strip()
    checked = _checked(path.name, whole(base, texts), keys, [number for number, _ in lines])
    return pd.DataFrame({head: texts[NAME].map(slug) if head == NAME else checked[head] for head in heads})


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


def _checked(file: str, rows: pd.DataFrame, keys: Mapping[str, Sequence[str]], numbers: list[int]) -> pd.DataFrame:
    """The rows checked; a refusal names the first line that is refused, as if it stood alone."""
    try:
        return scenario.check(rows, keys)
    except ScenarioError:
        bad = bisect_left(range(len(rows)), True, key=lambda last: _refused(rows.iloc[: last + 1], keys))
        with _naming(file, numbers[bad]):
            scenario.check(rows.iloc[[bad]], keys)
        raise


def _refused(rows: pd.DataFrame, keys: Mapping[str, Sequence[str]]) -> bool:
    try:
        scenario.check(rows, keys)
    except ScenarioError:
        return True
    return False
