"""Reasons: which rule or limit strikes an option out, and the words for it, made for those who read them alone."""

from collections.abc import Mapping

import numpy as np

from . import rules
from .facts import Facts
from .rules import BLOCKED, CONDITIONAL, LIMITS
from .units import Array

NOTHING = -1
"""What bars an option that nothing bars."""


def bar(facts: Facts, columns: Mapping[str, Array]) -> Array:
    """What strikes out each option: NOTHING, or a position in `bars`; a rule comes before the limits."""
    broken = columns["broken"]
    limit = np.where(broken.any(axis=2), len(facts.rules["rules"]) + broken.argmax(axis=2), NOTHING)
    return np.where(columns["by_rule"] == BLOCKED, columns["rule"], limit)


def bars(facts: Facts) -> list[str]:
    """The id of every rule, then the name of every limit."""
    return [rule["id"] for rule in facts.rules["rules"]] + [limit.name for limit in LIMITS]


def words(facts: Facts, rows: Mapping[str, Array], columns: Mapping[str, Array], at: Array) -> tuple[Array, Array]:
    """The first reason and all remedies at some positions over (scenario, option); empty where all is well."""
    options = columns["by_rule"].shape[1]
    by_rule, rule, place = (columns[name].ravel()[at] for name in ("by_rule", "rule", "place"))
    broken = columns["broken"].reshape(-1, len(LIMITS))[at]
    because, unlock = np.full((2, len(at)), "", dtype=object)
    spoken = (by_rule == BLOCKED) | ((by_rule == CONDITIONAL) & ~broken.any(axis=1))
    for n in np.flatnonzero(spoken).tolist():
        evidence = rows["evidence"][at[n] // options]
        because[n], unlock[n] = _by_rule(facts, int(rule[n]), int(by_rule[n]), int(place[n]), evidence)
    for column, limit in enumerate(LIMITS):
        breaks = np.flatnonzero(broken[:, column])
        amounts, first = columns[limit.amount].ravel()[at[breaks]], because[breaks] == ""
        held_to = rows[limit.field][at[breaks] // options][first].tolist()
        because[breaks[first]] = [limit.reason(*pair) for pair in zip(amounts[first].tolist(), held_to, strict=True)]
        distinct, number = np.unique(np.ceil(amounts), return_inverse=True)
        remedy = np.array([limit.remedy(amount) for amount in distinct.tolist()], dtype=object)[number]
        unlock[breaks] = np.where(unlock[breaks] == "", remedy, unlock[breaks] + "; and " + remedy)
    return because, unlock


def _by_rule(facts: Facts, rule: int, level: int, place: int, evidence: str) -> tuple[str, str]:
    """What a rule says at a level, and what would lift it with the evidence in hand."""
    written = facts.rules["rules"][rule]
    said = written["because"] if level == BLOCKED else written["condition"]
    lift = facts.cached(("lift", rule, place, evidence), lambda: rules.unlock(written, place, evidence))
    return said, lift
