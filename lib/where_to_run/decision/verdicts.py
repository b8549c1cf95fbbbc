"""Verdicts: the limits that strike an option out beside the rules, and the words for both."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from ..inputs.facts import Facts
from ..inputs.question import PLACES
from ..units import WEEKS_PER_MONTH, Array
from . import quality, rules
from .rules import BLOCKED, CONDITIONAL

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
        profile = {name: rows[name][at[n] // options] for name in rules.PROFILE}
        because[n], unlock[n] = _by_rule(facts, int(rule[n]), int(by_rule[n]), PLACES[place[n]], profile)
    for column, limit in enumerate(LIMITS):
        for n in np.flatnonzero(broken[:, column]).tolist():
            said, lift = by_limit(facts, limit, rows, columns, *divmod(int(at[n]), options))
            because[n] = because[n] or said
            unlock[n] = f"{unlock[n]}; and {lift}" if unlock[n] else lift
    return because, unlock


def by_limit(
    facts: Facts, limit: "Limit", rows: Mapping[str, Array], columns: Mapping[str, Array], scenario: int, option: int
) -> tuple[str, str]:
    """Why an option of a scenario breaks a limit, and what would lift it, in words; amounts are rounded up."""
    if limit.name != "quality":
        amount = float(columns[limit.amount][scenario, option])
        return limit.reason(amount, rows[limit.field][scenario]), limit.remedy(amount)
    names = ("short_key", "short_figure", "short_points", "short_hard")
    key, figure, points, hard = (columns[name][scenario, option] for name in names)
    task = rows["task"][scenario]
    said = f"{quality.described(facts, key, task)}; the floor of a"
    if not hard and rows["quality_floor"][scenario] > 0:
        said = f"{said} {task.replace('_', ' ')} task of yours is {figure + points:g}"
    else:
        level = rows["hard_quality" if hard else "quality_needed"][scenario]
        said = f"{said} {level} {task.replace('_', ' ')} task is {figure + points:g}"
    return (
        said,
        f"a model that reaches it, or a floor of at most {figure:g} ({'hard_quality' if hard else 'quality_floor'})",
    )


def _by_rule(facts: Facts, rule: int, level: int, place: str, profile: Mapping[str, str]) -> tuple[str, str]:
    """What a rule says at a level, and what would lift it with the papers in hand."""
    written = facts.rules["rules"][rule]
    said = written["because"] if level == BLOCKED else written["condition"]
    return said, rules.unlock(facts, rule, place, profile)


@lru_cache(maxsize=10_000)
def _filled(words: str, amount: float, limit: Any = None) -> str:
    rounded_up = f"{ceil(amount):,}"
    return words % (rounded_up if limit is None else (rounded_up, limit if isinstance(limit, str) else f"{limit:,.0f}"))


@dataclass(frozen=True)
class Limit:
    """A limit the scenario sets itself: what is measured, the field it is held to, and what to say where it breaks.

    One in the unit of the field is `per` in that of what is measured.
    """

    name: str
    amount: str
    field: str
    because: str
    unlock: str
    per: float = 1.0

    def reason(self, amount: float, limit: Any) -> str:
        """Why an amount breaks its limit, in words; the amount is rounded up."""
        return _filled(self.because, amount, limit if isinstance(limit, str) else limit * self.per)

    def remedy(self, amount: float) -> str:
        """What would lift the limit; the amount is rounded up, so that it suffices."""
        return _filled(self.unlock, amount / self.per)


LIMITS = (
    Limit("quality", "short_points", "quality_needed", "", ""),
    Limit(
        "fits",
        "misfits",
        "open_model",
        "Nothing in the tables serves requests of this length with %.0s%s or the API model",
        "a smaller open_model, gpu: cheapest, shorter requests, an api_model with more context%.0s",
    ),
    Limit(
        "project",
        "setup_weeks",
        "horizon_months",
        "Takes %s weeks to deliver and set up; the project ends after %s",
        "horizon_months of at least %s",
        WEEKS_PER_MONTH,
    ),
    Limit(
        "project_team",
        "people_weeks",
        "horizon_months",
        "Takes %s weeks to train or hire the people it needs; the project ends after %s",
        "horizon_months of at least %s, or the missing skills in the team",
        WEEKS_PER_MONTH,
    ),
    Limit(
        "delivery",
        "setup_weeks",
        "weeks_to_launch",
        "Takes %s weeks to deliver and set up; the deadline is %s",
        "weeks_to_launch of at least %s",
    ),
    Limit(
        "team",
        "people_weeks",
        "weeks_to_launch",
        "Takes %s weeks to train or hire the people it needs; the deadline is %s",
        "weeks_to_launch of at least %s, or the missing skills in the team",
    ),
    Limit(
        "on_call",
        "on_call",
        "skill_operations",
        "Machines around the clock take people on call, operations skill %s; the team has %s",
        "skill_operations of at least %s, or availability: business_hours",
    ),
    Limit(
        "papers",
        "papers_weeks",
        "weeks_to_launch",
        "Takes %s weeks to get the papers that are missing; the deadline is %s",
        "weeks_to_launch of at least %s, or the papers in hand",
    ),
    Limit(
        "capex",
        "capex_usd",
        "capex_limit_usd",
        "Needs %s USD of hardware on day one; the limit is %s",
        "capex_limit_usd of at least %s",
    ),
    Limit(
        "budget",
        "running_usd_per_month",
        "budget_usd_per_month",
        "Runs at %s USD a month; the budget is %s",
        "budget_usd_per_month of at least %s",
    ),
)
"""In the order in which they are named as the reason."""
