"""The frontier: the published case of the formula, its ends, and whole machines never beat it."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from where_to_run.analysis import breakeven
from where_to_run.analysis.breakeven import break_even_volume, cost_share, frontier
from where_to_run.formulas import demand
from where_to_run.inputs import facts, question

FREE = {"budget_usd_per_month": 1e9, "weeks_to_launch": 260, "sensitive_share": 0}
ABLE = {f"skill_{area}": 5 for area in question.SKILLS}


@cache
def shipped():
    return facts.load()


def test_a_base_that_saves_5_60_and_costs_1_50_pays_from_11323_units():
    # case B11 of the project's cases (closed form, verified there by numerical minimisation and root finding):
    # F 20,000 a month, a 6.0, v 0.4, f 1.5, cv 1.2 gives q 0.68459515 and mu* 11,323.3152
    assert cost_share(1.5 / 5.6, 1.2) == pytest.approx(0.68459515, rel=1e-7)
    assert break_even_volume(20_000.0, 6.0 - 0.4, 1.5, 1.2) == pytest.approx(11_323.3152, rel=1e-7)


@pytest.mark.parametrize(
    ("cv", "shares"),
    # methods 3.3: q at r = 0.1, 0.2, 0.3, 0.5, 0.7, to three digits
    [(0.25, [0.148, 0.274, 0.390, 0.599, 0.782]), (1.0, [0.330, 0.522, 0.661, 0.847, 0.950])],
)
def test_the_table_of_the_methods_is_met(cv, shares):
    assert cost_share(np.array([0.1, 0.2, 0.3, 0.5, 0.7]), cv) == pytest.approx(shares, abs=6e-4)


@given(st.floats(0.02, 0.95), st.floats(0.1, 3.0))
def test_no_other_base_costs_less(ratio, cv):
    bases = np.linspace(0, 30, 3_001)
    assert cost_share(ratio, cv) <= (ratio * bases + demand.spill(bases, 1.0, cv)).min() + 1e-9


def test_at_the_volume_found_both_cost_the_same():
    # by root finding on the cost of the best base, found by minimisation, instead of the closed form
    def more_than_passing_on(volume: float) -> float:
        def cost(base: float) -> float:
            return 1.5 * base + 5.6 * demand.spill(base, volume, 0.8)

        best = minimize_scalar(cost, bounds=(0, 10 * volume), method="bounded", options={"xatol": 1e-9}).fun
        return 20_000 + best - 5.6 * volume

    assert break_even_volume(20_000.0, 5.6, 1.5, 0.8) == pytest.approx(brentq(more_than_passing_on, 1e3, 1e6))


def test_a_base_as_dear_as_passing_on_never_pays():
    volume = break_even_volume(1.0, np.array([1.0, 1.0, 1.0]), np.array([0.99, 1.0, 1.5]), 1.0)
    assert np.isfinite(volume[0]) and np.isnan(volume[1:]).all()


@given(st.floats(0.05, 0.9), st.floats(0.1, 2.0), st.floats(1.0, 1.5))
def test_a_spikier_load_never_pays_sooner(ratio, cv, factor):
    assert break_even_volume(1.0, 1.0, ratio, cv) <= break_even_volume(1.0, 1.0, ratio, cv * factor) * (1 + 1e-9)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        ABLE | {"growth_per_month": 0, "horizon_months": 12},
        ABLE | {"growth_per_month": -0.1, "horizon_months": 48},
        ABLE | {"growth_per_month": 0.1, "horizon_months": 24, "discount_rate": 0.2, "open_model": "gpt-oss-120b"},
        ABLE | {"latency": "interactive", "output_tokens": 1500, "gpu": "h100"},
    ],
)
def test_whole_machines_never_pay_before_the_frontier_and_do_soon_after(fields):
    """Without own servers, whose costs are others. The engine reads the spill off tables, hence 2 %."""
    rows = question.grid(**FREE, capex_limit_usd=0, **fields)
    answer = breakeven.grid(rows, shipped(), "requests_per_month", "spikiness", points=40)
    cost = answer.options.pivot(index="scenario", columns="option", values="npv_usd")
    pays = (cost["base_and_burst"] < cost["api"]).to_numpy()
    volume = answer.scenarios["requests_per_month"].to_numpy()
    least = frontier(rows, shipped(), answer.scenarios["spikiness"].to_numpy())["requests_per_month"].to_numpy()
    assert not pays[volume < 0.98 * least].any()
    # in between lie headroom, whole machines and the gap of the grid
    assert pays[volume > 2 * least].all()


@pytest.mark.parametrize(
    "fields",
    [
        {"batch_share": 0.2},
        {"control": "own_tenancy"},
        {"sensitive_share": 0.1, "regimes": ["hipaa"]},
        {"input_tokens": 1_000_000, "output_tokens": 2_000},
    ],
)
def test_there_is_none_where_the_formula_does_not_hold(fields):
    found = frontier(question.grid(**FREE | fields), shipped(), np.array([2.0, 8.0]))
    assert list(found["spikiness"]) == [2, 8] and found["requests_per_month"].isna().all()


def test_what_a_stream_nobody_sends_may_not_do_changes_nothing():
    spikiness = np.array([3.0])
    asked = frontier(question.grid(**FREE, regimes=["hipaa"]), shipped(), spikiness)
    assert asked.equals(frontier(question.grid(**FREE), shipped(), spikiness))
