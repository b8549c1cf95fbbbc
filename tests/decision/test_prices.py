"""The price of a rule: what the answer would cost without it, one by one and in pairs."""

import numpy as np
import pytest

from drawn import random_rows
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.prices import prices
from where_to_run.inputs import facts, question
from where_to_run.inputs.question import GOOD_ENOUGH


def recommended(rows):
    found = evaluate(rows, facts.load()).figures
    return found[found["recommended"]].iloc[0]


def test_the_price_of_a_paper_is_the_difference_of_the_generalised_costs():
    # the hospital has its agreement with the cloud; zero retention opens an API
    rows = question.grid("hospital")
    now = recommended(rows)
    then = recommended(rows.assign(evidence="baa,zero_retention"))
    found = prices(evaluate(rows, facts.load())).set_index("lifted").loc["zero data retention"]
    saves = now["generalised_usd_per_month"] - then["generalised_usd_per_month"]
    assert saves > 0 and found["saves_usd_per_month"] == pytest.approx(saves)
    assert found["bill_usd_per_month"] == pytest.approx(then["level_usd_per_month"] - now["level_usd_per_month"])
    assert found["option"] == "api" and found["filters"] and found["bars"] == 1


def test_what_two_bars_open_only_together_is_a_row_of_two():
    # own tenancy and a missing transfer basis both keep the public body off an API: one alone opens none
    rows = question.grid("public_body")
    found = prices(evaluate(rows, facts.load()))
    pairs = found[found["bars"] == 2]
    (both,) = [row for row in pairs.itertuples() if row.fields.get("control") == "none" and "evidence" in row.fields]
    assert both.option == "api"
    now, then = recommended(rows), recommended(rows.assign(**both.fields))
    saves = now["generalised_usd_per_month"] - then["generalised_usd_per_month"]
    assert both.saves_usd_per_month == pytest.approx(saves)
    for alone in ({"control": "none"}, {"evidence": both.fields["evidence"]}):
        assert recommended(rows.assign(**alone))["option"] != "api"


def test_where_nothing_costs_anything_the_table_is_empty():
    fields = {f"skill_{area}": 5 for area in question.SKILLS} | {"quality_needed": "light", "sensitive_share": 0}
    assert prices(evaluate(question.grid(**fields), facts.load())).empty


def test_where_nothing_is_allowed_it_says_what_opens_an_option():
    rows = question.grid("startup", weeks_to_launch=1)
    answer = evaluate(rows, facts.load())
    assert not answer.figures["recommended"].any()
    found = prices(answer)
    assert len(found) and found["saves_usd_per_month"].isna().all()
    for row in found.itertuples():
        assert evaluate(rows.assign(**row.fields), facts.load()).figures["recommended"].any()
    (deadline,) = found.loc[found["lifted"].str.endswith("weeks to launch") & (found["bars"] == 1), "lifted"]
    needed = int(deadline.split()[0])
    assert evaluate(rows.assign(weeks_to_launch=float(needed)), facts.load()).figures["recommended"].any()
    assert not evaluate(rows.assign(weeks_to_launch=needed - 1.0), facts.load()).figures["recommended"].any()


def test_lifting_what_only_filters_never_raises_the_least_generalised_cost():
    rows = random_rows(40, seed=8).assign(api_model=GOOD_ENOUGH, open_model=GOOD_ENOUGH, quality_needed="light")
    seen = 0
    for number in range(len(rows)):
        answer = evaluate(rows.iloc[[number]].reset_index(drop=True), facts.load())
        found = prices(answer)
        assert (found["saves_usd_per_month"].dropna() >= 0).all()
        for row in found[found["filters"]].itertuples():
            then = evaluate(answer.scenarios.assign(**row.fields), answer.facts).figures
            least = then.loc[then["verdict"] != "blocked", "generalised_usd_per_month"].min()
            now = answer.figures
            before = now.loc[now["verdict"] != "blocked", "generalised_usd_per_month"].min()
            assert np.isnan(before) or least <= before * (1 + 1e-9)
            seen += 1
    assert seen > 20
