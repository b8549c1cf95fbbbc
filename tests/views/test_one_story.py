"""One story: what is said of a scenario is the same alone, among others, drawn without spread, and on every page."""

import numpy as np
import pandas as pd
import pytest

from drawn import ALL_EVIDENCE, random_rows
from where_to_run.analysis import breakeven
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question
from where_to_run.inputs.question import GOOD_ENOUGH
from where_to_run.views import order
from where_to_run.views.titles import titles


def drawn(number: int) -> pd.DataFrame:
    draw = np.random.default_rng(12)
    return random_rows(number, seed=12).assign(
        task=draw.choice(question.BY_NAME["task"].choices[:4], number),
        quality_needed=draw.choice(["light", "medium", "demanding"], number),
        hard_share=draw.choice([0.0, 0.0, 0.2], number),
        premium=draw.choice([0.0, 0.5, 1.5], number),
        evidence=",".join(sorted(ALL_EVIDENCE)),
        api_model=GOOD_ENOUGH,
        open_model=GOOD_ENOUGH,
    )


def test_a_scenario_is_answered_alone_as_it_is_among_others():
    rows = drawn(40)
    among = evaluate(rows, facts.load()).figures.set_index("scenario")
    for number in range(len(rows)):
        alone = evaluate(rows.iloc[[number]].reset_index(drop=True), facts.load()).figures
        for name in ("generalised_usd_per_month", "npv_usd", "rank"):
            assert alone[name].to_numpy() == pytest.approx(among.loc[number, name].to_numpy(), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("preset", ["", *question.presets()])
def test_headline_table_and_winner_are_one_option(preset):
    answer = evaluate(question.grid(preset), facts.load())
    best = answer.figures[answer.figures["recommended"]]
    first, *others = order.allowed(answer)
    assert [first["option"]] == best["option"].tolist()
    assert all(first["generalised_usd_per_month"] <= row["generalised_usd_per_month"] for row in others)
    named = titles(answer)
    (winner,) = breakeven.winners(answer)
    assert named[winner] == named[first["option"]] == first["title"]
