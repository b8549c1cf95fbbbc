"""Sweep charts: who wins over two fields, and along one, as figures."""

import altair as alt
import numpy as np
import pandas as pd

from .charts import WIDTH, scale, winner_colours
from .figures import Figure, of
from .findings import Along
from .routings import TITLES
from .units import Array

HEIGHT = 360
LITTLE = 0.25
"""How faint a cell is where the winner has hardly more scenarios than the next."""

NOTHING = "nothing allowed"


def title(name: str) -> str:
    """Title of a winner."""
    return TITLES.get(name, NOTHING)


def decision_map(cells: pd.DataFrame, x: Along, y: Along) -> Figure:
    """Who wins most scenarios in every cell over two fields; the paler, the fewer."""
    across, up = _edges(x), _edges(y)
    frame = pd.DataFrame(
        {
            "option": [title(name) for name in cells["winner"]],
            "share": LITTLE + (1 - LITTLE) * cells["share"],
            "x0": across[0][cells["column"]],
            "x1": across[1][cells["column"]],
            "y0": up[0][cells["row"]],
            "y1": up[1][cells["row"]],
        }
    )
    first, second = x.field, y.field
    shares = (cells["scenarios"]).groupby(cells["winner"]).sum() / cells["scenarios"].sum()
    who = ", ".join(f"{title(str(name))} on {share:.0%}" for name, share in shares.items())
    words = f"Which option wins most scenarios over {first.label.lower()} and {second.label.lower()}: {who}."
    winner = alt.Color("option:N", title=None, scale=winner_colours(cells["winner"]))
    chart = alt.Chart(frame, width=WIDTH, height=HEIGHT, description=words).mark_rect(clip=True)
    return of(
        chart.encode(
            x=alt.X("x0:Q", title=f"{first.label} [{first.unit}]", scale=scale(first), axis=alt.Axis(format="~s")),
            x2="x1:Q",
            y=alt.Y("y0:Q", title=f"{second.label} [{second.unit}]", scale=scale(second), axis=alt.Axis(format="~s")),
            y2="y1:Q",
            color=winner,
            opacity=alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0, 1])),
        )
    )


def _edges(along: Along) -> tuple[Array, Array]:
    """Lower and upper edge of every cell; where a cell is one value, half-way to its neighbours."""
    first, last = np.array(along.first, float), np.array(along.last, float)
    if not np.array_equal(first, last) or len(first) < 2:
        return first, np.where(last > first, last, first + 1)
    scaled = np.log(first) if along.field.log and first[0] > 0 else first
    middle = (scaled[1:] + scaled[:-1]) / 2
    middle = np.exp(middle) if along.field.log and first[0] > 0 else middle
    return np.concatenate([first[:1], middle]), np.concatenate([middle, last[-1:]])


def moves(found: pd.DataFrame, labels: dict[str, str]) -> Figure:
    """Bars of how much of the uncertainty about the winner each field removes."""
    frame = pd.DataFrame({"field": [labels[name] for name in found["field"]], "removed": found["removed"]})
    words = "How much each field tells about the winner: " + ", ".join(
        f"{row.field} {row.removed:.0%}" for row in frame.itertuples()
    )
    chart = alt.Chart(frame, width=WIDTH, height=alt.Step(26), description=words).mark_bar(color="#0072B2")
    return of(
        chart.encode(
            x=alt.X("removed:Q", title="share of the uncertainty removed", axis=alt.Axis(format="%")),
            y=alt.Y("field:N", title=None, sort=list(frame["field"])),
        )
    )


def along(found: pd.DataFrame, cut: Along) -> Figure:
    """Stacked bars of who wins in every bin of a field."""
    names = [bin_words(cut, code) for code in range(len(cut.first))]
    frame = pd.DataFrame(
        {
            "bin": [names[code] for code in found["bin"]],
            "option": [title(str(name)) for name in found["winner"]],
            "share": found["share"],
        }
    )
    words = f"Which option wins along {cut.field.label.lower()}"
    chart = alt.Chart(frame, width=WIDTH, height=160, description=words).mark_bar()
    return of(
        chart.encode(
            x=alt.X("bin:N", title=f"{cut.field.label} [{cut.field.unit}]", sort=names, axis=alt.Axis(labelAngle=-20)),
            y=alt.Y("share:Q", title="share of scenarios", stack="zero", scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("option:N", title=None, scale=winner_colours(found["winner"].astype(str))),
        )
    )


def bin_words(cut: Along, code: int) -> str:
    """A bin of a field in words: a value, or from and to."""
    first, last = cut.first[code], cut.last[code]
    if isinstance(first, str):
        return first
    return short(first) if first == last else f"{short(first)} to {short(last)}"


def short(value: float | str) -> str:
    """A value of a field, short enough for an axis or a cell."""
    if isinstance(value, str):
        return value or "none"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
