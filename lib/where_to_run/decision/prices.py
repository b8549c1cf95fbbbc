"""Prices of rules: what the answer would cost without a rule, a limit or a demand of the scenario, or without two."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil
from typing import Any

import numpy as np
import pandas as pd

from ..formulas.people import HIGHEST_LEVEL
from ..inputs.facts import remembered
from ..inputs.question import BY_NAME, GOOD_ENOUGH, NAMES_A_REGION, PLACES, SKILLS
from . import quality, rules
from .answer import Answer
from .evaluate import evaluate
from .routing import HOSTED

MEASURE = "generalised_usd_per_month"

ENOUGH = ("api", HOSTED, "free_search")
"""Options among which the least generalised cost of all is found."""

COLUMNS = [
    "lifted",
    "bars",
    "filters",
    "fields",
    "option",
    "usd_per_month",
    "bill_usd_per_month",
    "saves_usd_per_month",
]

LIMITED = {
    "weeks_to_launch": ("launch_weeks", "{:,} weeks to launch"),
    "budget_usd_per_month": ("running_usd_per_month", "a running budget of {:,} USD a month"),
    "capex_limit_usd": ("capex_usd", "{:,} USD for hardware"),
}
"""The limits: the figure each is held to, and the words for what an option needs of it."""

MORE = 1.05
"""What two bars together must save over what each saves alone, to be told as a pair."""


@dataclass(frozen=True)
class Bar:
    """Something a scenario demands that may bar an option: the fields that lift it, the words for that, and whether it
    merely filters, so that without it nothing can cost more.
    """

    lifts: Mapping[str, Any]
    words: str
    filters: bool = True


@remembered
def prices(answer: Answer) -> pd.DataFrame:
    """What each bar of a one-row answer costs, each two that together open more, and all; a row where that saves.

    Columns: lifted (what is given up, in words), bars (how many), filters (false for a change of floor, control,
    customisation, availability or skills, with which options cost other than before), fields (what lifts them, values
    by name), option (what is recommended then), usd_per_month [its mean bill], bill_usd_per_month [change of the level
    cost], saves_usd_per_month [generalised cost less; not a number where nothing is allowed now and this opens
    something]. One bar first, the largest saving first.
    """
    bars = list(_bars(answer))
    # spares and people on call come on top whatever else is given up, so they open nothing more with another
    pairs = combinations([bar for bar in bars if "availability" not in bar.lifts], 2)
    sets = [*([bar] for bar in bars), *map(list, pairs), *([bars] if len(bars) > 2 else [])]
    fields = [_together(answer.asked, lifted) for lifted in sets]
    rows = answer.scenarios.iloc[np.zeros(len(sets), int)].reset_index(drop=True).astype(object)
    for at, changed in enumerate(fields):
        for name, value in changed.items():
            rows.at[at, name] = value
    figures, now = evaluate(rows, answer.facts, answer.hours, ENOUGH).figures, answer.figures
    best, now = figures[figures["recommended"]].set_index("scenario"), now[now["recommended"]]
    have, pays = (float(now[name].iloc[0]) if len(now) else np.inf for name in (MEASURE, "level_usd_per_month"))
    told, alone = [], dict[str, float]()
    for at, lifted in enumerate(sets):
        saves = max(0.0, have - best.at[at, MEASURE]) if at in best.index else 0.0
        if len(lifted) == 1:
            alone[lifted[0].words] = saves
        as_much = MORE * sum(alone[bar.words] for bar in lifted) if len(lifted) == 2 else 0.0
        if saves > max(as_much, 1e-9 * min(have, 1e12)):
            row = best.loc[at]
            words = "all of these" if len(lifted) > 2 else " and ".join(_words(bar, row) for bar in lifted)
            figures_then = row["usd_per_month"], row["level_usd_per_month"] - pays, saves
            filters = all(bar.filters for bar in lifted)
            told.append((words, len(lifted), filters, fields[at], row["option"], *figures_then))
    frame = pd.DataFrame(told, columns=COLUMNS).replace([np.inf, -np.inf], np.nan)
    order = ["bars", "saves_usd_per_month", "usd_per_month"]
    return frame.sort_values(order, ascending=[True, False, True], kind="stable").reset_index(drop=True)


@dataclass(frozen=True)
class Without:
    """What is recommended once a firm is not to be had, and what that costs more [generalised USD/month]: the option
    and the fields it is the answer to; "" and not a number where nothing is allowed then.
    """

    firm: str
    fields: dict[str, Any]
    option: str
    more_usd_per_month: float


@remembered
def without_vendors(answer: Answer) -> list[Without]:
    """For each firm behind the recommended option of a one-row answer what is recommended without it."""
    now = answer.figures[answer.figures["recommended"]]
    if now.empty:
        return []
    firms = answer.option(str(now["option"].iloc[0])).firms
    every = set(answer.asked["approved_vendors"].split(",")) - {""} or {*answer.facts.table("vendors")["firm"]}
    changed = [{"approved_vendors": ",".join(sorted(every - {firm}))} for firm in firms if every - {firm}]
    if not changed:
        return []
    rows = pd.concat([answer.scenarios.assign(**fields) for fields in changed], ignore_index=True)
    then = evaluate(rows, answer.facts, answer.hours, ENOUGH).figures
    best, found = then[then["recommended"]].set_index("scenario"), []
    for at, (firm, fields) in enumerate(zip(firms, changed, strict=True)):
        option, usd = (best.at[at, name] if at in best.index else "" for name in ("option", MEASURE))
        more = float(usd) - float(now[MEASURE].iloc[0]) if option else np.nan
        found.append(Without(firm, fields, str(option), more))
    return found


def _together(asked: Mapping[str, Any], bars: Sequence[Bar]) -> dict[str, Any]:
    """The fields that lift some bars, each with its value; pieces of evidence add up."""
    found: dict[str, Any] = {}
    for bar in bars:
        for name, value in bar.lifts.items():
            had = found.get(name, asked[name])
            found[name] = ",".join(sorted({*had.split(","), *value} - {""})) if name == "evidence" else value
    return found


def _words(bar: Bar, row: pd.Series) -> str:
    """The words for a bar; for a limit with the amount that the option opened needs."""
    (name, *_) = bar.lifts
    return bar.words.format(ceil(row[LIMITED[name][0]])) if name in LIMITED else bar.words


def _bars(answer: Answer) -> Iterator[Bar]:
    """Everything a scenario demands that could be given up."""
    asked = answer.asked
    for pieces in _missing_evidence(answer):
        named = [uncapitalised(answer.facts.rules["papers"][piece]["name"]) for piece in pieces]
        yield Bar({"evidence": pieces}, " with ".join(named))
    for name, (_, words) in LIMITED.items():
        if asked[name] < BY_NAME[name].high:
            yield Bar({name: BY_NAME[name].high}, words)
    for name in ("control", "customisation", "availability"):
        least = BY_NAME[name].choices[0]
        if asked[name] != least:
            yield Bar({name: least}, f"{name} {least} in place of {asked[name]}".replace("_", " "), False)
    yield from _wider(asked)
    for name, words in (("api_model", "any API model"), ("open_model", "any open model")):
        if asked[name] != GOOD_ENOUGH:
            yield Bar({name: GOOD_ENOUGH}, f"{words} that is good enough", False)
    lacking = {f"skill_{area}": HIGHEST_LEVEL for area in SKILLS if asked[f"skill_{area}"] < HIGHEST_LEVEL}
    if lacking:
        yield Bar(lacking, "a team that has every skill", False)
    yield from _lower_floors(asked)


def _wider(asked: Mapping[str, Any]) -> Iterator[Bar]:
    """All vendors, and all jurisdictions; a region demanded goes with its jurisdiction."""
    if asked["approved_vendors"]:
        yield Bar({"approved_vendors": ""}, "any vendor")
    if asked["jurisdiction"] != "any":
        named = asked["control"] in NAMES_A_REGION
        yield Bar({"jurisdiction": "any"} | ({"control": "none"} if named else {}), "any jurisdiction", not named)


def uncapitalised(name: str) -> str:
    """A name as it stands within a sentence: its first word small, unless that is an abbreviation."""
    first, *rest = name.split(" ")
    return " ".join([first if first[1:] != first[1:].lower() else first.lower(), *rest])


def _lower_floors(asked: Mapping[str, Any]) -> Iterator[Bar]:
    if asked["quality_floor"] > 0:
        yield Bar({"quality_floor": asked["quality_floor"] * 0.8}, "a floor a fifth lower", False)
    elif asked["quality_needed"] != quality.LEVELS[0]:
        lower = quality.LEVELS[quality.LEVELS.index(asked["quality_needed"]) - 1]
        yield Bar({"quality_needed": lower}, f"{lower} quality in place of {asked['quality_needed']}", False)
    if asked["hard_share"] > 0:
        yield Bar({"hard_share": 0.0}, "hard requests answered like the others", False)


def _missing_evidence(answer: Answer) -> list[tuple[str, ...]]:
    """What is missing to lift each rule that bars something, at any place, the fewest papers first."""
    named = {rule["id"]: number for number, rule in enumerate(answer.facts.rules["rules"])}
    spoken = answer.verdicts.loc[answer.verdicts["verdict"] == "blocked", "rule"].unique()
    ways = {
        way
        for rule in spoken
        if rule in named
        for place in PLACES
        for way in rules.missing(answer.facts, named[rule], place, answer.asked)
    }
    return sorted(ways, key=lambda way: (len(way), way))
