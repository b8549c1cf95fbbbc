"""The first page: the sentence, the cards, the first steps and what they rest on say what the answer says."""

import re
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from html import unescape

import numpy as np
import pytest

from toy import shipped
from where_to_run.analysis import breakeven, uncertainty
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import API
from where_to_run.inputs import question
from where_to_run.views import assurance, decide, order, steps, summary
from where_to_run.views.table import about, usd
from where_to_run.views.titles import titles

PRESETS = ("", "bank", "public_body")


@cache
def answered(preset="", **fields):
    return evaluate(question.grid(preset, **fields), shipped())


def test_a_figure_in_a_sentence_has_two_digits_at_most():
    amounts = [3753.68, 138_435.0, 96.4, 0.0, -2_349.0, 9_960.0]
    assert [about(amount) for amount in amounts] == ["$3,800", "$140,000", "$96", "$0", "-$2,300", "$10,000"]
    assert about(float("nan")) == "–"


@pytest.mark.parametrize("preset", PRESETS)
def test_the_sentence_names_models_places_and_vendors_and_one_rounded_figure(preset):
    answer = answered(preset)
    row = order.allowed(answer)[0]
    sentence = unescape(re.sub("<[^>]+>", "", decide.bottom_line(answer)[0].split("</p>")[0]))
    assert row["title"].lower() in sentence.lower()
    assert re.findall(r"\$[\d,.]+", sentence) == [about(row["usd_per_month"])]
    for part in answer.option(row["option"]).parts:
        vendor = {0: ("api_offers", "vendor"), 1: ("machines", "provider")}.get(part.place)
        assert vendor is None or answer.facts.table(vendor[0]).at[part.bill.offer[0], vendor[1]] in sentence


@pytest.mark.parametrize("preset", PRESETS)
def test_the_range_holds_nine_draws_of_ten_and_the_odds_count_the_draws_it_wins(preset):
    answer = answered(preset)
    run = uncertainty.run(answer)
    chosen = answer.option(order.allowed(answer)[0]["option"]).comes_to
    at = [answer.option(option).comes_to for option in run.options].index(chosen)
    says = summary.sure(answer).words
    # the figures themselves, found without the quantiles of the panel
    low, high = np.sort(run.cost[:, at])[[round(0.05 * len(run.cost)), round(0.95 * len(run.cost)) - 1]]
    told = [float(n.replace(",", "")) for n in re.findall(r"\$([\d,]+)", says)]
    assert told == pytest.approx([low, high], rel=0.06)
    wins = (run.generalised.argmin(axis=1) == at).mean()
    said = re.search(r"comes first in (more than )?(\d+) %", says)
    assert wins > 0.99 if said[1] else int(said[2]) == round(100 * wins)


def test_the_cards_are_the_recommended_the_api_and_what_one_runs_oneself_each_once():
    for preset, number in (("", 2), ("bank", 3), ("public_body", 2)):
        answer = answered(preset)
        html = summary.cards(answer).words
        cards = html.split("<section")[1:]
        assert len(cards) == number and "Recommended" in cards[0]
        rows = {row["title"]: row for row in order.best_first(answer)}
        for card in cards:
            row = rows[unescape(re.search("<strong>(.*?)</strong>", card)[1])]
            assert about(row["usd_per_month"]) in card and f"The bill, {usd(row['usd_per_month'])}" in card
            amounts = [float(n) for n in re.findall(r'data-sort="([-\d.e+]+)"', card)]
            assert sum(amounts[:-1]) == pytest.approx(amounts[-1]) == pytest.approx(row["usd_per_month"])
            assert ("Struck out" in card) == (row["verdict"] == "blocked")
            places = answer.option(row["option"]).places
            assert ("est API" in card) <= (places == {API}) and ("run yourself" in card) <= (API not in places)


def test_against_today_every_option_shows_the_difference():
    answer = answered(today_usd_per_month=20_000)
    row = order.allowed(answer)[0]
    less = about(20_000 - row["usd_per_month"])
    assert f"{less} less than today" in decide.bottom_line(answer).words
    assert f"{less} a month less than today" in summary.cards(answer).words
    table = decide.options_table(answer)[0]
    assert "Against today" in table and table.count(usd(row["usd_per_month"] - 20_000)) == 1
    assert "today" not in decide.bottom_line(answered()).words and "Against" not in decide.options_table(answered())[0]


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_signed_or_ordered_is_dated_from_the_facts_and_keeps_the_deadline(preset):
    answer = answered(preset)
    row, words = order.allowed(answer)[0], unescape(steps.on_monday(answer, False).words)
    starts = date.fromisoformat(answer.facts.as_of) + timedelta(weeks=float(answer.asked["weeks_to_launch"]))
    last = starts - timedelta(weeks=row["launch_weeks"])
    assert f"by {last.day} {last:%B %Y} at the latest" in words and f"serve by {starts.day} {starts:%B %Y}" in words
    taken = answer.option(row["option"])
    assert all(firm in words for firm in taken.firms)
    assert ("Order the servers" in words) == any(part.place == 2 for part in taken.parts)
    assert all(condition in words for condition in order.conditions(answer, row["option"]))
    assert 3 <= words.count("<li>") <= 5 and "200 of your own requests" in words and "90 days of logs" in words


def test_a_paper_that_is_missing_is_named_and_a_measured_load_needs_no_log():
    assert "DORA addendum" in steps.on_monday(answered("bank"), False).words
    hours = np.tile(np.repeat([1.0, 3.0], 12), 14)
    measured = evaluate(question.grid(), shipped(), hours=hours)
    assert "logs" not in steps.on_monday(measured, False).words


def test_people_to_add_are_a_step():
    answer = answered("public_body", skill_hardware=1, people_available=0.5)
    row = order.allowed(answer)[0]
    assert row["hires"] >= 0.05
    assert f"Find {row['hires']:.1f} full-time people" in steps.on_monday(answer, False).words


def test_from_the_volume_to_look_again_at_another_option_is_recommended_and_not_below():
    answer = answered("public_body")
    found = breakeven.next_change(answer)
    now = float(answer.asked["requests_per_month"])
    rows = question.grid(
        "public_body", requests_per_month=[now, 0.97 * found.requests_per_month, found.requests_per_month]
    )
    won = breakeven.winners(evaluate(rows, shipped())).tolist()
    assert won[0] == won[1] != won[2] == found.option
    assert f"Look again at about {found.requests_per_month / 1e6:.2g} million" in steps.on_monday(answer).words


def test_where_nothing_changes_up_to_ten_times_the_volume_it_says_so():
    answer = answered()
    assert breakeven.next_change(answer) == (10 * answer.asked["requests_per_month"], None)
    assert "up to 30 million requests a month" in steps.on_monday(answer).words


def test_the_share_that_rests_on_estimates_is_that_of_the_lines_with_one(monkeypatch):
    answer = answered()
    lines = answer.means[answer.means["option"] == "api"].set_index("line")["usd_per_month"].abs()
    monkeypatch.setattr(assurance, "_estimated", lambda facts, fact: fact.key.startswith("api.retry"))
    assert assurance.estimated_share(answer, "api") == pytest.approx(lines["retries"] / lines.sum())
    monkeypatch.setattr(assurance, "_estimated", lambda facts, fact: True)
    assert assurance.estimated_share(answer, "api") == pytest.approx(1)


def test_the_box_tells_day_and_oldest_fact_and_escapes_what_comes_from_outside():
    answer = answered()
    words = assurance.box(answer).words
    assert answer.facts.as_of in words and "in force since 20" in words and "17 of 18 rows" in words
    odd = replace(answer.facts, as_of="<i>")
    assert "<i>" not in assurance.box(evaluate(question.grid(), odd)).words


def test_every_title_of_a_card_is_one_of_the_page():
    for preset in PRESETS:
        named = set(titles(answered(preset)).values())
        found = re.findall("<strong>(.*?)</strong>", summary.cards(answered(preset)).words)
        assert found and {unescape(title) for title in found} <= named
