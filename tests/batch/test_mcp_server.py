"""The server of the Model Context Protocol, asked by the client of its SDK over standard input and output."""

import asyncio
import json
import os
import sys
from functools import cache

import pytest
from mcp import Client, StdioServerParameters

from where_to_run.cli import main
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.prices import prices
from where_to_run.inputs import facts, question
from where_to_run.paths import DATA, PROJECT

LOG = DATA / "usage_example.csv"

ASKED = {
    "answer": ("evaluate", {"preset": "startup", "fields": {"requests_per_month": 500_000, "regimes": []}}),
    "two": ("compare", {"scenarios": [{"preset": "startup"}, {"fields": {"horizon_months": 1}}]}),
    "rules": ("price_of_rules", {"preset": "startup"}),
    "log": ("read_usage", {"file": LOG.name}),
    "unknown field": ("evaluate", {"fields": {"requests": 5}}),
    "out of range": ("evaluate", {"fields": {"spikiness": 500}}),
    "several": ("evaluate", {"fields": {"regimes": ["gdpr"], "jurisdiction": ["any", "eu"]}}),
    "another file": ("read_usage", {"file": "/etc/passwd"}),
    "a path to it": ("read_usage", {"file": str(LOG)}),
    "none": ("compare", {"scenarios": []}),
    "no scenario": ("compare", {"scenarios": [{"preset": "startup", "fields": [1]}]}),
}


@cache
def asked():
    """Whatever is asked, of one server: the names of its tools, and of each call whether it is refused and the text."""

    async def ask():
        command = ["-m", "where_to_run", "mcp", "--log", str(LOG)]
        env = {"PYTHONPATH": os.pathsep.join([str(PROJECT / "lib"), os.environ.get("PYTHONPATH", "")])}
        async with Client(StdioServerParameters(command=sys.executable, args=command, env=env)) as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            calls = {key: await client.call_tool(*call) for key, call in ASKED.items()}
        return tools, {key: (call.is_error, call.content[0].text) for key, call in calls.items()}

    return asyncio.run(ask())


def told(key):
    refused, text = asked()[1][key]
    assert not refused, text
    return json.loads(text)


def test_it_has_four_tools():
    assert asked()[0] == ["evaluate", "compare", "price_of_rules", "read_usage"]


def test_an_answer_is_that_of_evaluate():
    answer = evaluate(question.grid("startup", requests_per_month=500_000, regimes=[]), facts.load())
    said, best = told("answer"), next(row for row in answer.rows if row["recommended"])
    assert (said["recommended"], said["as_of"]) == (best["option"], answer.facts.as_of)
    assert said["usd_per_month"] == pytest.approx(best["usd_per_month"])
    assert [row["option"] for row in said["options"]] == list(answer.names)


def test_scenarios_are_compared_in_their_order():
    asked_for = question.grid("startup"), question.grid(horizon_months=1)
    rows = [evaluate(each, facts.load()).rows for each in asked_for]
    best = [next((row["option"] for row in each if row["recommended"]), None) for each in rows]
    assert [one["recommended"] for one in told("two")["scenarios"]] == best


def test_the_prices_of_rules_are_those_of_the_page():
    known = prices(evaluate(question.grid("startup"), facts.load()))
    assert [row["lifted"] for row in told("rules")["prices"]] == list(known["lifted"])


def test_the_log_that_is_named_is_read():
    fields = {row["field"] for row in told("log")["fields"]}
    assert {"requests_per_month", "spikiness"} <= fields


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("unknown field", "'requests'"),
        ("out of range", "spikiness"),
        ("several", "2 were asked. Give each field one value"),
        ("another file", "no log '/etc/passwd' is named; there are: usage_example.csv"),
        ("a path to it", "there are: usage_example.csv"),
        ("none", "0 scenarios were asked; give 1 to 20"),
        ("no scenario", "a scenario is a `preset` and `fields`"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_the_words_of_the_command_line(key, words):
    refused, text = asked()[1][key]
    assert refused and words in text


def test_a_refusal_is_word_for_word_that_of_a_report(capsys, tmp_path):
    assert main(["report", "--set", "spikiness=500", "--out", str(tmp_path / "r")]) == 2
    said = asked()[1]["out of range"][1].removeprefix("Error executing tool evaluate: ")
    assert capsys.readouterr().err == f"where-to-run: {said}\n"
