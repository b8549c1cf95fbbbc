"""Uncertainty: the panels say what the draws say, of what is allowed alone."""

from dataclasses import replace
from functools import cache
from html import escape

import numpy as np
import pytest

import headless
from where_to_run.analysis import uncertainty
from where_to_run.analysis.draws import INPUTS
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question
from where_to_run.views import uncertainty as page
from where_to_run.views.figure import Figure
from where_to_run.views.table import usd
from where_to_run.views.titles import titles


@cache
def shipped():
    return facts.load()


NAMED = {
    "api_model": "anthropic/claude-sonnet-5.5",
    "open_model": "llama-3.3-70b",
    "quality_floor": 0.01,
    "hard_share": 0,
}
"""One model at each place, so that the ways to run it differ by place alone."""


ON_RENTED = {
    "regimes": ["hipaa"],
    "evidence": ["baa"],
    "approved_vendors": ["Google", "CoreWeave"],
    "api_model": "google/gemini-3.6-flash",
    "sensitive_share": 0.4,
    "requests_per_month": 1e7,
    "input_tokens": 2500,
    "output_tokens": 400,
    "growth_per_month": 0.03,
    "spikiness": 4.0,
    "skill_cloud": 4,
    "skill_integration": 4,
    "skill_operations": 4,
    "weeks_to_launch": 26,
    "budget_usd_per_month": 2.5e5,
    "priorities": ["control", "easy_to_leave", "cost"],
}
"""The cloud signs for what is sensitive and the API vendor does not: of rented machines, alone, beside the API or with
bursts to it, which is best is in doubt. Servers come too late.
"""


@cache
def answered():
    return evaluate(question.grid(**NAMED | ON_RENTED), shipped())


@cache
def either():
    """A public body that would pay nothing for control: servers and rented machines come to nearly the same."""
    return evaluate(question.grid("public_body", premium=0, capex_limit_usd=1e7, **NAMED), shipped())


def drawn(pieces) -> dict:
    """Data of the one figure of a panel."""
    (figure,) = (piece for piece in pieces if isinstance(piece, Figure))
    assert figure.words and figure.picture().startswith("<figure>")
    return figure.data["d0"]


def test_the_odds_are_those_of_the_draws_and_what_is_struck_out_has_none():
    found = uncertainty.odds(uncertainty.run(answered())).set_index("option")
    pieces = page.odds(answered())
    told, named = dict(zip(drawn(pieces)["option"], drawn(pieces)["share"], strict=True)), titles(answered())
    assert told == {named[name]: share for name, share in found["best"].items()}
    assert f"{named['rented']} comes first in {found['best'].max():.0%} of 1,024 draws" in pieces.words
    out = f"struck out as asked: {'; '.join(escape(named[name]) for name in ('api', 'hosted_open', 'owned'))}."
    assert named["owned"] not in told and out in pieces.words
    assert usd(found.at["base_and_burst", "regret_p95"]) in pieces.words


def test_the_ranges_are_those_of_the_draws():
    found = uncertainty.odds(uncertainty.run(answered())).set_index("option")
    data = drawn(page.costs(answered()))
    for name in ("p5", "p50", "p95", "tail"):
        assert data[name] == found[name].tolist()
    assert (
        usd(answered().options.set_index("option").at["rented", "level_usd_per_month"]) in page.costs(answered()).words
    )


def test_the_tornado_shows_what_moves_the_difference_and_says_what_turns_it_round():
    pieces = page.tornado(either())
    found = uncertainty.tornado(either(), ("rented", "owned"))
    data = drawn(pieces)
    assert data["title"][0] == "Prices of cloud GPUs" and data["usd"][0] == found["low_usd"].iloc[0]
    assert "By itself Prices of cloud GPUs can turn round" in pieces.words
    named = titles(either())
    assert f"What {named['owned']} comes to more than {named['rented']} [USD/month]" in pieces.words
    assert "Delivery time of servers" not in page.tornado(answered()).words, "nothing here is bought"


def test_more_draws_are_shown_once_they_are_made(monkeypatch):
    answer = evaluate(question.grid("startup"), shipped())
    monkeypatch.setattr(uncertainty, "FULL", 2**11)
    heard = []
    uncertainty.refine(answer, heard.append)
    assert "of 2,048 draws" in page.odds(answer).words
    assert heard == sorted(heard) and heard[-1] == 1


def test_what_is_worth_finding_out_is_named_with_its_worth():
    worth = uncertainty.information(uncertainty.run(answered())).set_index("input")["usd"]
    words = page.information(answered()).words
    assert f"be worth {usd(worth['everything'])} a month on average" in words
    first = f"Worth up to {usd(worth['spikiness'])} a month before deciding: spikiness"
    assert f"{first} (log a month of requests by the hour)" in words
    assert "Time until new people" not in words, "what changes no choice is not worth a line"


def test_where_an_input_is_worth_less_than_noise_it_is_left_out():
    run = uncertainty.run(answered())
    inputs = run.inputs.assign(throughput=np.arange(len(run.cost)) * 7 % 1000)
    answer = evaluate(question.grid(**NAMED | ON_RENTED), shipped())
    uncertainty.planned(answer).runs[len(run.cost)] = replace(run, inputs=inputs)
    found = uncertainty.information(uncertainty.run(answer)).set_index("input")["usd"]
    assert 0 < found["noise"] < found["spikiness"]
    assert ("Throughput" in page.information(answer).words) == bool(found["throughput"] > found["noise"])


def test_how_firm_the_recommendation_is_is_said_with_its_shares():
    found = uncertainty.firmness(answered(), uncertainty.run(answered())).set_index("option").loc["rented"]
    words = page.firmness(answered()).words
    said = f"{titles(answered())['rented']} is recommended as asked. It stays first in {found['ordered']:.0%} of all"
    assert said in words and f"and in {found['free']:.0%} of any premiums up to the one you gave." in words


@pytest.mark.parametrize("panel", page.PANELS)
def test_where_nothing_is_allowed_there_is_nothing_to_doubt(panel):
    answer = evaluate(question.grid(weeks_to_launch=0), shipped())
    assert panel(answer) == ["<p>Nothing is allowed as asked, so there is no choice to be in doubt about.</p>"]


def test_with_one_way_allowed_its_cost_is_in_doubt_and_no_choice_is():
    able = {f"skill_{area}": 5 for area in question.SKILLS}
    free = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 200}
    answer = evaluate(question.grid(sensitive_share=1, control="air_gapped", **able, **free), shipped())
    assert drawn(page.costs(answer))["option"] == [titles(answer)["owned"]]
    for panel in (page.tornado, page.information, page.firmness):
        assert panel(answer).words.startswith("<p>One way to run this is allowed")


def test_every_input_is_told_in_words():
    assert all(one.title and one.unit and one.learn for one in INPUTS)
    assert len({one.title for one in INPUTS}) == len(INPUTS)


def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    shown = headless.shown(tmp_path, "4_uncertainty", "-p", "preset", "bank")
    # the kernel draws what we draw: the same seed makes the same figures in another process
    assert shown.count("<img") == 4 and all(
        piece in shown for piece in page.information(evaluate(question.grid("bank"), shipped()))
    )
