"""Break-even: intervals against a dense scan, several crossings, the map, payback and factors by hand."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from where_to_run.analysis import breakeven
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import NAMES
from where_to_run.inputs import facts, question

MODELS = {"api_model": "anthropic/claude-sonnet-5.5", "open_model": "llama-3.3-70b", "quality_floor": 0.01}
"""One API and one open model, both good enough."""
FREE = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 260, "sensitive_share": 0} | MODELS
ALONE = FREE | {"control": "own_tenancy"}
"""Without an API."""
HOST = "deepinfra/llama-3.3-70b-turbo"
"""The cheapest vendor of the open weights."""


@cache
def shipped():
    return facts.load()


def free(**fields):
    return question.grid(**FREE | fields)


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
    grid = question.grid(**FREE | {"horizon_months": 24, field: list(values)})
    scanned = breakeven.winners(evaluate(grid, shipped()), by)
    # a stretch narrower than the gaps of the first scan can be missed; it may be one point in two hundred at most
    assert (scanned != found["option"].to_numpy()[at]).mean() <= 0.005


def test_measured_hours_hold_along_every_field_but_the_spikiness():
    hours, rows = np.tile([0.0] * 23 + [24.0], 30), free(**ALONE)
    found = breakeven.intervals(rows, shipped(), "requests_per_month", hours=hours)
    middles = list(np.sqrt(found["start"] * found["end"]))
    measured = breakeven.winners(evaluate(question.grid(**ALONE, requests_per_month=middles), shipped(), hours))
    assert found["option"].tolist() == measured.tolist()
    assert not found.equals(breakeven.intervals(rows, shipped(), "requests_per_month"))
    by_law = breakeven.intervals(rows, shipped(), "spikiness")
    assert breakeven.intervals(rows, shipped(), "spikiness", hours=hours).equals(by_law)


def test_at_a_crossing_both_sides_come_to_the_same():
    found = breakeven.intervals(free(**ALONE), shipped(), "requests_per_month")
    assert len(found) >= 2
    crossing = found["end"].iloc[0]
    rows = question.grid(**ALONE, requests_per_month=[crossing, crossing * 1.001])
    options = evaluate(rows, shipped()).options
    cost, step = (
        of.set_index("option")["generalised_usd_per_month"] for _, of in options.groupby("scenario", sort=True)
    )
    first, second = found["option"].iloc[:2]
    # whole machines: on one side of a step the first is cheaper, on the other the second
    assert cost[first] <= cost[second] * 1.05 and step[second] <= step[first] * 1.001


def test_whole_machines_make_the_curves_cross_back():
    """Machines come whole, so a base with bursts is cheaper again whenever one machine more would stand half empty."""
    # a cloud that rents out eight GPUs at a time
    coarse = ALONE | {"approved_vendors": ["CoreWeave", "Colocation"], "availability": "none"}
    found = breakeven.intervals(free(**coarse), shipped(), "output_tokens")
    assert len(found) - 1 >= 3 and "base_and_burst" in set(found["option"])
    assert found["option"].duplicated().any()


@pytest.mark.parametrize("preset", ["", *question.presets()])
def test_map_and_intervals_say_at_the_scenario_itself_what_is_recommended(preset):
    rows = question.grid(preset)
    options = evaluate(rows, shipped()).options
    best = next(iter(options.loc[options["recommended"], "option"]), breakeven.NONE)
    for field in ("requests_per_month", "spikiness"):
        here = rows[field].iloc[0]
        found = breakeven.intervals(rows, shipped(), field, low=here, high=here * 1.0001)
        assert found["option"].iloc[0] == best
    x, y = rows["requests_per_month"].iloc[0], rows["spikiness"].iloc[0]
    answer = evaluate(question.grid(preset, requests_per_month=[x, 2 * x], spikiness=[y, 1.1 * y]), shipped())
    assert breakeven.cells(answer, "requests_per_month", "spikiness")["option"].iloc[0] == best


@pytest.mark.parametrize("by", breakeven.MEASURE)
def test_the_search_takes_part_and_what_it_finds_is_named_once(by):
    """Where cost alone counts it costs no more than any other, and wins where it costs less: no tie is a win."""
    good = {"api_model": "good_enough", "open_model": "good_enough", "quality_floor": 0.0}
    hard = good | {"hard_share": 0.3, "hard_quality": "frontier", "sensitive_share": 0.4, "regimes": ["hipaa"]}
    wins = []
    for asked in (FREE | hard, ALONE):
        answer = breakeven.grid(free(**asked, premium=0.0), shipped(), "requests_per_month", "spikiness", points=10)
        cost = answer.options[breakeven.MEASURE[by]].where(answer.options["verdict"] != "blocked")
        cost = cost.to_numpy().reshape(-1, len(NAMES))
        search, others = cost[:, NAMES.index("free_search")], np.nanmin(cost[:, :-1], axis=1)
        # by present value an option is the cheaper for not serving anybody before its own servers come; the search goes
        # by level cost, which counts that
        assert (search <= others * (1 + (1e-9 if by == "recommended" else 5e-3))).all()
        wins.append(breakeven.winners(answer, by) == "free_search")
        assert (wins[-1] == (search < others * (1 - 1e-9))).all()
    # it may keep what is sensitive and send what is hard to an API; where none is allowed, others do all that it does
    assert wins[0].any() and not wins[1].any()


def test_an_option_that_never_wins_has_no_interval():
    found = breakeven.intervals(
        free(control="air_gapped", api_model=HOST), shipped(), "requests_per_month", low=1e4, high=1e6
    )
    assert set(found["option"]) == {"owned"}


def test_where_nothing_is_allowed_none_wins():
    rows = question.grid(control="air_gapped", weeks_to_launch=1)
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
    with pytest.raises(question.ScenarioError, match=words):
        breakeven.axis(*arguments)


def test_the_map_agrees_with_evaluate_cell_by_cell():
    found = breakeven.decision_map(free(), shipped(), points=12)
    assert len(found) == 144
    for cell in found.sample(12, random_state=1).to_dict("records"):
        rows = free(requests_per_month=cell["requests_per_month"], spikiness=cell["spikiness"])
        options = evaluate(rows, shipped()).options
        allowed = options[options["verdict"] != "blocked"].sort_values("generalised_usd_per_month", kind="stable")
        assert cell["option"] == options.loc[options["recommended"], "option"].iloc[0] == allowed["option"].iloc[0]
        least = allowed["generalised_usd_per_month"].iloc[0]
        others = allowed[allowed["generalised_usd_per_month"] > least * (1 + 1e-9)]
        assert cell["near"] == (others["generalised_usd_per_month"].iloc[0] <= 1.1 * least)


def test_a_barred_area_of_the_map_says_why():
    found = breakeven.decision_map(question.grid(control="air_gapped", weeks_to_launch=1), shipped(), points=3)
    assert set(found["option"]) == {breakeven.NONE} and found["because"].str.contains("no link").all()
    assert set(found["rule"]) == {"an-air-gap-leaves-only-machines-of-our-own, delivery"}


def test_a_barred_area_names_what_bars_the_options_allowed_elsewhere():
    # what bars the area are bills above the budget, and of own servers hardware above its limit
    found = breakeven.decision_map(question.grid("hospital"), shipped(), points=12)
    barred = found[found["option"] == breakeven.NONE]
    assert 0 < len(barred) < len(found) and set(barred["rule"]) <= {"budget", "budget, capex"}
    assert barred["because"].str.fullmatch(r"Runs at [\d,]+ USD a month; the budget is 150,000").all()
    assert (found.loc[found["option"] != breakeven.NONE, ["rule", "because"]] == "").all(axis=None)


@pytest.mark.parametrize("preset", ["", *question.presets()])
def test_what_is_struck_out_is_named_as_evaluate_names_it(preset):
    """`verdicts` takes the rules one by one, apart from the search."""
    answer = breakeven.grid(question.grid(preset), shipped(), "requests_per_month", "spikiness", points=4)
    found = breakeven.struck_out(answer)
    spoken = answer.verdicts[answer.verdicts["verdict"] == "blocked"]
    blocked = answer.options[answer.options["verdict"] == "blocked"]
    named = blocked.merge(spoken, on=["scenario", "option", "because"]).drop_duplicates(["scenario", "option"])
    assert len(named) == len(blocked)
    share = named.groupby(["rule", "option"])["scenario"].nunique() / len(answer.scenarios)
    pd.testing.assert_series_equal(
        found.set_index(["rule", "option"])["share"].sort_index(), share.sort_index(), check_names=False
    )


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


# Remembering


def test_a_map_is_made_once_for_scenarios_that_differ_in_its_two_fields_alone(monkeypatch):
    known = shipped()
    asked = []

    def counting(rows, *rest, **more):
        asked.append(len(rows))
        return evaluate(rows, *rest, **more)

    monkeypatch.setattr(breakeven, "evaluate", counting)
    here = question.grid(input_tokens=777)
    first = breakeven.decision_map(here, known, points=5)
    again = breakeven.decision_map(here.assign(spikiness=9.0, requests_per_month=1e5), known, points=5)
    assert asked == [25]
    pd.testing.assert_frame_equal(first, again)
    breakeven.decision_map(here.assign(input_tokens=778.0), known, points=5)
    assert asked == [25, 25]


def test_facts_are_read_again_when_a_file_changes(tmp_path):
    mine = tmp_path / "mine.csv"
    header = "table,key,column,value,source,note\n"
    mine.write_text(f"{header}assumptions,own.pue,value,1.4,estimate,ours\n")
    first = facts.load(overrides=mine)
    assert facts.load(overrides=mine) is first
    mine.write_text(f"{header}assumptions,own.pue,value,1.25,estimate,ours\n")
    assert facts.load(overrides=mine).value("own.pue") == 1.25


def test_along_the_spikiness_and_the_hours_in_use_each_is_cut_off_by_the_other():
    rows = question.grid(**ALONE, hours_per_week=50, spikiness=5)
    assert breakeven.intervals(rows, shipped(), "spikiness")["start"].iloc[0] == pytest.approx(168 / 50)
    assert breakeven.intervals(rows, shipped(), "hours_per_week")["start"].iloc[0] == pytest.approx(168 / 5)
    assert breakeven.decision_map(rows, shipped(), points=4)["spikiness"].min() == pytest.approx(168 / 50)
    with pytest.raises(question.ScenarioError, match="hang together"):
        breakeven.grid(rows, shipped(), "spikiness", "hours_per_week", points=4)
