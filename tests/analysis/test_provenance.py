"""What an error in a fact would change: held to arithmetic by hand, and to overrides answered afresh."""

from functools import cache

import pandas as pd
import pytest

from toy import shipped
from where_to_run.analysis import provenance
from where_to_run.analysis.provenance import Fact, rests_on, sizing
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question, tables
from where_to_run.inputs.facts import rows_of
from where_to_run.views import sources

FREE = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 260, "growth_per_month": 0.0}


@cache
def asked(**fields):
    return evaluate(question.grid(**fields), shipped())


def moved(answer):
    found = provenance.at_stake(answer)
    return found.set_index(found["table"] + " " + found["key"])


@pytest.fixture(scope="module")
def late():
    """A launch in three weeks: only an API is ready by then."""
    return asked(weeks_to_launch=3, skill_integration=3, cached_share=0.0, growth_per_month=0.0, requests_per_month=1e6)


def test_an_error_in_the_share_of_retries_by_hand(late):
    # By hand: 1e6 requests of 1,200 + 250 tokens; 2 % are sent twice, none at the low, 8 % at the high
    row = moved(late).loc["assumptions api.retry_share"]
    assert (row["value"], row["low"], row["high"], row["unit"]) == (0.02, 0, 0.08, "share")
    best = provenance.leading(late)[0]
    price = shipped().table("api_offers").loc[late.option(best).question.offers[0, -1]]
    tokens = 1_200 * price["input_usd_per_mtok"] + 250 * price["output_usd_per_mtok"]
    assert row["usd_at_low"] == pytest.approx(-0.02 * tokens)
    assert row["usd_at_high"] == pytest.approx(0.06 * tokens)
    assert {row["option_at_low"], row["option_at_high"]} == {best}


def test_an_error_in_the_price_of_power_by_hand():
    # The power line is proportional to the price, 0.13 USD: 0.09 saves 4/13 of it, 0.23 adds 10/13
    answer = asked(preset="public_body", control="air_gapped")
    power = answer.means.set_index(["option", "line"])["usd_per_month"][provenance.leading(answer)[0], "power"]
    row = moved(answer).loc["assumptions own.electricity_usd"]
    assert row["usd_at_low"] == pytest.approx(-4 / 13 * power)
    assert row["usd_at_high"] == pytest.approx(10 / 13 * power)


@cache
def with_cell(*cell):
    """The shipped facts with a table's figure laid over them, which remember nothing of those without."""
    cells = pd.DataFrame([[*cell, "estimate", "its high"]], ["a test"], tables.gathered([]).columns, dtype=object)
    return facts.laid_over(shipped(), cells)


@pytest.mark.parametrize("preset", ["hospital", "bank", "research_lab", "public_body"])
def test_a_change_is_what_an_override_makes_of_the_whole_answer(preset):
    # nothing remembered may leak from the value before: every table and every kind of figure is answered afresh
    answer = asked(preset=preset)
    names, found = provenance.leading(answer), moved(answer)
    before = answer.options.set_index("option").at[names[0], "usd_per_month"]
    for _, row in found.groupby("table").head(3).iterrows():
        column = provenance._headline(Fact(row["table"], row["key"]))
        known = with_cell(row["table"], row["key"], column, row["high"])
        after = evaluate(answer.scenarios, known).options.set_index("option")
        assert row["usd_at_high"] == pytest.approx(after.at[names[0], "usd_per_month"] - before, abs=1e-6), row["key"]
        ahead = after.loc[names, "rank"].dropna()
        assert row["option_at_high"] == (ahead.idxmin() if len(ahead) else ""), row["key"]


def test_the_largest_change_comes_first_and_every_fact_has_a_range(late):
    found = provenance.at_stake(late)
    change = found[["usd_at_low", "usd_at_high"]].abs().max(axis=1)
    assert change.is_monotonic_decreasing and change.iloc[0] > 0
    assert (found["low"] < found["high"]).all()
    assert not found.duplicated(["table", "key"]).any()


def test_every_fact_that_only_values_rest_on_is_tried_and_moves_no_cost():
    answer = asked(preset="public_body")
    found, known = moved(answer), shipped().table("assumptions")
    valued = [key for key in known.index if key.startswith(("scale.", "control.", "elasticity.", "easy_to_leave."))]
    ranged = [key for key in valued if known.at[key, "low"] < known.at[key, "high"]]
    assert set(found.index) >= {f"assumptions {key}" for key in ranged} and len(ranged) > 5
    assert (found.loc[[f"assumptions {key}" for key in ranged], ["usd_at_low", "usd_at_high"]].abs() < 1e-6).all(
        axis=None
    )


def test_every_fact_with_a_range_behind_the_two_leaders_is_tried(late):
    names = provenance.leading(late)
    resting = {fact for option in names for rows in rests_on(late, option).values() for fact in rows} | {*sizing(late)}
    ranged = {f for f in resting if (row := rows_of(late.facts, f.table)[f.key])["low"] < row["high"]}
    assert ranged <= {Fact(*pair) for pair in provenance.at_stake(late)[["table", "key"]].itertuples(index=False)}


def test_where_nothing_is_recommended_nothing_is_at_stake():
    answer = asked(budget_usd_per_month=0)
    assert provenance.leading(answer) == [] and provenance.at_stake(answer).empty
    assert "No fact changes this answer" in sources.at_stake(answer).words


def test_what_turns_the_answer_is_told():
    # a base with bursts is close to the split there
    answer = asked(preset="bank")
    found = provenance.at_stake(answer)
    best = provenance.leading(answer)[0]
    turning = found[(found[["option_at_low", "option_at_high"]] != best).any(axis=1)]
    words = sources.at_stake(answer).words
    assert len(turning) > 0 and all(key in words for key in turning["key"])


def test_the_two_that_lead_do_not_come_to_the_same():
    # without specialised or hard requests a split by them is the API or rented machines alone
    for preset in ("", "hospital", "startup"):
        answer = asked(preset=preset)
        first, *second = provenance.leading(answer)
        usd = answer.options.set_index("option")
        assert first == usd["recommended"].idxmax()
        costs = usd["generalised_usd_per_month"][usd["verdict"] != "blocked"]
        dearer = costs[costs > costs[first] * (1 + 1e-9)]
        assert [costs[option] for option in second] == ([] if dearer.empty else [dearer.min()])


def test_a_fact_without_a_range_is_not_tried(late):
    assert "api_offers" not in set(provenance.at_stake(late)["table"])
