"""The decision record, and every file of figures of the kit: they say what the answer says, and change with it."""

import csv
import html
import io
import re
import zipfile

import docx
import pytest
import yaml
from nbconvert.filters import markdown2html

from hostile import BREAKS
from where_to_run.analysis import provenance
from where_to_run.batch import report
from where_to_run.batch.kit import decision_record, finance, focus, monitoring, triggers
from where_to_run.batch.kit.decision_record import DOCX, MARKDOWN, escaped
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question
from where_to_run.views.table import usd
from where_to_run.views.titles import titles

MOST_WORDS = 600
"""Words of a page in small print."""


@pytest.fixture(scope="module")
def startup():
    return evaluate(question.grid("startup"), facts.load())


@pytest.fixture(scope="module")
def record(startup):
    return decision_record.files(startup)


def test_the_record_says_what_the_decision_says(startup, record):
    told, text = report.decision(startup), record[MARKDOWN].decode().replace("\\", "")
    best = next(row for row in told["options"] if row["recommended"])
    assert titles(startup)[told["recommended"]] in text
    assert usd(best["usd_per_month"]) in text and usd(best["npv_usd"]) in text
    assert all(row["lifted"] in text for row in told["price_of_rules"] if row["bars"] == 1)
    assert {"Context", "Options", "Decision", "Consequences", "What reopens it"} <= {
        *re.findall("^## (.*)$", text, re.M)
    }
    assert "Owner: …" in text and "Review on: …" in text


def test_what_reopens_it_are_the_facts_with_most_at_stake(startup, record):
    found, text = provenance.at_stake(startup), record[MARKDOWN].decode().replace("\\", "")
    assert found["key"].iloc[0] in text
    turns = found[(found["option_at_low"] != "api") | (found["option_at_high"] != "api")]
    assert list(triggers.stakes(startup)["key"][: len(turns)]) == list(turns["key"][: triggers.MOST])


@pytest.mark.parametrize("preset", ["startup", "consumer_platform"])
def test_the_record_is_a_page(preset):
    files = decision_record.files(evaluate(question.grid(preset), facts.load()))
    said = " ".join(paragraph.text for paragraph in docx.Document(io.BytesIO(files[DOCX])).paragraphs)
    assert 100 < len(said.split()) < MOST_WORDS


def test_both_forms_say_the_same(record):
    paragraphs = [paragraph.text for paragraph in docx.Document(io.BytesIO(record[DOCX])).paragraphs]
    told = re.sub(r"</(h\d|p|li)>", "\n", markdown2html(record[MARKDOWN].decode()))
    told = html.unescape(re.sub(r"<[^>]+>", "", told)).replace("¶", "")
    assert [line for line in told.splitlines() if line.strip()] == paragraphs


@pytest.mark.parametrize("name", BREAKS)
def test_a_name_from_outside_is_text_in_markdown(name):
    said = markdown2html(f"- {escaped(name)}").strip()
    inside = re.fullmatch(r"<ul>\s*<li>(.*)</li>\s*</ul>", said, re.S)
    assert inside and "<" not in inside[1]
    assert html.unescape(inside[1]).strip() == decision_record.one_line(name)


FIGURES = {
    "finance": lambda a: summary_of(finance.files(a)[finance.NAME]),
    "focus": lambda a: sum(float(row["BilledCost"]) for row in csv.DictReader(_text(focus.files(a)[focus.NAME]))),
    "monitoring": lambda a: _spend(monitoring.files(a)[monitoring.RULES]),
    "record": lambda a: float(
        re.search(r"- \\\$([\d,]+) a month on average", decision_record.files(a)[MARKDOWN].decode())[1].replace(",", "")
    ),
}


def _text(content):
    return io.StringIO(content.decode())


def _spend(content):
    rules = yaml.safe_load(content)["groups"][0]["rules"]
    return next(float(r["expr"].split(" > ")[1]) for r in rules if r.get("alert") == "SpendAboveAnswer")


def summary_of(content):
    """The mean of the first option on the summary, as it is written beside its formula."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return float(
            re.search(r'<c r="C4"[^>]*><f>[^<]*</f><v>([^<]*)', book.read("xl/worksheets/sheet1.xml").decode())[1]
        )


def test_a_figure_of_the_scenario_moves_every_file_as_it_moves_the_decision(startup):
    for answer in (startup, evaluate(question.grid("startup", requests_per_month=600_000), facts.load())):
        told = report.decision(answer)
        best = next(row for row in told["options"] if row["recommended"])
        lines = answer.lines[answer.lines["option"] == best["option"]]
        dearest = lines[lines["place"] == "vendor_api"].groupby("month")["usd"].sum().max()
        found = {name: figure(answer) for name, figure in FIGURES.items()}
        assert found["finance"] == pytest.approx(best["usd_per_month"], abs=0.01)
        assert found["focus"] == pytest.approx(best["usd_per_month"] * told["scenario"]["horizon_months"], abs=0.01)
        assert found["record"] == pytest.approx(best["usd_per_month"], abs=0.5)
        assert found["monitoring"] == pytest.approx(dearest, abs=0.01)
