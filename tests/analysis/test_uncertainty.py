"""Uncertainty: known swings, no spread no odds, gates, steadiness, and what is held fixed."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import triang, truncnorm

from where_to_run.analysis import draws, uncertainty
from where_to_run.analysis.draws import NAMES
from where_to_run.decision.evaluate import evaluate, judge
from where_to_run.inputs import facts, question

CLOSE = ("bank", "hospital", "public_body", "software_company")
"""Presets in which two options or more have a chance."""


OF_TWO_MODELS = {"api_model": "anthropic/claude-sonnet-5.5", "open_model": "llama-3.3-70b", "hard_share": 0.0}
"""One API and one open model, whatever their quality."""


@cache
def shipped():
    return facts.load()


@cache
def answered(preset="", **fields):
    return evaluate(question.grid(preset, **fields), shipped())


def close():
    """A team whose odds are even, with models of which one is far below the floor of today, and no vendor of its own
    open model among those it may take.
    """
    able = {"skill_cloud": 4, "skill_operations": 4, "skill_integration": 4, "skill_ml": 3, "weeks_to_launch": 26.0}
    asked = {"requests_per_month": 6e6, "spikiness": 4.0, "budget_usd_per_month": 1e9, "sensitive_share": 1.0}
    vendors = ("Anthropic", "DataCrunch")
    return answered(quality_floor=0.01, approved_vendors=vendors, **able, **asked, **OF_TWO_MODELS)


def test_swings_move_one_input_at_a_time():
    # cases G08: V x p at V 50, 100, 200 and p 2, 5, 6 swings by 750 and 400
    ends = np.array([[50, 2], [100, 5], [200, 6]])
    low, high, middle = uncertainty.swings(lambda points: points.prod(axis=1), *ends)
    assert middle == 500
    assert abs(high - low) == pytest.approx([750, 400])


def test_of_a_linear_model_a_swing_over_a_unit_is_its_coefficient():
    # cases G07: the elementary effects of 3 x - 2 y + z / 2, by size 3, 2, 0.5, from whatever point they start
    for start in (np.zeros(3), np.array([0.3, 0.7, 0.1])):
        low, high, _ = uncertainty.swings(lambda points: points @ [3, -2, 0.5], start, start, start + 1)
        assert abs(high - low) == pytest.approx([3, 2, 0.5], abs=1e-9)


def without_spread(known):
    """The facts as if all were known."""
    tables = dict(known.tables)
    table = tables["assumptions"].copy()
    table[["low", "high"]] = np.nan
    of_logs = [f"spread.{name}" for name in draws.SPREAD]
    keys = [key for key in table.index if key.startswith("throughput_sigma.")]
    table.loc[[*of_logs, *keys, "spread.api_decline"], "value"] = 0.0
    return replace(known, tables=tables | {"assumptions": table}, made={})


@pytest.mark.parametrize("preset", ["", *question.presets()])
def test_where_nothing_spreads_every_draw_is_the_answer(preset):
    answer = evaluate(question.grid(preset), without_spread(shipped()))
    run = uncertainty.run(answer, 8)
    base = answer.options.set_index("option").loc[list(run.options)]
    assert run.cost == pytest.approx(np.tile(base["level_usd_per_month"], (8, 1)), rel=1e-6)
    assert run.generalised == pytest.approx(np.tile(base["generalised_usd_per_month"], (8, 1)), rel=1e-6)
    assert uncertainty.information(run)["usd"].to_numpy() == pytest.approx(0, abs=1e-3)
    assert set(uncertainty.odds(run)["best"]) <= {0.0, 1.0}


@pytest.mark.parametrize("preset", ["", *CLOSE])
def test_what_is_struck_out_is_not_drawn_and_what_is_the_same_stands_once(preset):
    options = answered(preset).options.set_index("option")
    run = uncertainty.run(answered(preset), 64)
    allowed = options[options["verdict"] != "blocked"]
    assert set(run.options) <= set(allowed.index)
    # what was left out costs what an option that was drawn costs
    assert set(allowed["npv_usd"].round()) == set(allowed.loc[list(run.options), "npv_usd"].round())
    assert len(set(allowed.loc[list(run.options), "npv_usd"].round())) == len(run.options)


@pytest.mark.parametrize(
    "fields",
    [{"preset": "software_company"}, {"task": "long_documents", "hard_share": 0.2, "hard_quality": "frontier"}],
)
def test_in_every_draw_an_option_calls_the_apis_of_today(fields):
    answer = evaluate(question.grid(**fields), shipped())
    plan = uncertainty.planned(answer)
    drawn = draws.at(plan.row, plan.facts, draws.points(64, len(NAMES)))
    rows, known = question.columns(drawn.rows), plan.facts.draw(drawn.factors, 64)
    (judged,) = judge(rows, known, None, tuple(plan.routings), plan.routings)
    for option, tried in zip(plan.routings, judged.found.tried, strict=True):
        asked = answer.option(option).question
        here, today = asked.shares[0] > 0, asked.offers[0]
        assert (tried.question.offers[:, here] == today[here]).all()
        assert len(set(today[here])) == 2


def test_where_nothing_is_allowed_nothing_is_drawn():
    answer = evaluate(question.grid(weeks_to_launch=0), shipped())
    assert not uncertainty.planned(answer).routings


@pytest.mark.parametrize("preset", CLOSE)
def test_twice_the_draws_move_the_odds_by_less_than_two_points(preset):
    plan = uncertainty.planned(answered(preset))
    cost = plan.at(draws.points(uncertainty.FULL, len(NAMES))).generalised
    for number in (uncertainty.FULL // 2, uncertainty.FULL // 4):
        shares = [
            np.bincount(part.argmin(axis=1), minlength=cost.shape[1]) / len(part) for part in (cost, cost[:number])
        ]
        assert abs(shares[0] - shares[1]).max() < 0.02


def test_the_same_seed_makes_the_same_figures():
    one, other = (uncertainty.run(evaluate(question.grid("bank"), shipped()), 256) for _ in range(2))
    assert (one.cost == other.cost).all() and (one.generalised == other.generalised).all()
    assert uncertainty.odds(one).equals(uncertainty.odds(other))


def test_odds_add_up_and_information_is_worth_at_most_the_least_regret():
    run = uncertainty.run(close())
    found = uncertainty.odds(run)
    assert found["best"].sum() == pytest.approx(1)
    assert (found["p5"] < found["p50"]).all() and (found["p95"] < found["tail"]).all()
    # with perfect information the regret of the best option is what is saved
    worth = uncertainty.information(run).set_index("input")["usd"]
    assert worth["everything"] == pytest.approx(found["regret"].min())
    assert (worth <= worth["everything"]).all()
    assert worth["spikiness"] > 1e4 / 36 and worth["pue"] == pytest.approx(0, abs=1e-6)


def test_a_rented_fleet_in_the_draws_is_what_evaluate_says_of_its_scenario():
    # a draw by hand: spikiness one standard deviation up, all else in the middle
    cube = np.full((1, len(NAMES)), 0.5)
    cube[0, NAMES.index("spikiness")] = 0.8413447460685429
    assert ndtri(cube[0, NAMES.index("spikiness")]) == pytest.approx(1)
    plan = uncertainty.planned(answered("bank"))
    drawn = draws.at(question.grid("bank"), shipped(), cube)
    names = list(plan.routings)
    anew, kept = (
        evaluate(drawn.rows, known, drawn=drawn.factors).options.set_index("option").loc[names, "level_usd_per_month"]
        for known in (shipped(), plan.facts)
    )
    # the machine is the one chosen today, so no draw can cost less than one that chooses anew
    assert plan.at(cube).cost[0] == pytest.approx(kept.to_numpy())
    assert (kept >= anew * (1 - 1e-9)).all()


def test_what_an_api_is_expected_to_cost_is_the_product_of_its_expectations():
    # independent inputs: in month m tokens cost E[exp((0.25 + 0.08 sqrt m) z)] x E[(1 + g)^(m-1)] x E[(1 - d)^(m/12)]
    # x exp(0.2^2/2) for prompts or exp(0.3^2/2) for answers times what they cost as asked; wages and the ramp-up have a
    # mean of 1, so all else stays. g is normal, 0.015, cut at two standard deviations; d triangular 0, 0.25, 0.6.
    row = question.grid(sensitive_share=0, api_model="anthropic/claude-opus-5.5", budget_usd_per_month=1e9)
    answer = evaluate(row, shipped())
    lines = answer.lines[answer.lines["option"] == "api"]
    month, growth = lines["month"].to_numpy(), truncnorm(-2, 2, 0, 0.015)
    fall = triang(0.25 / 0.6, 0, 0.6)
    ratio = {
        m: np.exp((0.25 + 0.08 * np.sqrt(m)) ** 2 / 2)
        * growth.expect(lambda g, m=m: ((1.05 + g) / 1.05) ** (m - 1))
        * fall.expect(lambda d, m=m: (1 - d) ** (m / 12))
        for m in range(1, 37)
    }
    by_line = {"input tokens": 0.02, "cached input tokens": 0.02, "output tokens": 0.045}
    spread = lines["line"].map(by_line).to_numpy()
    tokens = np.isfinite(spread)
    assert set(lines.loc[~tokens, "line"]) & {"long prompts", "batch discount"} == set()
    factor = np.where(tokens, [ratio.get(m, 1.0) for m in month] * np.exp(spread), 1.0)
    usd = lines["usd"].to_numpy() * np.where(lines["line"] == "retries", 0.0, factor)
    usd = usd + np.where(tokens, usd * 0.02, 0.0)  # api.retry_share of the tokens
    # level: the same in every one of 36 months
    expected = (usd / 1.08 ** (month / 12)).sum() / (1.08 ** (-np.arange(1, 37) / 12)).sum()
    run = uncertainty.run(answer, uncertainty.FULL)
    assert run.cost[:, run.options.index("api")].mean() == pytest.approx(expected, rel=2e-3)


def test_the_widest_swing_stands_first_and_is_the_difference_of_two_runs():
    two = ["rented", "base_and_burst"]
    found = uncertainty.tornado(close(), two)
    wide = (found["high_usd"] - found["low_usd"]).abs()
    assert wide.is_monotonic_decreasing and found["input"].iloc[0] == "spikiness"
    cube = np.full((1, len(NAMES)), 0.5)
    cube[0, NAMES.index("spikiness")] = 0.9
    cost = uncertainty.planned(close()).at(cube).generalised[0]
    names = list(uncertainty.planned(close()).routings)
    told = cost[names.index(two[1])] - cost[names.index(two[0])]
    assert found["high_usd"].iloc[0] == pytest.approx(told)


def test_the_shares_of_being_first_add_up_and_the_draws_are_those_of_the_odds():
    run = uncertainty.run(answered("research_lab"))
    found = uncertainty.firmness(answered("research_lab"), run)
    assert found[["best", "ordered", "free"]].sum().to_numpy() == pytest.approx([1, 1, 1])
    assert found["best"].equals(uncertainty.odds(run)["best"])


def test_without_a_premium_the_cheapest_stays_whatever_is_drawn():
    answer = evaluate(question.grid("bank", premium=0), shipped())
    found = uncertainty.firmness(answer, uncertainty.run(answer, 64)).set_index("option")
    cheapest = answer.options.set_index("option").loc[found.index, "level_usd_per_month"].idxmin()
    assert found.loc[cheapest, ["ordered", "free"]].tolist() == [1, 1]


def test_a_listener_hears_how_far_the_draws_are():
    heard: list[float] = []
    uncertainty.planned(answered()).at(draws.points(2**13, len(NAMES)), heard.append)
    assert heard == sorted(heard) and heard[-1] == 1 and len(heard) > 2
