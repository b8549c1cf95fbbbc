"""What reopens a decision: volumes of the roadmap, and the facts with most at stake."""

import pandas as pd

from ...analysis.provenance import at_stake
from ...analysis.roadmap import TRIGGER, roadmap
from ...decision.answer import Answer
from ...inputs.facts import Facts, remembered, rows_of
from ...inputs.question import ScenarioError
from .routing import recommended

MOST = 5
"""Facts that are told of: the recommendation turns first on one of them, or they change its cost most."""


@remembered
def volumes(answer: Answer) -> pd.DataFrame:
    """The triggers of the roadmap of a one-row answer, as it has them; none where there is no roadmap."""
    try:
        return roadmap(answer.scenarios, answer.facts, answer.hours).triggers
    except ScenarioError:
        return pd.DataFrame(columns=TRIGGER)


@remembered
def stakes(answer: Answer) -> pd.DataFrame:
    """The facts of `at_stake` on which the recommendation turns, then those that change its cost most; `MOST` rows.

    Beside its columns, `above` and `below`: the values beyond which to ask again. At an end of the range where another
    option is ahead any change towards it is one; else it is that end.
    """
    found, name = at_stake(answer), recommended(answer)
    turns = {end: ~found[f"option_at_{end}"].isin([name]) for end in ("low", "high")}
    found["below"] = found["value"].where(turns["low"], found["low"])
    found["above"] = found["value"].where(turns["high"], found["high"])
    order = (turns["low"] | turns["high"]).sort_values(ascending=False, kind="stable").index
    return found.loc[order].head(MOST).reset_index(drop=True)


def fact_words(facts: Facts, table: str, key: str) -> str:
    """What a fact is, in words, with its key."""
    meaning = rows_of(facts, table)[key].get("meaning", "").rstrip(".")
    return f"{meaning} ({key})" if meaning else f"{table} {key}"
