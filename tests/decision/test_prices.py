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
    # without its business associate agreement the hospital may go to no vendor
    rows = question.grid("hospital", evidence=[], capex_limit_usd=1e10, weeks_to_launch=100, skill_ml=3)
    now, then = recommended(rows), recommended(rows.assign(evidence="baa"))
    found = prices(evaluate(rows, facts.load())).set_index("lifted").loc["business associate agreement"]
    saves = now["generalised_usd_per_month"] - then["generalised_usd_per_month"]
    assert saves > 0 and found["saves_usd_per_month"] == pytest.approx(saves)
    assert found["bill_usd_per_month"] == pytest.approx(then["level_usd_per_month"] - now["level_usd_per_month"])
    assert found["option"] == "api" and found["filters"] and found["bars"] == 1


def test_the_price_of_the_spares_is_what_the_answer_costs_less_without():
    rows = question.grid("public_body")
    now, then = recommended(rows), recommended(rows.assign(availability="none"))
    lifted = prices(evaluate(rows, facts.load())).set_index("lifted")
    found = lifted.loc["availability none in place of business hours"]
    saves = now["generalised_usd_per_month"] - then["generalised_usd_per_month"]
    assert saves > 0 and found["saves_usd_per_month"] == pytest.approx(saves)
    assert found["fields"] == {"availability": "none"} and not found["filters"]


def test_what_two_papers_open_only_together_is_a_row_of_two():
    fields = {"sensitive_share": 1, "regimes": ["hipaa", "soc2"], "weeks_to_launch": 60, "capex_limit_usd": 1e10}
    rows = question.grid(**fields, **{f"skill_{area}": 4 for area in question.SKILLS})
    found = prices(evaluate(rows, facts.load()))
    (both,) = [row for row in found[found["bars"] == 2].itertuples() if row.fields == {"evidence": "baa,soc2"}]
    assert both.option == "api"
    now, then = recommended(rows), recommended(rows.assign(**both.fields))
    saves = now["generalised_usd_per_month"] - then["generalised_usd_per_month"]
    assert both.saves_usd_per_month == pytest.approx(saves)
    for alone in ("baa", "soc2"):
        assert recommended(rows.assign(evidence=alone))["option"] == now["option"] != "api"


def test_where_a_jurisdiction_or_a_list_of_firms_bars_something_it_has_a_price():
    # the firm has no API among its offers, and only an API is quick enough
    rows = question.grid("startup", approved_vendors=["Lambda"])
    found = prices(evaluate(rows, facts.load())).set_index("lifted")
    assert found.loc["any vendor", "option"] == "api" and found.loc["any vendor", "fields"] == {"approved_vendors": ""}
    rows = question.grid("startup", jurisdiction="cn", evidence=["zero_retention", "no_training"], regimes=["contract"])
    found = prices(evaluate(rows, facts.load()))
    assert "any jurisdiction" in set(found["lifted"]) or found["lifted"].str.contains("any jurisdiction").any()


def test_where_nothing_costs_anything_the_table_is_empty():
    fields = {f"skill_{area}": 5 for area in question.SKILLS} | {"quality_needed": "light", "sensitive_share": 0}
    fields |= {"availability": "none"}
    assert prices(evaluate(question.grid(**fields), facts.load())).empty


def test_where_nothing_is_allowed_it_says_what_opens_an_option():
    rows = question.grid("startup", weeks_to_launch=0)
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
    rows = random_rows(60, seed=8).assign(api_model=GOOD_ENOUGH, open_model=GOOD_ENOUGH, quality_needed="light")
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
