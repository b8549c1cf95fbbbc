"""Break-even: intervals against a dense scan, several crossings, the map, payback and factors by hand."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from where_to_run import breakeven, evaluate, facts, scenario

FREE = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 260, "sensitive_share": 0}


@cache
def shipped():
    return facts.load()


def free(**fields):
    return scenario.grid(**FREE | fields)


def test_intervals_cover_the_range_without_gaps():
    found = breakeven.intervals(free(), shipped(), "requests_per_month")
    assert found["start"].iloc[0] == pytest.approx(1e3) and found["end"].iloc[-1] == pytest.approx(1e10)
    assert (found["start"].to_numpy()[1:] == found["end"].to_numpy()[:-1]).all()
    assert (found["option"].to_numpy()[1:] != found["option"].to_numpy()[:-1]).all()


@pytest.mark.parametrize("by", ["cheapest", "recommended"])
@pytest.mark.parametrize("field", ["requests_per_month", "spikiness", "output_tokens", "skill_cloud"])
def test_intervals_agree_with_a_dense_scan(field, by):
    rows = free(horizon_months=24)
    found = breakeven.intervals(rows, shipped(), field, by)
    values = breakeven.axis(field, points=1_009)
    inside = pd.IntervalIndex.from_arrays(found["start"], found["end"], closed="left")
    at = inside.get_indexer(values)
    at[at < 0] = len(found) - 1
    grid = scenario.grid(**FREE | {"horizon_months": 24, field: list(values)})
    scanned = breakeven.winners(evaluate(grid, shipped()), by)
    # a stretch narrower than the gaps of the first scan can be missed; it may be one point in two hundred at most
    assert (scanned != found["option"].to_numpy()[at]).mean() <= 0.005


def test_at_a_crossing_both_sides_cost_the_same():
    found = breakeven.intervals(free(), shipped(), "spikiness")
    assert len(found) >= 2
    crossing = found["end"].iloc[0]
    answer = evaluate(free(spikiness=crossing), shipped())
    cost = answer.options.set_index("option")["npv_usd"]
    step = evaluate(free(spikiness=crossing * 1.001), shipped()).options.set_index("option")["npv_usd"]
    first, second = found["option"].iloc[:2]
    # whole machines: on one side of a step the first is cheaper, on the other the second
    assert cost[first] <= cost[second] * 1.05 and step[second] <= step[first] * 1.001


def test_whole_machines_make_the_curves_cross_back():
    """Volume from one replica to the next: rented machines come whole, so the API is cheaper again after each step."""
    able = {f"skill_{area}": 5 for area in scenario.SKILLS}
    rows = free(**able, gpu="l40s", growth_per_month=0, output_tokens=600, spikiness=3)
    found = breakeven.intervals(rows, shipped(), "requests_per_month", low=1e6, high=1e7)
    assert len(found) - 1 >= 3
    assert list(found["option"])[:3:2] == [found["option"].iloc[0]] * 2


def test_an_option_that_never_wins_has_no_interval():
    found = breakeven.intervals(free(control="air_gapped"), shipped(), "requests_per_month", low=1e4, high=1e6)
    assert set(found["option"]) == {"owned"}


def test_where_nothing_is_allowed_none_wins():
    rows = scenario.grid(control="air_gapped", weeks_to_launch=1)
    assert set(breakeven.intervals(rows, shipped(), "spikiness")["option"]) == {breakeven.NONE}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("latency",), "goes along a numeric field, not 'latency'"),
        (("volume",), "goes along a numeric field, not 'volume'"),
        (("spikiness", 0.5, 3), "spikiness: from 0.5 to 3 asked; allowed: 1.05 to 20"),
        (("spikiness", 3, 3), "the first below the last"),
    ],
)
def test_an_axis_that_cannot_be_is_refused(arguments, words):
    with pytest.raises(scenario.ScenarioError, match=words):
        breakeven.axis(*arguments)


def test_the_map_agrees_with_evaluate_cell_by_cell():
    found = breakeven.decision_map(free(), shipped(), points=12)
    assert len(found) == 144
    for cell in found.sample(12, random_state=1).to_dict("records"):
        rows = free(requests_per_month=cell["requests_per_month"], spikiness=cell["spikiness"])
        options = evaluate(rows, shipped()).options
        allowed = options[options["verdict"] != "blocked"].sort_values("npv_usd", kind="stable")
        assert cell["option"] == allowed["option"].iloc[0]
        least = allowed["npv_usd"].iloc[0]
        others = allowed[allowed["npv_usd"] > least * (1 + 1e-9)]
        assert cell["runner_up"] == others["option"].iloc[0]
        assert cell["near"] == (others["npv_usd"].iloc[0] <= 1.1 * least)


def test_a_barred_area_of_the_map_says_why():
    found = breakeven.decision_map(scenario.grid(control="air_gapped", weeks_to_launch=1), shipped(), points=3)
    assert set(found["option"]) == {breakeven.NONE} and found["because"].str.contains("no link").all()


def test_payback_is_the_month_after_which_the_sum_stays_ahead():
    # By hand: saved by month -10, 4, 4, 4 adds up to -10, -6, -2, 2: ahead from month 3 on
    assert breakeven._stays_ahead(np.array([-10.0, -6, -2, 2])) == 3
    # ahead, behind again, ahead: the last return counts
    assert breakeven._stays_ahead(np.array([-1.0, 1, -1, 1])) == 3
    assert np.isnan(breakeven._stays_ahead(np.array([-10.0, -6, -2, -1])))
    assert breakeven._stays_ahead(np.array([0.0, 1, 2])) == 0


def test_discounting_never_pays_back_sooner_when_savings_come_late():
    answer = evaluate(free(discount_rate=0.12), shipped())
    found = breakeven.payback(answer, "rented", "api")
    assert found["discounted_month"] >= found["month"] > 0


def test_with_the_factor_applied_the_two_options_cost_the_same(tmp_path):
    """The factor on API prices, laid over the facts, makes the API as dear as the rented machines."""
    rows = free(cached_share=0)
    factor = breakeven.break_even(evaluate(rows, shipped())).set_index(["option", "what"])["factor"]
    prices = shipped().table("api_offers").loc[rows["api_model"].iloc[0]]
    lines = ["table,key,column,value,source,note"] + [
        f"api_offers,{prices.name},{column},{prices[column] * factor['rented', 'API token prices']},estimate,test"
        for column in ("input_usd_per_mtok", "output_usd_per_mtok")
    ]
    (tmp_path / "o.csv").write_text("\n".join(lines))
    usd = evaluate(rows, facts.load(overrides=tmp_path / "o.csv")).options.set_index("option")["usd_per_month"]
    assert usd["api"] == pytest.approx(usd["rented"])


def test_what_cannot_be_costed_has_no_break_even():
    nowhere = evaluate(free(input_tokens=1_000_000, output_tokens=2_000), shipped())
    assert nowhere.options["usd_per_month"].isna().all()
    assert breakeven.comparable(nowhere) == [] and breakeven.break_even(nowhere).empty


def test_the_map_calls_nothing_near_where_nothing_is_allowed():
    cells = breakeven.decision_map(free(budget_usd_per_month=0), shipped(), points=8)
    assert (cells["option"] == breakeven.NONE).all() and not cells["near"].any()
