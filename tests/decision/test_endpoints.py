"""Dedicated endpoints: a fleet that a vendor of APIs runs for one customer, with the rules and the staff of an API."""

from dataclasses import replace

import numpy as np
import pytest

from drawn import random_rows
from toy import shipped
from where_to_run.analysis import draws, hybrid, provenance, uncertainty
from where_to_run.analysis.stages import stages
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import HOSTED
from where_to_run.inputs import facts
from where_to_run.inputs.question import GOOD_ENOUGH, grid
from where_to_run.views.titles import titles

STEADY = {"spikiness": 1.05, "growth_per_month": 0.0, "batch_share": 0.0, "sensitive_share": 0.0, "latency": "batch"}


def priced(factor: float) -> facts.Facts:
    """The facts with all prices of dedicated endpoints a factor of today's."""
    rows = shipped().table("dedicated")
    prices = [name for name in rows if name.endswith("_usd_per_h")]
    rows = rows.assign(**{name: rows[name] * factor for name in prices})
    return replace(shipped(), tables=shipped().tables | {"dedicated": rows}, made={})


def hosted(known: facts.Facts, preset: str = "", **fields):
    """The answer to a scenario, and the row of open weights at a vendor."""
    answer = evaluate(grid(preset, **STEADY | fields), known)
    return answer, answer.options.set_index("option").loc[HOSTED]


def test_an_endpoint_is_paid_by_the_hour_with_nothing_for_storage_traffic_or_people_who_run_it():
    answer, _ = hosted(priced(0.1))
    lines = answer.lines[answer.lines["option"] == HOSTED]
    assert set(lines["line"]) == {"dedicated endpoints", "people there", "set-up project"}
    (size,) = answer.sizing[(answer.sizing["option"] == HOSTED) & (answer.sizing["month"] == 1)].to_dict("records")
    price = priced(0.1).table("dedicated").at[size["offer"], "on_demand_usd_per_h"]
    stands = lines[(lines["line"] == "dedicated endpoints") & (lines["month"] == 1)]["usd"].sum()
    # machines x USD/h x 730 h; a steady load is never above what stands
    assert stands == pytest.approx(size["machines"] * price * 730, rel=1e-3)
    at_api = answer.lines[(answer.lines["option"] == "api") & (answer.lines["line"] == "people there")]["usd"].sum()
    assert lines[lines["line"] == "people there"]["usd"].sum() == pytest.approx(at_api)
    assert "dedicated endpoint" in titles(answer)[HOSTED]
    rests = provenance.rests_on(answer, HOSTED)["vendor_api", "dedicated endpoints"]
    assert rests == [provenance.Fact("dedicated", size["offer"])]
    assert set(hybrid.routes(answer, [HOSTED])["offer"]) == {size["offer"]}
    assert answer.option(HOSTED).firms == [shipped().table("dedicated").at[size["offer"], "provider"]]


def test_by_the_token_or_by_the_hour_what_is_worth_more_is_taken():
    rows = random_rows(40, 3).assign(api_model=GOOD_ENOUGH, open_model=GOOD_ENOUGH)
    cost = "generalised_usd_per_month"
    dear, asked, cheap = (
        evaluate(rows, priced(factor))
        .figures.query("option == @HOSTED and verdict != 'blocked'")
        .set_index("scenario")[cost]
        for factor in (1000, 1, 0.1)
    )
    assert len(dear) >= 5
    assert (asked.loc[dear.index] <= dear * (1 + 1e-9)).all() and (cheap.loc[asked.index] <= asked * (1 + 1e-9)).all()
    assert (cheap.loc[dear.index] < dear * 0.99).any()


def test_an_endpoint_is_priced_where_its_vendor_signs_what_is_asked():
    signs = shipped().table("passports").query("service == 'api' and paper == 'baa' and available != 'no'")["vendor"]
    providers = shipped().table("dedicated")["provider"]
    assert set(providers) - set(signs) and set(providers) & set(signs)
    secret = {"sensitive_share": 1.0, "regimes": ["hipaa"], "evidence": ["baa", "no_training", "zero_retention"]}
    answer, row = hosted(priced(0.01), **secret)
    assert row["verdict"] != "blocked" and answer.option(HOSTED).question.endpoints
    (offer,) = answer.sizing.loc[answer.sizing["option"] == HOSTED, "offer"].unique()
    assert providers[offer] in set(signs)
    answer, row = hosted(priced(0.01), **secret | {"evidence": []})
    assert row["verdict"] == "blocked" and not answer.option(HOSTED).question.endpoints


def test_draws_keep_to_the_endpoints_of_today():
    answer, row = hosted(priced(0.1))
    plan = uncertainty.planned(answer)
    assert set(plan.facts.table("dedicated").index) == set(
        answer.sizing.loc[answer.sizing["option"] == HOSTED, "offer"]
    )
    run = plan.at(draws.points(16, len(uncertainty.INPUTS)))
    assert np.isfinite(run.cost[:, run.options.index(HOSTED)]).all()
    kept = evaluate(grid(**STEADY), priced(0.1), committed={HOSTED: plan.routings[HOSTED]}).options
    assert kept["usd_per_month"].tolist() == pytest.approx([row["usd_per_month"]])


def test_what_would_let_a_model_too_weak_is_still_told_of_the_best_there_is():
    answer, row = hosted(priced(0.01), quality_needed="frontier", task="coding")
    assert row["verdict"] == "blocked" and not answer.option(HOSTED).question.endpoints


def test_a_stage_of_the_roadmap_costs_what_the_answer_says_of_its_first_month():
    known, volume = priced(0.1), grid(**STEADY)["requests_per_month"].iloc[0]
    answer, _ = hosted(known)
    lines = answer.lines[(answer.lines["option"] == HOSTED) & (answer.lines["month"] == 1)]["usd"].sum()
    costed, _ = stages(grid(**STEADY), known, np.array([volume]), (volume, volume))
    assert [usd[0] for stage, usd, *_ in costed if stage.option == HOSTED] == pytest.approx([lines], rel=1e-3)
