"""The workbook: sliders made from the question, and panels that follow them."""

import logging
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from IPython.display import HTML, display

from . import panels, scenario
from .evaluate import Answer, evaluate
from .facts import Facts
from .scenario import Field

log = logging.getLogger(__name__)
WIDE_READOUTS = ".widget-readout { min-width: 21em; max-width: none; text-align: left; }"
"""A slider's words beside its number would be cut off at the usual width."""

STEPS_A_DECADE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
"""Where a slider on a log scale stops: round figures, about evenly apart."""


def short(amount: float) -> str:
    """A number for a slider: 3 M, 1.5 k, 0.25."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(amount) >= size:
            return f"{amount / size:.4g}{letter}"
    return f"{amount:.4g}"


def stops(field: Field, value: float) -> list[tuple[str, float]]:
    """Positions of a slider with their labels: round figures over its range, and the value itself.

    A slider on a fixed grid would move a value that lies off the grid without being asked, so the value is a stop.
    """
    low, high = field.slider or (field.low, field.high)
    if field.log:
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        figures = [step * 10.0**d for d in decades for step in STEPS_A_DECADE]
    else:
        first = np.ceil(low / field.step) * field.step
        figures = [low, *np.round(np.arange(first, high + field.step / 2, field.step), 10)]
    inside = sorted({float(f) for f in figures if low <= f <= high} | {float(value)})
    words = field.words or {}
    return [(short(f) + (f" ({words[f]})" if f in words else ""), f) for f in inside]


def control(field: Field, value: Any) -> widgets.SelectionSlider:
    """A slider for a number of the question: unit in its label, meaning in its tooltip, arrows move it a stop."""
    return widgets.SelectionSlider(
        options=stops(field, float(value)),
        value=float(value),
        description=f"{field.name} [{field.unit}]",
        tooltip=field.meaning,
        continuous_update=False,
        style={"description_width": "22em"},
        layout={"width": "min(68em, 98%)"},
    )


class Workbook:
    """One scenario, its sliders and the panels shown so far; every panel is drawn again when a slider moves.

    Panels are plain HTML, so a notebook run headless keeps them as static pictures and tables.
    """

    def __init__(self, rows: pd.DataFrame, facts: Facts) -> None:
        self.rows, self.facts = rows, facts
        self.answer = evaluate(rows, facts)
        self._shown: list[tuple[Callable[[Answer], str], Any]] = []
        self._status = widgets.HTML()
        self._controls: dict[str, widgets.SelectionSlider] = {}

    def controls(self) -> widgets.VBox:
        """Sliders for volume, spikiness, budget and skills."""
        headline = [f for f in scenario.FIELDS if f.group in ("Headline", "Skills")]
        self._controls = {f.name: control(f, self.rows[f.name].iloc[0]) for f in headline}
        for slider in self._controls.values():
            slider.observe(self._moved, names="value")
        style = widgets.HTML(f"<style>{panels.STYLE}{WIDE_READOUTS}</style>")
        return widgets.VBox([style, *self._controls.values(), self._status])

    def show(self, panel: Callable[[Answer], str]) -> None:
        """Show a panel here, and keep it in step with the sliders."""
        handle = display(HTML(panel(self.answer)), display_id=True)
        self._shown.append((panel, handle))

    def _moved(self, _: Any) -> None:
        """Answer what the sliders now ask; an error is told in words and leaves the last answer standing."""
        try:
            changes = {name: slider.value for name, slider in self._controls.items()}
            rows = scenario.check(self.rows.assign(**changes))
            answer = evaluate(rows, self.facts)
            drawn = [(handle, HTML(panel(answer))) for panel, handle in self._shown]
        except Exception as error:
            log.exception("the workbook could not answer %s", self.rows.to_dict("records"))
            self._status.value = f"<p role='alert'>{escape(str(error))}</p>"
            return
        self.rows, self.answer, self._status.value = rows, answer, ""
        for handle, picture in drawn:
            handle.update(picture)
