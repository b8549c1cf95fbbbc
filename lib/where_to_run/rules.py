"""Rules: which place a stream of traffic may be served at, why not, and what would lift it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any

import numpy as np

from .facts import source_problem
from .scenario import PLACES, STREAMS
from .units import Array

VERDICTS = ("ok", "conditional", "blocked")
OK, CONDITIONAL, BLOCKED = range(3)
NO_RULE = -1


def _matches(rule: Mapping[str, Any], stream: tuple[str, str], profile: Mapping[str, str]) -> bool:
    """Whether every condition of a rule holds; a list means one of its names, for regimes any of the scenario's."""
    asked = {"data_class": {stream[0]}, "task": {stream[1]}} | {k: set(v.split(",")) for k, v in profile.items()}
    return all(asked[field] & set(names) for field, names in rule["when"].items())


def lifts(rule: Mapping[str, Any], place: str) -> list[str]:
    """Evidence that lifts a rule at a place: one list for all places, or one for each it speaks of."""
    lifted_by = rule["lifted_by"]
    return list(lifted_by.get(place, []) if isinstance(lifted_by, Mapping) else lifted_by)


def _level(rule: Mapping[str, Any], place: str, evidence: set[str]) -> int:
    """Verdict of a rule that applies: kept places are ok, conditional ones named, others blocked; lifted, one less."""
    conditional = rule.get("conditional_on", [])
    level = OK if place in rule["keep_on"] else CONDITIONAL if place in conditional else BLOCKED
    lifted = lifts(rule, place)
    return max(OK, level - 1) if lifted and set(lifted) <= evidence else level


def fired(rules: Sequence[Mapping[str, Any]], profile: Mapping[str, str]) -> Iterator[tuple[int, int, int, int]]:
    """Every rule that applies to a stream under a profile: (stream, place, rule, level), all as positions.

    `profile` holds the scenario's regimes, evidence, control and customisation, names joined by commas.
    """
    evidence = set(profile["evidence"].split(","))
    for number, rule in enumerate(rules):
        for s, stream in enumerate(STREAMS):
            if _matches(rule, stream, profile):
                for p, place in enumerate(PLACES):
                    yield s, p, number, _level(rule, place, evidence)


def judge(rules: Sequence[Mapping[str, Any]], profile: Mapping[str, str]) -> tuple[Array, Array]:
    """Worst verdict of each stream at each place, and the first rule that gives it (NO_RULE where ok).

    Two arrays of STREAMS x PLACES. A place no rule mentions is ok.
    """
    level = np.full((len(STREAMS), len(PLACES)), OK, dtype=np.int8)
    rule = np.full((len(STREAMS), len(PLACES)), NO_RULE, dtype=np.int16)
    for s, p, number, verdict in fired(rules, profile):
        if verdict > level[s, p]:
            level[s, p], rule[s, p] = verdict, number
    return level, rule


def unlock(rule: Mapping[str, Any], place: int, evidence: str) -> str:
    """What would lift a rule at a place, in words: what is still missing of the evidence, or that nothing is."""
    needed = lifts(rule, PLACES[place])
    missing = [name for name in needed if name not in evidence.split(",")]
    if needed and not missing:
        return "All the evidence is in hand; keep it current and meet the condition"
    words: str = rule["unlock"]
    return f"{words}. Still missing: {', '.join(missing)}" if 0 < len(missing) < len(needed) else words


def problems(rules: Mapping[str, Any]) -> list[str]:
    """What is wrong with the rule file: names that are not defined, a rule without a reason or a source."""
    found = []
    for rule in rules["rules"]:
        where = f"rules.yaml, rule {rule.get('id', '?')!r}"
        lacking = [k for k in ("when", "keep_on", "lifted_by", "because", "source", "since") if k not in rule]
        found += [f"{where}: lacks {k}" for k in lacking]
        if lacking:
            continue
        if problem := source_problem(rule["source"], rule["because"]):
            found.append(f"{where}: {problem}")
        evidence = {name for place in PLACES for name in lifts(rule, place)}
        named = {"evidence": evidence, "regimes": set(rule["when"].get("regimes", []))}
        for kind, names in named.items():
            found += [f"{where}: {n!r} is not among its {kind}" for n in sorted(names - set(rules[kind]))]
        named_places = {*rule["keep_on"], *rule.get("conditional_on", [])}
        named_places |= set(rule["lifted_by"]) if isinstance(rule["lifted_by"], Mapping) else set()
        found += [f"{where}: no place {p!r}" for p in sorted(named_places - set(PLACES))]
    return found


@lru_cache(maxsize=10_000)
def _filled(words: str, amount: float, limit: Any = None) -> str:
    rounded_up = f"{ceil(amount):,}"
    return words % (rounded_up if limit is None else (rounded_up, limit if isinstance(limit, str) else f"{limit:,.0f}"))


@dataclass(frozen=True)
class Limit:
    """A limit the scenario sets itself: what is measured, the field it is held to, and what to say where it breaks."""

    name: str
    amount: str
    field: str
    because: str
    unlock: str

    def reason(self, amount: float, limit: Any) -> str:
        """Why an amount breaks its limit, in words; the amount is rounded up."""
        return _filled(self.because, amount, limit)

    def remedy(self, amount: float) -> str:
        """What would lift the limit; the amount is rounded up, so that it suffices."""
        return _filled(self.unlock, amount)


LIMITS = (
    Limit(
        "fits",
        "misfits",
        "open_model",
        "Nothing in the tables serves requests of this length with %.0s%s or the API model, or not before the horizon",
        "a smaller open_model, gpu: cheapest, shorter requests, an api_model with more context, a longer horizon%.0s",
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
