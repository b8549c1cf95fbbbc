"""The order: differences that add up to those of the answer, and the premium at which it turns, by hand."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toy import shipped
from where_to_run.decision.evaluate import evaluate
from where_to_run.formulas.scoring import generalised_cost
from where_to_run.inputs import question
from where_to_run.inputs.question import CRITERIA
from where_to_run.views import decide, order
from where_to_run.views.figure import Figure
from where_to_run.views.order import Turn, told, turn

FREE = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 260}


@cache
def answered(preset="", **fields):
    return evaluate(question.grid(preset, **fields), shipped())


# The switching premium


def test_own_servers_win_for_40_per_cent_of_the_api_bill():
    # By hand: API C 10,000, control 0; own C 14,000, control 1. 10,000 (1 + p) = 14,000 at p = 0.4: 4,000 a month
    found = turn(np.array([10_000.0, 14_000.0]), np.array([[0.0], [1.0]]), np.array([0.3]))
    assert found == pytest.approx(Turn(0, 0.3, 0.4, 4_000))
    assert CRITERIA[0] == "control"
    assert told(found, "the API", "own servers") == (
        "own servers wins if you would pay 40 % of the bill of the API ($4,000 a month) for control; "
        "your priorities say 30 %."
    )


def test_where_a_premium_is_what_makes_the_first_win_the_turn_is_a_lower_one():
    # By hand: at 0.6 the API comes to 16,000 against 14,000, and wins below 0.4 of its own bill
    found = turn(np.array([14_000.0, 10_000.0]), np.array([[1.0], [0.0]]), np.array([0.6]))
    assert found == pytest.approx(Turn(0, 0.6, 0.4, 4_000))
    assert told(found, "own servers", "the API") == (
        "the API wins if control is worth less than 40 % of its bill to you ($4,000 a month); your priorities say 60 %."
    )


def test_the_other_criteria_count_and_the_least_change_is_told():
    # By hand: A 10,000 (0, 1), B 12,000 (1, 0.5), premiums 0.2 and 0.1: A 12,000, B 12,000 x 1.05 = 12,600.
    # On the first 10,000 (1 + p) = 12,600 at 0.26, a change of 0.06; on the second 12,000 (1 + p / 2) = 12,000 at 0
    found = turn(np.array([10_000.0, 12_000.0]), np.array([[0.0, 1.0], [1.0, 0.5]]), np.array([0.2, 0.1]))
    assert found == pytest.approx(Turn(0, 0.2, 0.26, 2_600))


@pytest.mark.parametrize(("dearer", "turns"), [(39_999.0, True), (40_000.0, True), (40_001.0, False)])
def test_no_premium_above_300_per_cent_is_told(dearer, turns):
    # By hand: 10,000 (1 + 3) = 40,000
    found = turn(np.array([10_000.0, dearer]), np.array([[0.0], [1.0]]), np.array([0.3]))
    assert (found is not None) == turns
    if not turns:
        assert told(found, "the API", "own") == "No premium up to 300 % on a single criterion would make own win."


def test_where_both_lose_the_same_no_premium_turns_the_order():
    assert turn(np.array([10.0, 20.0]), np.array([[0.5], [0.75]]), np.array([0.3])) is None


def test_premiums_that_are_near_each_other_are_told_apart():
    assert "pay 5.3 % of the bill" in told(Turn(0, 0.05, 0.053, 53.0), "a", "b")
    assert "your priorities say 5.0 %" in told(Turn(0, 0.05, 0.053, 53.0), "a", "b")


SHARES = st.floats(0, 1).map(lambda share: round(share, 3))


@given(
    arrays(float, 2, elements=st.integers(1_000, 50_000).map(float)),
    arrays(float, (2, 3), elements=SHARES),
    arrays(float, 3, elements=SHARES),
)
def test_beyond_the_turn_the_second_wins_and_before_it_the_first(cost, values, premiums):
    first, second = generalised_cost(cost, premiums, values)
    found = turn(cost, values, premiums)
    if first >= second * (1 - 1e-6) or found is None:
        return
    for step, wins in ((1e-3, True), (-1e-3, False)):
        beyond = premiums.copy()
        beyond[found.criterion] = found.then + step * np.sign(found.then - found.now)
        first, second = generalised_cost(cost, beyond, values)
        assert (second < first) == wins or first == pytest.approx(second, rel=1e-6)


@pytest.mark.parametrize("preset", ["", *question.presets()])
def test_the_turn_stands_beside_every_answer_with_two_ways(preset):
    answer = answered(preset)
    said, rows = order.switching(answer), order.allowed(answer)
    assert (said != "") == (len(rows) > 1)
    assert said in decide.bottom_line(answer).words
    assert not said or said.startswith("No premium up to 300 %") or " wins if " in said


# Differences


@pytest.mark.parametrize("fields", [{}, FREE, {"preset": "public_body"}, {"preset": "software_company"}])
def test_differences_add_up_to_that_of_the_generalised_costs(fields):
    answer = answered(**fields)
    found, rows = order.differences(answer), order.allowed(answer)
    assert list(found.index) == [row["option"] for row in rows] and (found.iloc[0] == 0).all()
    figures = answer.options.set_index("option")
    best = figures.loc[figures["recommended"]].iloc[0]
    for option, more in found.iterrows():
        assert more["together"] == pytest.approx(
            figures.at[option, "generalised_usd_per_month"] - best["generalised_usd_per_month"]
        )
        assert more["level_usd_per_month"] == pytest.approx(
            figures.at[option, "level_usd_per_month"] - best["level_usd_per_month"]
        )
    assert found["together"].is_monotonic_increasing


def test_the_bars_of_the_order_add_up_to_the_generalised_costs():
    answer = answered(**FREE)
    (drawn,) = (piece for piece in order.explained(answer) if isinstance(piece, Figure))
    data = pd.DataFrame(drawn.data["d0"])
    total = data.groupby("option", sort=False)["usd"].sum()
    rows = order.allowed(answer)
    assert total.index.tolist() == [row["title"] for row in rows]
    assert total.tolist() == pytest.approx([row["generalised_usd_per_month"] for row in rows])


def test_the_generalised_cost_itself_stands_in_no_table():
    answer = answered("public_body")
    words = decide.options_table(answer).words + order.explained(answer).words
    for row in order.allowed(answer):
        assert f"${row['generalised_usd_per_month']:,.0f}" not in words


def test_where_nothing_is_allowed_there_is_no_order():
    answer = answered(budget_usd_per_month=0)
    assert order.explained(answer).words == "<p>No option is allowed, so there is none to be recommended.</p>"
    assert order.switching(answer) == ""


# The table of options


def test_bills_are_the_lines_of_their_month_without_what_hardware_is_worth():
    answer = answered("public_body")
    months = int(answer.scenarios["horizon_months"].iloc[0])
    lines = answer.lines[~answer.lines["line"].isin(["residual value", "capital tied up"])]
    rows = order.best_first(answer)
    words = decide.options_table(answer).words
    for row in rows:
        mine = lines[lines["option"] == row["option"]]
        for month in (1, 12, months):
            assert f'<td data-sort="{mine.loc[mine["month"] == month, "usd"].sum():.10g}">' in words
        people = ["people there", "people to add", "recruiting and ramp-up", "training"]
        cost = mine.loc[mine["line"].isin(people), "usd"].sum() / months
        assert f'<td data-sort="{cost:.10g}">' in words
        assert f'<td data-sort="{row["usd_per_month"] - cost:.10g}">' in words
