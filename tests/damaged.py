"""A copy of data/ with something wrong in it."""

from pathlib import Path

import pandas as pd


def cell(key, column, value):
    """An edit of a table: another value in one column, in every row of a key."""

    def edit(rows):
        rows.loc[rows["key"] == key, column] = value
        return rows

    return edit


def changed(copy: Path):
    """Changes one table of a copy of data/."""

    def change(table, edit):
        path = copy / f"{table}.csv"
        edit(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)

    return change
