"""Generalised cost: what holds of the recommendation in any scenario, and the examples worked out by hand."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from drawn import ALL_EVIDENCE, random_rows
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import NAMES
from where_to_run.formulas import scoring
from where_to_run.inputs import facts
from where_to_run.inputs.question import CRITERIA
from where_to_run.inputs.tables import schema

# The examples of methods C


def test_the_premiums_of_an_order_halve_before_cost_and_share_a_tenth_after_it():
    # By hand: 0.5, 0.25 | 0.05, 0.025, 0.0125, 0.00625; together 0.84375
    order = ["control", "easy_to_leave", "cost", "launch", "skills", "elasticity", "quality"]
    criteria = [name for name in order if name != "cost"]
    found = scoring.premiums(order, criteria, 0.5)
    assert found == pytest.approx([0.5, 0.25, 0.05, 0.025, 0.0125, 0.00625])
    assert found.sum() == pytest.approx(0.84375)


@pytest.mark.parametrize(
    ("premium", "api", "own"), [(0.6, 16_000, 14_000), (0.3, 13_000, 14_000), (0.4, 14_000, 14_000)]
)
def test_an_api_without_control_against_servers_of_ones_own(premium, api, own):
    # By hand: 10,000 x (1 + 0.6) = 16,000 against 14,000 x (1 + 0)
    found = scoring.generalised_cost(np.array([10_000, 14_000]), np.array([premium]), np.array([[0.0], [1.0]]))
    assert found == pytest.approx([api, own])


def test_the_switching_premium_is_where_both_come_to_the_same():
    # By hand: 10,000 (1 + p) = 14,000 at p = 0.4; where both lose the same by control there is none
    assert scoring.switching_premium([10_000, 14_000], [0, 0], [0, 1]) == pytest.approx(0.4)
    assert np.isnan(scoring.switching_premium([10_000, 14_000], [0, 0], [1, 1]))
    # with 0.1 for other drawbacks of the first: 10,000 (1.1 + p) = 14,000 (1 + p / 2) at p = 3,000 / 3,000
    assert scoring.switching_premium([10_000, 14_000], [0.1, 0], [0, 0.5]) == pytest.approx(1.0)


def test_a_loser_that_is_cheap_does_not_change_who_wins():
    # By hand, premiums 0.375 and 0.125: A 10,000 (1 + 0.375 x 0.8) = 13,000, B 12,900, D 9,500 (1 + 0.5) = 14,250
    cost, values = np.array([10_000, 12_900, 9_500]), np.array([[0.2, 1], [1, 1], [0, 0]])
    found = scoring.generalised_cost(cost, np.array([0.375, 0.125]), values)
    assert found == pytest.approx([13_000, 12_900, 14_250])


# Laws over drawn scenarios

ORDERS = ("cost", "control,cost", "launch,skills,cost", "control,easy_to_leave", "elasticity,cost,control", "")


@cache
def rows():
    draw = np.random.default_rng(3)
    premium, order = draw.uniform(0, 3, 300), draw.choice(ORDERS, 300)
    return random_rows(300, seed=3).assign(
        evidence=",".join(ALL_EVIDENCE),
        premium=premium,
        priorities=order,
        quality_needed="light",
        open_model="good_enough",
        api_model="good_enough",
    )


@cache
def answer():
    return evaluate(rows(), facts.load())


class Table:
    """An answer over (scenario, option): the level cost, the generalised one, the present value and the rank."""

    def __init__(self, answer):
        names = ("level_usd_per_month", "generalised_usd_per_month", "npv_usd", "rank")
        found = answer.figures.sort_values("scenario", kind="stable")
        number = len(answer.scenarios)
        self.cost, self.generalised, self.npv, self.rank = (found[n].to_numpy().reshape(number, -1) for n in names)
        self.allowed = (found["verdict"] != "blocked").to_numpy().reshape(number, -1)
        self.some = np.flatnonzero(self.allowed.any(axis=1))
        self.best = np.where(self.rank == 1, 1, 0).argmax(axis=1)[self.some]
        self.winner = np.array(answer.names, object)[self.best]


@cache
def table():
    return Table(answer())


def values():
    """Over (scenario, option, criterion)."""
    found = answer().drawbacks.pivot(index=["scenario", "option"], columns="criterion", values="value")
    return (
        found.loc[[(s, o) for s in range(300) for o in NAMES], list(CRITERIA)].to_numpy().reshape(300, len(NAMES), -1)
    )


def premiums():
    """Over (scenario, criterion)."""
    asked = zip(rows()["priorities"], rows()["premium"], strict=True)
    return np.array([scoring.premiums([p for p in order.split(",") if p], CRITERIA, most) for order, most in asked])


def test_the_scenarios_hold_both_ways():
    t = table()
    assert 100 < len(t.some) < 300 and len(set(t.winner)) > 2
    cheapest = np.where(t.allowed, t.cost, np.inf)[t.some].argmin(axis=1)
    assert (t.cost[t.some, cheapest] < t.cost[t.some, t.best] * (1 - 1e-9)).any()


def test_the_recommendation_is_the_allowed_option_of_least_generalised_cost():
    t = table()
    least = np.where(t.allowed, t.generalised, np.inf).min(axis=1)[t.some]
    assert t.generalised[t.some, t.best] == pytest.approx(least, rel=1e-12)


def test_what_an_option_does_not_lose_bounds_what_it_may_cost_above_the_cheapest():
    t = table()
    worth = t.generalised / t.cost - 1
    cheapest = np.where(t.allowed, t.cost, np.inf)[t.some].argmin(axis=1)
    m, r = (t.some, cheapest), (t.some, t.best)
    assert (t.cost[r] <= (1 + worth[m]) / (1 + worth[r]) * t.cost[m] * (1 + 1e-9)).all()
    assert (t.cost[r] <= (1 + premiums().sum(axis=1)[t.some]) * t.cost[m] * (1 + 1e-9)).all()
    cost_first = rows()["priorities"].isin(["cost", ""]).to_numpy()[t.some]
    assert cost_first.sum() > 30
    assert (t.cost[r] <= 1.1 * t.cost[m] * (1 + 1e-9))[cost_first].all()


def test_a_dominated_option_is_never_recommended():
    t, v = table(), values()
    r = (t.some, t.best)
    as_good = (v[t.some] >= v[r][:, None] - 1e-12).all(axis=2)
    cheaper = t.cost[t.some] < t.cost[r][:, None] * (1 - 1e-9)
    assert not (t.allowed[t.some] & as_good & cheaper).any()


@pytest.mark.parametrize(
    ("limit", "most"), [("budget_usd_per_month", 1e9), ("weeks_to_launch", 260.0), ("capex_limit_usd", 1e10)]
)
def test_ten_times_a_limit_never_changes_the_order_of_what_both_allow(limit, most):
    """Of what is the same with both: a larger limit opens other servers, and other routings to those that search."""
    raised = Table(evaluate(rows().assign(**{limit: (rows()[limit] * 10).clip(upper=most)}), facts.load()))
    before = table()
    both = before.allowed & raised.allowed & np.isclose(before.npv, raised.npv, rtol=1e-12, atol=0)
    assert (raised.allowed | ~before.allowed).all() and (raised.allowed & ~before.allowed).any()
    assert raised.generalised[both] == pytest.approx(before.generalised[both], rel=1e-12)
    one, other = (np.where(both, of.rank, np.inf).argsort(axis=1, kind="stable") for of in (before, raised))
    assert (one == other).all() and (both.sum(axis=1) > 1).sum() > 50


@pytest.mark.parametrize("gone", NAMES)
def test_without_a_loser_the_recommendation_stays(gone):
    number = 100
    some = evaluate(rows().iloc[:number], facts.load(), names=[name for name in NAMES if name != gone])
    before, after = dict(zip(table().some, table().winner, strict=True)), Table(some)
    kept = {s: w for s, w in before.items() if s < number and w != gone}
    found = dict(zip(after.some, after.winner, strict=True))
    assert {s: found[s] for s in kept} == kept and len(kept) > 10


CURRENCY = 4
"""A power of two, by which figures scale to the last digit."""


def in_another_currency(known):
    """The facts with every amount of money multiplied."""
    tables = {}
    for name, table in known.tables.items():
        columns = schema()["tables"][name]["columns"]
        money = [c for c in table.columns if columns.get(c, {}).get("unit", "").startswith("USD")]
        tables[name] = table.assign(**{c: table[c] * CURRENCY for c in money})
    table = tables["assumptions"]
    times = np.where(table["unit"].str.startswith("USD"), CURRENCY, 1)
    tables["assumptions"] = table.assign(**{c: table[c] * times for c in ("value", "low", "high")})
    return replace(known, tables=tables, made={})


def test_all_costs_multiplied_change_nothing_but_themselves():
    asked = rows().iloc[:100]
    amounts = ("budget_usd_per_month", "capex_limit_usd", "outage_usd_per_hour")
    limits = {name: asked[name] * CURRENCY for name in amounts}
    fits = asked[(limits["budget_usd_per_month"] <= 1e9) & (limits["capex_limit_usd"] <= 1e10)].index
    assert len(fits) > 90
    after = Table(evaluate(asked.assign(**limits).loc[fits].reset_index(drop=True), in_another_currency(facts.load())))
    before = Table(evaluate(asked.loc[fits].reset_index(drop=True), facts.load()))
    assert (after.allowed == before.allowed).all() and (after.winner == before.winner).all()
    assert after.rank == pytest.approx(before.rank, nan_ok=True)
    assert after.generalised == pytest.approx(CURRENCY * before.generalised, rel=1e-12, nan_ok=True)
