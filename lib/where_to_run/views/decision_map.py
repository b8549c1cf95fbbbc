"""Decision map: the winner over two fields, with what is near and what is barred, as one Altair chart."""

from textwrap import wrap
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ..decision.routing import TITLES
from ..inputs.question import Field
from ..units import Array
from .charts import WIDTH, scale, winner_colours

HEIGHT = 360

STROKES_APART = 8
"""Distance between the strokes of the hatching, about [pixel]."""

LEAST_AREA = 0.005
"""Share of the map below which a barred area carries no label."""

NARROWEST = 460
"""Width below which its labels would leave the map [pixel]; a narrower page scrolls it."""

LETTERS, LETTER = 28, 5.8
"""Most letters in a line of a label, and the width of one, about [pixel]."""

LINE = 14
"""Height of a line of a label [pixel]."""

WEAR = 3
"""Cells worn away from an area on either side for one above and below."""


def map_chart(cells: pd.DataFrame, x: Field, y: Field, here: tuple[float, float] | None = None) -> alt.LayerChart:
    """Who wins over two fields, a scenario marked, hatched where the runner-up costs at most a tenth more.

    Takes the frame of `breakeven.cells`. Where nothing is allowed it says by which rule or limit.
    """
    at = {
        "x": alt.X("x0:Q", title=f"{x.label} [{x.unit}]", scale=_span(cells, x), axis=alt.Axis(format="~s")),
        "y": alt.Y("y0:Q", title=f"{y.label} [{y.unit}]", scale=_span(cells, y)),
    }
    layers = [_areas(cells, x, y, at), _hatching(cells, x, y, at)]
    layers += _texts(_barred(cells, x, y), at)
    layers += [_cross(here, at)] if here else []
    words = _words(cells, x, y) + " A cross marks the scenario." * bool(here)
    return alt.LayerChart(layer=layers, description=words, usermeta={"narrowest": NARROWEST})


def percent(share: float) -> str:
    """A share of the map that is not nothing, in words: 12 %, less than 1 %."""
    return "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")


def _span(cells: pd.DataFrame, field: Field) -> alt.Scale:
    """Scale of a field from the first cell to the last."""
    span = scale(field)
    span.domain = [float(cells[field.name].min()), float(cells[field.name].max())]
    return span


def _matrix(cells: pd.DataFrame, x: Field, y: Field, column: str) -> Array:
    """A column over (value of y, value of x), both ascending."""
    return cells.pivot(index=y.name, columns=x.name, values=column).to_numpy()


def _edges(cells: pd.DataFrame, field: Field) -> Array:
    """Edges of the cells along a field: half-way between neighbours on its scale, the first and the last value."""
    values = np.sort(cells[field.name].unique())
    middle = np.sqrt(values[1:] * values[:-1]) if field.log else (values[1:] + values[:-1]) / 2
    return np.concatenate([values[:1], middle, values[-1:]])


def _areas(cells: pd.DataFrame, x: Field, y: Field, at: dict[str, Any]) -> alt.Chart:
    across, up, found = _edges(cells, x), _edges(cells, y), _rectangles(_matrix(cells, x, y, "option"))
    frame = pd.DataFrame(
        {
            "option": [TITLES.get(name, "nothing allowed") for name in found["option"]],
            "x0": across[found["left"]],
            "x1": across[found["right"]],
            "y0": up[found["low"]],
            "y1": up[found["high"] + 1],
        }
    )
    winner = alt.Color("option:N", title=None, scale=winner_colours(cells["option"]))
    areas = alt.Chart(frame, width=WIDTH, height=HEIGHT).mark_rect(strokeWidth=0.8)
    return areas.encode(**at, x2="x1:Q", y2="y1:Q", color=winner, stroke=winner)


def _rectangles(option: Array) -> pd.DataFrame:
    """Cells of one winner side by side as one, and such runs above each other too: option, left, right, low, high."""
    starts = np.ones(option.shape, bool)
    starts[:, 1:] = option[:, 1:] != option[:, :-1]
    row, left = np.nonzero(starts)
    right = left + np.diff(np.append(np.flatnonzero(starts), option.size))
    runs = pd.DataFrame({"left": left, "right": right, "option": option[row, left], "row": row})
    runs = runs.sort_values(list(runs.columns))
    span = runs[["left", "right", "option"]]
    goes_on = (span == span.shift()).all(axis=1) & (runs["row"].diff() == 1)
    grouped = runs.groupby((~goes_on).cumsum())
    return grouped[["left", "right", "option"]].first().assign(low=grouped["row"].min(), high=grouped["row"].max())


def _hatching(cells: pd.DataFrame, x: Field, y: Field, at: dict[str, Any]) -> alt.Chart:
    """Strokes from corner to corner of the near cells on every few diagonals, joined where they meet."""
    near, across, up = _matrix(cells, x, y, "near"), _edges(cells, x), _edges(cells, y)
    cell = WIDTH / near.shape[1], HEIGHT / near.shape[0]
    every = max(1, round(STROKES_APART * np.hypot(*cell) / (cell[0] * cell[1])))
    row, column = np.nonzero(near & (np.add.outer(*map(np.arange, near.shape)) % every == 0))
    order = np.lexsort((column, row + column))
    row, column = row[order], column[order]
    starts = np.ones(len(row), bool)
    starts[1:] = (np.diff(row + column) != 0) | (np.diff(column) != 1)
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(row))[: len(first)] - 1
    strokes = {
        "x0": across[column[first]],
        "y0": up[row[first] + 1],
        "x1": across[column[last] + 1],
        "y1": up[row[last]],
    }
    rules = alt.Chart(pd.DataFrame(strokes)).mark_rule(strokeWidth=1, color="black", opacity=0.7)
    return rules.encode(**at, x2="x1:Q", y2="y1:Q")


def _barred(cells: pd.DataFrame, x: Field, y: Field) -> pd.DataFrame:
    """A label in the largest area of every rule by which nothing is allowed."""
    rules, found = _matrix(cells, x, y, "rule"), []
    for rule, share in cells.loc[cells["rule"] != "", "rule"].value_counts().items():
        if share >= LEAST_AREA * len(cells):
            lines = wrap(str(rule).replace(", ", " + ").replace("-", " "), LETTERS)
            row, column = _middle(rules == rule)
            found.append(("\n".join(lines), column / rules.shape[1], row / rules.shape[0]))
    return _placed(found, cells, x, y)


def _middle(area: Array) -> tuple[float, float]:
    """Row and column deep inside an area: it is worn away from its edges, faster across, because labels are wide."""
    inner = area
    while inner.any():
        area, edged = inner, np.pad(inner, WEAR)
        rows, columns = (range(size) for size in area.shape)
        inner = np.logical_and.reduce(
            [np.roll(edged, (r, c), (0, 1)) for r, c in ((0, 0), (1, 0), (-1, 0), (0, WEAR), (0, -WEAR))]
        )[WEAR : WEAR + len(rows), WEAR : WEAR + len(columns)]
    left = np.argwhere(area)
    row, column = left[np.square(left - left.mean(axis=0)).sum(axis=1).argmin()]
    return row + 0.5, column + 0.5


def _placed(labels: list[tuple[str, float, float]], cells: pd.DataFrame, x: Field, y: Field) -> pd.DataFrame:
    """Labels and the shares of the map's width and height they stand at, as text, x0, y0; moved to lie within."""
    frame = pd.DataFrame(labels, columns=["text", "x0", "y0"])
    rooms = frame["text"].map(_width) / 2 / WIDTH, (frame["text"].str.count("\n") + 1) * LINE / 2 / HEIGHT
    for name, field, room in zip(("x0", "y0"), (x, y), rooms, strict=True):
        values = np.sort(cells[field.name].unique())
        share = np.minimum(np.maximum(frame[name].astype(float), room), 1 - room)
        frame[name] = np.interp(share, np.linspace(0, 1, len(values)), values)
    return frame


def _width(text: str) -> float:
    """Width of a label, about [pixel]."""
    return LETTER * max(len(line) for line in text.split("\n"))


def _texts(labels: pd.DataFrame, at: dict[str, Any]) -> list[alt.Chart]:
    """Labels in black on a white edge."""
    base = alt.Chart(labels).encode(**at, text="text:N")
    form: dict[str, Any] = {"lineBreak": "\n", "lineHeight": LINE, "fontSize": 11, "strokeJoin": "round"}
    edge = base.mark_text(**form, stroke="white", strokeWidth=4, opacity=0.8)
    return [edge, base.mark_text(**form, color="black")]


def _cross(here: tuple[float, float], at: dict[str, Any]) -> alt.Chart:
    mark = pd.DataFrame({"x0": [here[0]], "y0": [here[1]]})
    return alt.Chart(mark).mark_point(shape="cross", size=160, filled=True, color="black", stroke="white").encode(**at)


def _words(cells: pd.DataFrame, x: Field, y: Field) -> str:
    """What the map shows, for those who cannot see it."""
    shares = cells["option"].value_counts(normalize=True)
    who = ", ".join(f"{TITLES.get(name, 'nothing allowed')} on {percent(share)}" for name, share in shares.items())
    words = f"Which option wins over {x.label.lower()} and {y.label.lower()}: {who}."
    if cells["near"].any():
        words += f" Hatching marks a runner-up that comes to at most a tenth more, on {percent(cells['near'].mean())}."
    barred = [rule for rule in cells["rule"].unique() if rule]
    return words + (f" Nothing is allowed by {'; by '.join(barred)}." if barred else "")
