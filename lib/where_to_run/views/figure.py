"""Figure: a chart as a spec without data and its data by columns, live or still."""

import base64
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

Spec = Mapping[str, Any]
Columns = dict[str, list[Any]]

VEGA_LITE = alt.SCHEMA_VERSION.removeprefix("v").rsplit(".", 1)[0]

FRAME = alt.NamedData(name="d0")
"""The data of a chart that is made without any: its frame is given later, as `d0`."""


ROOM = {"left": 50, "right": 30, "top": 5, "bottom": 5}
"""Room about a picture [pixel]: type is as wide as the reader's fonts make it."""


@dataclass(frozen=True)
class Figure:
    """A Vega-Lite spec that calls its datasets by name, d0, d1, ..., and the columns of each as plain lists.

    Where only data changed two figures have equal specs, so a page can keep its drawing and swap the data.
    """

    spec: Spec
    data: Mapping[str, Columns]

    @property
    def words(self) -> str:
        """What the figure shows, for those who cannot see it."""
        return str(self.spec["description"])

    def whole(self) -> dict[str, Any]:
        """The spec with its data inside, as Vega-Lite takes it."""
        return {**self.spec, "datasets": {name: _rows(columns) for name, columns in self.data.items()}}

    def picture(self) -> str:
        """The figure as a picture inside HTML, with its words; nothing is loaded."""
        svg = vl_convert.vegalite_to_svg(self.whole() | {"padding": ROOM}, vl_version=VEGA_LITE)
        # what clips a picture is numbered from the first picture of the process
        clips = dict[str, str]()
        svg = re.sub(r"\bclip\d+", lambda found: clips.setdefault(found[0], f"clip{len(clips)}"), svg)
        picture = base64.b64encode(svg.encode()).decode()
        words = html.escape(self.words, quote=True)
        return f'<figure><img alt="{words}" src="data:image/svg+xml;base64,{picture}"></figure>'

    def _repr_html_(self) -> str:
        return self.picture()


def of(chart: alt.Chart | alt.LayerChart) -> Figure:
    """The figure of a chart; its datasets are numbered in order of appearance."""
    spec = chart.to_dict(validate=False)
    datasets, names = spec.pop("datasets", {}), dict[str, str]()
    renamed = _renamed(spec, names)
    data = {short: _columns(datasets[name]) for name, short in names.items() if name in datasets}
    return Figure(renamed, data)


def _renamed(part: Any, names: dict[str, str]) -> Any:
    """A part of a spec with every dataset under its short name, which is added to `names`."""
    if isinstance(part, list):
        return [_renamed(item, names) for item in part]
    if not isinstance(part, dict):
        return part
    # a dataset is the one thing of a spec that has a name and nothing else
    if set(part) == {"name"}:
        return {"name": names.setdefault(part["name"], f"d{len(names)}")}
    return {key: _renamed(value, names) for key, value in part.items()}


def _columns(rows: list[dict[str, Any]]) -> Columns:
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _rows(columns: Columns) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def columns(frame: pd.DataFrame) -> Columns:
    """The columns of a frame as plain lists, what is not a number as None."""
    # only a value that is not a number differs from itself
    return {str(name): [None if v != v else v for v in frame[name].tolist()] for name in frame}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as plain records; pandas' own takes three times as long over a few rows."""
    return _rows({str(name): frame[name].tolist() for name in frame})
