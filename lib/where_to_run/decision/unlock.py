"""The nearest way out: which single change opens an option where nothing is allowed."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..formulas.people import HIGHEST_LEVEL
from ..inputs.question import BY_NAME, PLACES, SKILLS
from . import rules
from .answer import Answer
from .evaluate import evaluate

LOOSER = {
    "control": ("air_gapped", "own_tenancy", "region", "none"),
    "customisation": ("weights", "fine_tuning", "prompting"),
}
COLUMNS = ["scenario", "option", "field", "value", "change"]


def single_changes(answer: Answer) -> pd.DataFrame:
    """Every single change that opens an option of a scenario in which none is allowed.

    Columns: scenario, option, field, value, change (in words). Tried by evaluating the changed scenario: one skill
    raised, evidence for one rule, more weeks, more budget, more hardware, one step less control or customisation.
    Of several values of a field the smallest that opens the option is kept. Empty where no single change is enough.
    """
    stuck = answer.figures.groupby("scenario")["recommended"].any()
    tries = [(number, *change) for number in stuck.index[~stuck] for change in _changes(answer, int(number))]
    if not tries:
        return pd.DataFrame(columns=COLUMNS)
    rows = answer.scenarios.loc[[number for number, *_ in tries]].reset_index(drop=True).astype(object)
    for at, (_, name, value, _) in enumerate(tries):
        rows.at[at, name] = value
    opened = evaluate(rows, answer.facts, answer.hours).figures
    opened = opened[opened["verdict"] != "blocked"]
    found = [(tries[row.scenario][0], row.option, *tries[row.scenario][1:]) for row in opened.itertuples()]
    return pd.DataFrame(found, columns=COLUMNS).drop_duplicates(["scenario", "option", "field"]).reset_index(drop=True)


def _changes(answer: Answer, number: int) -> Iterator[tuple[str, Any, str]]:
    """Changes worth a try, the smallest of each kind first: field, value, words."""
    row = answer.scenarios.loc[number]
    for area in SKILLS:
        for level in range(int(row[f"skill_{area}"]) + 1, HIGHEST_LEVEL + 1):
            yield f"skill_{area}", level, f"someone who brings {area} to level {level}"
    for names in _missing_evidence(answer, number):
        have = [name for name in row["evidence"].split(",") if name]
        yield "evidence", ",".join(sorted({*have, *names})), f"evidence: {' and '.join(names)}"
    needed = answer.figures[answer.options["scenario"] == number]
    for name, column, words in _AMOUNTS:
        limit = BY_NAME[name].high
        for amount in sorted({float(np.ceil(a)) for a in needed[column] if row[name] < a <= limit}):
            yield name, amount, words.format(amount)
    for name, steps in LOOSER.items():
        for value in steps[steps.index(row[name]) + 1 :]:
            yield name, value, f"{name}: {value} instead of {row[name]}"


_AMOUNTS = (
    ("weeks_to_launch", "launch_weeks", "{:,.0f} weeks to launch"),
    ("budget_usd_per_month", "running_usd_per_month", "a budget of {:,.0f} USD a month"),
    ("capex_limit_usd", "capex_usd", "{:,.0f} USD for hardware"),
)


def _missing_evidence(answer: Answer, number: int) -> list[tuple[str, ...]]:
    """What is missing to lift each rule that speaks in a scenario, at any place, the fewest pieces first."""
    have = set(answer.scenarios.loc[number, "evidence"].split(","))
    named = {rule["id"]: rule for rule in answer.facts.rules["rules"]}
    spoken = answer.verdicts[(answer.verdicts["scenario"] == number) & (answer.verdicts["verdict"] == "blocked")][
        "rule"
    ].unique()
    lifts = {
        tuple(piece for piece in rules.lifts(named[rule], place) if piece not in have)
        for rule in spoken
        if rule in named
        for place in PLACES
    }
    return sorted((pieces for pieces in lifts if pieces), key=lambda pieces: (len(pieces), pieces))
