"""Override files: a user's own figures as they are written, a cell a line, before they are laid over the tables."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

COLUMNS = ("table", "key", "column", "value", "source", "note")


class FactsError(ValueError):
    """Facts that cannot be used; the text says what was asked, what is known, what to do."""


def gathered(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Every line of override files in order, indexed by file and line; refuses a file that is none (`FactsError`)."""
    lines = [line for path in paths for line in _lines(Path(path))]
    return pd.DataFrame([cells for _, cells in lines], [where for where, _ in lines], list(COLUMNS), dtype=object)


def _lines(path: Path) -> list[tuple[str, list[str]]]:
    try:
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, ValueError, csv.Error) as error:
        raise FactsError(f"cannot read the override file {path.name}: {error}") from None
    wanted = ",".join(COLUMNS)
    if not lines or tuple(lines[0]) != COLUMNS:
        first = ",".join(lines[0]) if lines else ""
        raise FactsError(f"{path.name}: its first line is {first!r}; it must be {wanted!r}")
    filled = [(f"{path.name}, line {number}", line) for number, line in enumerate(lines[1:], start=2) if line]
    for where, line in filled:
        if len(line) != len(COLUMNS):
            raise FactsError(f"{where}: {len(line)} cells; it takes {len(COLUMNS)}: {wanted}")
    return filled
