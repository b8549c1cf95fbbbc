"""Break-even: the panels say what was left out, and what is struck out where."""

from functools import cache
from html import escape

import numpy as np
import pytest

from toy import FOUND
from where_to_run.analysis import breakeven
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question
from where_to_run.views import breakeven as page
from where_to_run.views.titles import titles


@cache
def shipped():
    return facts.load()


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    monkeypatch.setattr(breakeven, "FINE", 8)
    monkeypatch.setattr(breakeven, "COARSE", 8)


def shown(**fields):
    return page.decision_map(evaluate(question.grid(**fields), shipped())).words


def test_the_map_says_what_the_search_finds_at_the_scenario():
    answer = evaluate(question.grid("hospital", **FOUND), shipped())
    said = "<p>Found by search: a routing that is none of the others; as asked it is "
    assert said + escape(titles(answer)["free_search"]) + ".</p>" in page.decision_map(answer).words
    assert "Found by search: " not in shown()


def test_the_map_lists_what_is_struck_out_and_by_what():
    words = shown()
    assert "<strong>team</strong> strikes out Own servers on all of the map" in words
    assert "For instance: Takes 24 weeks to train or hire the people it needs; the deadline is 12.</li>" in words
    assert "Found by search" not in words.split("<ul>")[1]


def test_where_nothing_is_struck_out_nothing_is_listed():
    words = shown(budget_usd_per_month=1e9, capex_limit_usd=1e10, weeks_to_launch=260, sensitive_share=0)
    assert "Struck out" not in words


def test_where_nothing_is_allowed_the_map_says_so():
    words = shown(budget_usd_per_month=0)
    assert "nothing is allowed" in words and "100 %" in words


def test_intervals_go_by_generalised_cost_or_say_that_they_go_by_cost_alone():
    answer = evaluate(question.grid(sensitive_share=0), shipped())
    assert "Which option is recommended along spikiness" in page.along("spikiness")(answer).words
    assert "Which option costs least along spikiness" in page.along("spikiness", "cheapest")(answer).words


def test_where_the_spikiness_varies_measured_hours_are_said_to_be_left_out():
    answer = evaluate(question.grid(), shipped(), np.arange(1.0, 100.0))
    for panel in (page.along("spikiness"), page.decision_map):
        assert "Gamma law, not your log" in panel(answer).words
    assert "not your log" not in page.along("requests_per_month")(answer).words + shown()


def test_where_hours_are_idle_what_is_cut_off_is_said():
    answer = evaluate(question.grid(hours_per_week=50), shipped())
    for panel in (page.along("spikiness"), page.decision_map):
        assert "50 hours a week make the busiest hours at least 3.4 times" in panel(answer).words
    assert "hours a week" not in shown()
