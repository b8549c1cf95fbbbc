"""Rules' prices: the panel says what the answer would be without a rule, and what opens one where none is allowed."""

import re
from functools import cache
from html import escape, unescape

import pytest

from toy import shipped
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import question
from where_to_run.views import decide, rules_prices
from where_to_run.views.pages import PAGES
from where_to_run.views.table import usd
from where_to_run.views.titles import titles


@cache
def answered(preset="", **fields):
    return evaluate(question.grid(preset, **fields), shipped())


def recommended(answer):
    """Title and figures of the option that is recommended."""
    row = answer.options.set_index("rank").loc[1.0]
    return titles(answer)[row["option"]], row


def rows(panel):
    """The cells of every row of the table of a panel."""
    body = panel.words.split("<tbody>")[1].split("</tbody>")[0]
    return [
        [unescape(cell.split(">", 1)[1].split("</td>")[0]) for cell in row.split("<td")[1:]]
        for row in body.split("<tr>")[1:]
    ]


def test_the_dearest_rules_are_told_in_a_short_list_and_the_table_opens():
    listed, every, _ = rules_prices.price_of_rules(answered("hospital", **UNSIGNED))
    told = listed.split("<li>")[1:]
    assert 1 <= len(told) <= 4 and told[0].startswith("Business associate agreement: ")
    assert "a month less, drawbacks counted." in told[0] and "<table" in every.make()


UNSIGNED = {"evidence": "", "weeks_to_launch": 100.0, "skill_ml": 3, "capex_limit_usd": 1e10}
"""The hospital before anything is signed, with the time and the means for servers of its own."""


def test_a_business_associate_agreement_would_send_the_hospital_to_a_vendor():
    """Asked again with the agreement in hand, by another way than the panel goes."""
    now, then = answered("hospital", **UNSIGNED), answered("hospital", **UNSIGNED | {"evidence": "baa"})
    (_, have), (title, found) = recommended(now), recommended(then)
    panel = rules_prices.price_of_rules(now)
    first = rows(panel)[0]
    saves = have["generalised_usd_per_month"] - found["generalised_usd_per_month"]
    more = found["level_usd_per_month"] - have["level_usd_per_month"]
    money = [usd(found["usd_per_month"]), usd(saves), usd(more)]
    assert first == ["Business associate agreement", "a rule or limit", title, *money]
    assert "together cost" in panel.words and "one by one they explain" in panel.words
    # the destination names model and vendor
    offer = shipped().table("api_offers").loc[then.option("api").parts[0].bill.offer[0]]
    assert title == f"{offer['model']} at {offer['vendor']}'s API"


PAIRED = {"sensitive_share": 1.0, "regimes": "hipaa,soc2", "weeks_to_launch": 60.0, "capex_limit_usd": 1e10}
PAIRED |= {f"skill_{area}": 4 for area in question.SKILLS}


def test_what_all_of_them_cost_together_is_said_and_what_they_explain_one_by_one():
    """Of a scenario under two regimes, asked again without each of its demands, and without all of them."""
    demands = [{f"skill_{area}": 5 for area in question.SKILLS}, {"quality_needed": "light"}, {"availability": "none"}]
    others = {"evidence": "baa,soc2", "budget_usd_per_month": 1e9, "weeks_to_launch": 260.0}
    everything = {name: value for demand in demands for name, value in demand.items()} | others

    def saves(**given_up):
        _, have = recommended(answered("", **PAIRED))
        _, found = recommended(answered("", **PAIRED | given_up))
        return max(0.0, have["generalised_usd_per_month"] - found["generalised_usd_per_month"])

    panel = rules_prices.price_of_rules(answered("", **PAIRED))
    one_by_one = sum(saves(**demand) for demand in demands)
    says = f"together cost {usd(saves(**everything))} a month; one by one they explain"
    assert f"{says} {usd(one_by_one)}.</p>" in panel.words
    # a pair that opens what neither does alone has a row
    pair = saves(evidence="baa,soc2")
    told = {row[0]: row[4] for row in rows(panel)}
    assert told["Business associate agreement and SOC 2 report"] == usd(pair)


def test_where_nothing_binds_the_panel_says_so():
    says = "<p>Your rules, limits and demands cost nothing: without any of them the answer is the same.</p>"
    able = {f"skill_{area}": 5 for area in question.SKILLS} | {"availability": "none"}
    answer = answered("", **able, quality_needed="light", sensitive_share=0)
    assert rules_prices.price_of_rules(answer).words.startswith(says)


def test_where_nothing_is_allowed_the_bottom_line_lists_what_opens_which_option():
    asked = {"evidence": "", "budget_usd_per_month": 4e3}
    barred = answered("hospital", **UNSIGNED | asked)
    opened, words = rules_prices.opened(barred), decide.bottom_line(barred).words
    assert words.startswith("<p class='bottom-line'><strong>Nothing is allowed as asked.</strong>")
    title, _ = recommended(answered("hospital", **UNSIGNED | asked | {"evidence": "baa"}))
    assert ("business associate agreement", title) in opened
    # without a budget the hospital has its own servers, and the budget told is what that takes
    title, row = recommended(answered("hospital", **UNSIGNED | {"budget_usd_per_month": 1e9}))
    (budget,) = [change for change, to in opened if "budget" in change and to == title]
    told = int(budget.split("budget of ")[1].split(" USD")[0].replace(",", ""))
    assert told - 1 < row["running_usd_per_month"] <= told
    for change, to in opened:
        assert f"<li>{escape(change)} opens {escape(to)}</li>" in words
    assert words.count("<li>") == len(opened)


def test_the_panel_stands_on_the_first_page_after_the_first_steps():
    names = [section.name for section in PAGES["Decide"]]
    assert names[:3] == ["cards", "on_monday", "price_of_rules"]


def test_words_are_those_people_read():
    words = rules_prices.price_of_rules(answered("public_body")).words
    assert "control own_tenancy" not in words and "control none in place of own tenancy" in words
    critical = answered("", **PAIRED | {"regimes": "nis2"})
    assert "Third-party risk assessment with data processing agreement" in rules_prices.price_of_rules(critical).words


@pytest.mark.parametrize("preset", ["", "bank", "hospital", "public_body"])
def test_without_each_firm_behind_it_the_answer_is_told_and_whether_that_is_another_place(preset):
    known, measure = shipped(), "generalised_usd_per_month"
    answer = answered(preset)
    now = answer.figures[answer.figures["recommended"]].iloc[0]
    firms, said = answer.option(now["option"]).firms, rules_prices.price_of_rules(answer).words
    assert said.count("<p>Without ") == len(firms)
    for firm in firms:
        others = [name for name in known.keys()["firms"] if name != firm]
        then = evaluate(question.grid(preset, approved_vendors=others), known)
        best = then.figures[then.figures["recommended"]].iloc[0]
        (told,) = re.findall(rf"<p>Without {firm} the answer would be (.*?)</p>", said)
        assert f", {usd(best[measure] - now[measure])} a month more, drawbacks counted" in told
        moved = answer.option(now["option"]).places != then.option(best["option"]).places
        assert moved == ("hangs on the prices of this one firm" in told)
