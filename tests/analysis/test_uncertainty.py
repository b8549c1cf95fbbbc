"""Uncertainty: known indices through our wrapper, no spread no odds, gates, steadiness, and what is held fixed."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from SALib.analyze import sobol
from scipy.special import ndtri
from scipy.stats import triang, truncnorm

from where_to_run.analysis import draws, uncertainty
from where_to_run.analysis.draws import NAMES
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question

CLOSE = ("bank", "hospital", "public_body", "software_company")
"""Presets in which two options or more have a chance."""


@cache
def shipped():
    return facts.load()


@cache
def answered(preset=""):
    return evaluate(question.grid(preset), shipped())


@pytest.fixture
def unresampled(monkeypatch):
    """Indices without the resamples of their intervals, which take most of the time."""
    monkeypatch.setattr(sobol, "analyze", partial(sobol.analyze, num_resamples=2))


def test_ishigamis_function_has_its_known_indices(unresampled):
    # cases G01: S1 0.3139, 0.4424, 0; ST 0.5576, 0.4424, 0.2437 (Saltelli et al. 2008), to 2 in 10,000
    def ishigami(cube):
        x = np.pi * (2 * cube - 1)
        return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])

    found = uncertainty.indices(ishigami, 3, 2**16)
    assert found["first"].to_numpy() == pytest.approx([0.3139, 0.4424, 0], abs=2e-4)
    assert found["total"].to_numpy() == pytest.approx([0.5576, 0.4424, 0.2437], abs=2e-4)
    # with the draws of the app they are off by a few hundredths at most, as their intervals say
    rough = uncertainty.indices(ishigami, 3)
    assert rough["first"].to_numpy() == pytest.approx(found["first"], abs=0.02)


def test_sobols_g_function_has_its_known_indices(unresampled):
    # cases G02: a = 0, 1, 4.5, 9, 99, 99, 99, 99; to the digits printed, and to 5 in 10,000 of the closed form
    a = np.array([0, 1, 4.5, 9, 99, 99, 99, 99])
    found = uncertainty.indices(lambda cube: np.prod((abs(4 * cube - 2) + a) / (1 + a), axis=1), 8, 2**16)
    assert found["first"].to_numpy() == pytest.approx([0.7162, 0.179, 0.0237, 0.0072, *[0.0001] * 4], abs=1e-4)
    assert found["total"].to_numpy() == pytest.approx([0.7871, 0.2422, 0.0343, 0.0105, *[0.0001] * 4], abs=1e-4)
    alone = 1 / (3 * (1 + a) ** 2)
    whole = np.prod(1 + alone) - 1
    assert found["first"].to_numpy()[:3] == pytest.approx(alone[:3] / whole, rel=5e-4)
    assert found["total"].to_numpy()[:3] == pytest.approx((alone * (1 + whole) / (1 + alone) / whole)[:3], rel=5e-4)


def test_a_sum_shares_its_variance_by_the_squares():
    # cases G06: 2 x + y with x and y uniform, 4 to 1
    found = uncertainty.indices(lambda cube: cube @ [2.0, 1.0], 2)
    assert found["first"].to_numpy() == pytest.approx([0.8, 0.2], abs=0.005)
    assert (found["first_interval"] < 0.1).all()


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


@pytest.mark.parametrize("preset", ["", *CLOSE, "research_lab"])
def test_where_nothing_spreads_every_draw_is_the_answer(preset):
    answer = evaluate(question.grid(preset), without_spread(shipped()))
    run = uncertainty.run(answer, 8)
    base = answer.options.set_index("option").loc[list(run.options)]
    assert run.cost == pytest.approx(np.tile(base["npv_usd"], (8, 1)), rel=1e-6)
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


def test_where_nothing_is_allowed_nothing_is_drawn():
    answer = evaluate(question.grid(weeks_to_launch=0), shipped())
    assert not uncertainty.planned(answer).routings


@pytest.mark.parametrize("preset", CLOSE)
def test_twice_the_draws_move_the_odds_by_less_than_two_points(preset):
    plan = uncertainty.planned(answered(preset))
    cost = plan.at(draws.points(uncertainty.FULL, len(NAMES))).cost
    for number in (uncertainty.FULL // 2, uncertainty.FULL // 4):
        shares = [
            np.bincount(part.argmin(axis=1), minlength=cost.shape[1]) / len(part) for part in (cost, cost[:number])
        ]
        assert abs(shares[0] - shares[1]).max() < 0.02


def test_the_same_seed_makes_the_same_figures():
    one, other = (uncertainty.run(evaluate(question.grid("bank"), shipped()), 256) for _ in range(2))
    assert (one.cost == other.cost).all()
    assert uncertainty.odds(one).equals(uncertainty.odds(other))


def test_odds_add_up_and_information_is_worth_at_most_the_least_regret():
    run = uncertainty.run(answered("bank"))
    found = uncertainty.odds(run)
    assert found["best"].sum() == pytest.approx(1)
    assert (found["p5"] < found["p50"]).all() and (found["p95"] < found["tail"]).all()
    # with perfect information the regret of the best option is what is saved
    worth = uncertainty.information(run).set_index("input")["usd"]
    assert worth["everything"] == pytest.approx(found["regret"].min())
    assert (worth <= worth["everything"]).all()
    assert worth["spikiness"] > 1e4 and worth["pue"] == pytest.approx(0, abs=1e-6)


def test_a_rented_fleet_in_the_draws_is_what_evaluate_says_of_its_scenario():
    # a draw by hand: spikiness one standard deviation up, all else in the middle
    cube = np.full((1, len(NAMES)), 0.5)
    cube[0, NAMES.index("spikiness")] = 0.8413447460685429
    assert ndtri(cube[0, NAMES.index("spikiness")]) == pytest.approx(1)
    plan = uncertainty.planned(answered("bank"))
    drawn = draws.at(question.grid("bank"), shipped(), cube)
    alone = evaluate(drawn.rows, shipped(), drawn=drawn.factors).options.set_index("option")
    names = list(plan.routings)
    # the machine is the one chosen today, so no draw can cost less than one that chooses anew
    assert (plan.at(cube).cost[0] >= alone.loc[names, "npv_usd"] * (1 - 1e-9)).all()
    assert plan.at(cube).cost[0] == pytest.approx(alone.loc[names, "npv_usd"].to_numpy(), rel=0.1)


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
    expected = (usd / 1.08 ** (month / 12)).sum()
    run = uncertainty.run(answer, uncertainty.FULL)
    assert run.cost[:, run.options.index("api")].mean() == pytest.approx(expected, rel=2e-3)


def test_the_widest_swing_stands_first_and_is_the_difference_of_two_runs():
    two = ["rented", "base_and_burst"]
    found = uncertainty.tornado(answered("bank"), two)
    wide = (found["high_usd"] - found["low_usd"]).abs()
    assert wide.is_monotonic_decreasing and found["input"].iloc[0] == "spikiness"
    cube = np.full((1, len(NAMES)), 0.5)
    cube[0, NAMES.index("spikiness")] = 0.9
    cost = uncertainty.planned(answered("bank")).at(cube).cost[0]
    names = list(uncertainty.planned(answered("bank")).routings)
    told = cost[names.index(two[1])] - cost[names.index(two[0])]
    assert found["high_usd"].iloc[0] == pytest.approx(told)


def test_the_order_by_score_is_firm_where_one_method_and_all_weights_agree():
    found = uncertainty.firmness(answered("research_lab"), uncertainty.run(answered("research_lab")))
    assert found.set_index("option").loc["rented", ["additive", "topsis", "promethee"]].tolist() == [1, 1, 1]
    assert found["ordered"].sum() == pytest.approx(1) and found["free"].sum() == pytest.approx(1)
    score = answered("research_lab").options.set_index("option")["score"]
    assert found["score"].to_numpy() == pytest.approx(score[found["option"]].to_numpy())


def test_a_listener_hears_how_far_the_draws_are():
    heard: list[float] = []
    uncertainty.planned(answered()).at(draws.points(2**13, len(NAMES)), heard.append)
    assert heard == sorted(heard) and heard[-1] == 1 and len(heard) > 2
