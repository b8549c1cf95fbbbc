"""Controls: every input of the question as the Board needs it, with its stops, its words and its unit in the label."""

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from ..inputs import question
from ..inputs.facts import Facts
from ..inputs.question import Field
from ..places.workload import level_words

STEPS_A_DECADE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
"""Where a slider on a log scale stops: round figures, about evenly apart."""


def controls(facts: Facts) -> list[dict[str, Any]]:
    """Every control in the order of the question: name, label, meaning, place, kind, default, and stops or choices."""
    defaults = values(question.grid().iloc[0].to_dict())
    return [
        {
            "name": f.name,
            "label": f"{f.label} [{f.unit}]" if f.numeric and not f.small else f.label,
            "unit": "" if f.unit.startswith("share") else f.unit,
            "meaning": f"{f.meaning}. Allowed: {f.allowed}.",
            "group": f.group,
            "ask": f.ask,
            "small": f.small,
            "kind": f.kind,
            "default": defaults[f.name]["value"],
            **({"stops": [stop(f, at) for at in stops(f)]} if f.numeric else _choices(f, facts)),
        }
        for f in question.FIELDS
    ]


def stops(field: Field) -> list[float]:
    """Values at which a slider stops: round figures over its range, and the default."""
    low, high = field.slider or (field.low, field.high)
    if field.log:
        decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        figures = [step * 10.0**d for d in decades for step in STEPS_A_DECADE]
    else:
        first = np.ceil(low / field.step) * field.step
        figures = [low, *np.round(np.arange(first, high + field.step / 2, field.step), 10)]
    return sorted({float(f) for f in [*figures, field.default] if low <= f <= high})


def stop(field: Field, value: float) -> dict[str, Any]:
    """A value of a slider with its words."""
    return {"value": float(value), "text": readout(field, value)}


def readout(field: Field, value: Any) -> str:
    """A value for reading, without its unit: 3 M, 30 %, 5 (office hours), hipaa."""
    if not field.numeric:
        return str(value).replace(",", ", ") or "none"
    percent = field.unit.startswith("share")
    number = f"{100 * value:.4g} %" if percent else short(value)
    word = (field.words or {}).get(value)
    return f"{number} ({word})" if word else number


def short(amount: float) -> str:
    """A number in few characters: 3 M, 1.5 k, 0.25."""
    rounded = float(f"{amount:.4g}")
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(rounded) >= size:
            return f"{rounded / size:.4g}{letter}"
    return f"{rounded:.4g}"


def values(row: Mapping[str, Any]) -> dict[str, Any]:
    """What every control shows for a row of the question: its value, as a list where it holds names, and its words."""
    shown = {}
    for f in question.FIELDS:
        value = row[f.name]
        if f.kind in ("names", "order"):
            value = [part for part in value.split(",") if part]
        elif f.kind != "choice":
            value = float(value)
        shown[f.name] = {"value": value, "text": readout(f, row[f.name])}
    return shown


def told(changes: Mapping[str, Any]) -> str:
    """What differs from the preset, in words."""
    fields = [(question.BY_NAME[name], value) for name, value in changes.items()]
    words = "; ".join(escape(f"{field.label} {readout(field, value)}") for field, value in fields)
    return f"<p>Changed: {words}.</p>" if words else "<p>Nothing is changed.</p>"


def _choices(field: Field, facts: Facts) -> dict[str, Any]:
    """What may be chosen: value, words, and the meaning where the facts know one."""
    if not isinstance(field.choices, str):
        said = {c: level_words(facts, c) if field.name == "latency" else "" for c in field.choices}
        return {"choices": [{"value": c, "text": c.replace("_", " "), "meaning": said[c]} for c in field.choices]}
    others, known = question.WORDS_FOR_A_KEY.get(field.name, ()), facts.rules.get(field.choices, {})
    words = {word: {"name": word.replace("_", " "), "meaning": ""} for word in others}
    words |= {key: known.get(key, {"name": key, "meaning": ""}) for key in facts.keys()[field.choices]}
    return {"choices": [{"value": k, "text": w["name"], "meaning": w["meaning"]} for k, w in words.items()]}
