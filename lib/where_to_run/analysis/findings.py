"""Findings: what the scenarios of a sweep say together: who wins where, and which fields move the answer."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..decision.routing import NAMES
from ..inputs.question import BY_NAME, Field
from ..units import Array
from .breakeven import NONE

BINS = 8
"""Bins of a field with many values, as many scenarios in each."""


@dataclass(frozen=True)
class Sweep:
    """What a sweep found: its manifest, and frames.

    `scenarios` has a row for each scenario: its number, the swept fields, and the winner, `none` where nothing is
    allowed. `best` has usd_per_month, generalised_usd_per_month and verdict of the option recommended, where one is.
    `options` has a row for each option: how often it is allowed and recommended, and quantiles of its cost [USD/month].
    """

    manifest: dict[str, Any]
    scenarios: pd.DataFrame
    best: pd.DataFrame
    options: pd.DataFrame


@dataclass(frozen=True)
class Along:
    """A field cut into bins: the bin of every scenario, and the first and the last value of each bin."""

    field: Field
    code: Array
    first: list[float | str]
    last: list[float | str]


def shares(rows: pd.DataFrame) -> dict[str, float]:
    """Share of the scenarios each option wins, in the order of the options; those that win none are left out."""
    found = rows["winner"].astype(str).value_counts(normalize=True)
    return {name: float(found[name]) for name in (*NAMES, NONE) if name in found}


def cut(rows: pd.DataFrame, name: str, most: int = BINS) -> Along:
    """A swept field in bins: its values where they are few or names, else as many scenarios in each."""
    field, column = BY_NAME[name], rows[name]
    code, values = pd.factorize(column, sort=True)
    if len(values) <= most or not field.numeric:
        told = [str(v) or "none" for v in values] if not field.numeric else list(values)
        return Along(field, code, told, told)
    numbers = column.to_numpy(float)
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, most + 1)))
    code = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    return Along(field, code, list(edges[:-1]), list(edges[1:]))


def removed(rows: pd.DataFrame, along: Along) -> float:
    """Share of the uncertainty about the winner that knowing one field removes: mutual information over entropy.

    U = 1 - H(winner | field) / H(winner); 0 where the field says nothing, 1 where it says all, NaN where one wins all.
    """
    table = _counts(rows, along).to_numpy(float)
    every = _entropy(table.sum(axis=0))
    within = sum(row.sum() * _entropy(row) for row in table) / table.sum()
    return 1 - within / every if every > 0 else float("nan")


def _entropy(counts: Array) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def _counts(rows: pd.DataFrame, along: Along) -> pd.DataFrame:
    return pd.crosstab(along.code, rows["winner"].astype(str).to_numpy())


def moves(rows: pd.DataFrame, swept: list[str]) -> pd.DataFrame:
    """How much each swept field moves the answer: field, removed; what moves most comes first."""
    found = [(name, removed(rows, cut(rows, name))) for name in swept]
    return pd.DataFrame(found, columns=["field", "removed"]).sort_values("removed", ascending=False, ignore_index=True)


def by_bin(rows: pd.DataFrame, along: Along) -> pd.DataFrame:
    """Who wins along a field: bin, winner, share of the scenarios in the bin."""
    counts = _counts(rows, along)
    share = counts.div(counts.sum(axis=1), axis=0).rename_axis(index="bin", columns="winner").stack()
    return share[share > 0].rename("share").reset_index()


def widest(rows: pd.DataFrame, swept: list[str]) -> list[str]:
    """The two numeric fields with most values, the first of the question first where they have as many."""
    numeric = [name for name in swept if BY_NAME[name].numeric and rows[name].nunique() > 1]
    many = sorted(numeric, key=lambda name: -rows[name].nunique())[:2]
    return [name for name in swept if name in many]


def cells(rows: pd.DataFrame, x: str, y: str) -> pd.DataFrame:
    """The map over two fields: a row for each pair of their values, with the option that wins most scenarios there.

    Empty where not every pair occurs.
    """
    won = rows[[x, y]].assign(option=rows["winner"].astype(str)).value_counts().reset_index()
    found = won.drop_duplicates([x, y])[[x, y, "option"]]
    return found if len(found) == found[x].nunique() * found[y].nunique() else found.head(0)
