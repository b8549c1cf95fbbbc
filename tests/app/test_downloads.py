"""Downloads: the files a visitor may keep hold the answer, and come back as they went."""

import io
import json
import zipfile

import pandas as pd
import pytest

import kits
from browser import spoken, words
from where_to_run.app import downloads
from where_to_run.batch import kit, report
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question, share
from where_to_run.inputs.question import ScenarioError

ASKED = {"spikiness": 8.1, "evidence": [], "skill_ml": 4, "latency": "interactive", "priorities": ["control", "cost"]}


@pytest.fixture(scope="module")
def answer():
    return evaluate(question.grid("hospital", **ASKED), facts.load())


def made(name, answer, preset="hospital", files=()):
    return downloads.make(name, answer, preset, dict(files))


def test_the_answer_is_the_decision_in_json(answer):
    name, kind, content = made("answer", answer)
    assert (name, kind) == ("where-to-run-hospital.json", "application/json")
    assert json.loads(content) == json.loads(json.dumps(report.decision(answer)))


def test_the_lines_add_up_to_the_cost_of_every_option(answer):
    name, kind, content = made("lines", answer)
    assert (name, kind) == ("where-to-run-hospital-lines.csv", "text/csv")
    lines = pd.read_csv(io.BytesIO(content))
    sums = lines.groupby("option")["usd"].sum() / answer.scenarios["horizon_months"].iloc[0]
    costed = answer.options.dropna(subset=["usd_per_month"]).set_index("option")["usd_per_month"]
    assert sums.to_dict() == pytest.approx(costed.to_dict())


def test_the_scenario_comes_back_as_it_went(answer):
    name, _, content = made("scenario", answer)
    assert name == "where-to-run-hospital.yaml"
    rows, preset = share.from_yaml(downloads.text(name, content.decode()))
    assert preset == "hospital"
    pd.testing.assert_frame_equal(rows, answer.scenarios)


def test_the_kit_is_an_archive_of_the_files_the_command_line_writes(monkeypatch):
    kits.tell_stakes(monkeypatch)
    answer = kits.answer("hospital")
    name, kind, content = made("kit", answer)
    assert (name, kind) == ("where-to-run-hospital-kit.zip", "application/zip")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {each: archive.read(each) for each in archive.namelist()} == kit.files(answer)


def test_a_scenario_without_a_preset_has_a_name_too(answer):
    assert made("scenario", answer, "")[0] == "where-to-run-default.yaml"


def test_the_report_is_that_of_the_same_scenario_and_the_same_facts(answer, tmp_path):
    overrides = tmp_path / "facts.csv"
    overrides.write_text(
        "table,key,column,value,source,note\nassumptions,people.benefits_share,value,0.31,estimate,a note of ours\n"
    )
    other = evaluate(answer.scenarios, facts.load(None, str(overrides)))
    assert spoken(other) != spoken(answer) or not other.options.equals(answer.options)
    name, kind, content = made("report", other, files={"facts_file": str(overrides), "as_of": ""})
    assert (name, kind) == ("where-to-run-hospital.html", "text/html")
    page = words(content.decode())
    assert "".join(spoken(other).split()) in "".join(page.split())
    assert "a note of ours" in page


def test_a_report_that_takes_too_long_or_fails_is_an_error(answer, monkeypatch):
    monkeypatch.setattr(downloads, "PATIENCE", 0.01)
    with pytest.raises(Exception, match="timed out"):
        made("report", answer)
    monkeypatch.setattr(downloads.sys, "executable", "false")
    with pytest.raises(Exception, match="non-zero exit status"):
        made("report", answer)


@pytest.mark.parametrize("given", [None, 3, ["a"], {}])
def test_a_file_too_large_to_be_sent_is_refused_by_its_name(given):
    with pytest.raises(ScenarioError, match=r"^my\.yaml is larger than a scenario file can be \(20,000 characters\)$"):
        downloads.text("my.yaml", given)


def test_every_title_has_a_file():
    assert list(downloads.TITLES) == ["report", "kit", "answer", "lines", "scenario"]
