"""Rules: which place a stream of traffic may be served at, why not, what would lift it; `search` asks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..inputs.question import PLACES, STREAMS
from ..inputs.tables import source_problem
from ..units import Array

VERDICTS = ("ok", "conditional", "blocked")
OK, CONDITIONAL, BLOCKED = range(3)
NO_RULE = -1


def _matches(rule: Mapping[str, Any], stream: tuple[str, ...], profile: Mapping[str, str]) -> bool:
    """Whether every condition of a rule holds; a list means one of its names, for regimes any of the scenario's."""
    asked = {"data_class": {stream[0]}, "domain": {stream[1]}} | {k: set(v.split(",")) for k, v in profile.items()}
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
