"""Controls: every field has one, its stops lie where the question allows, and its words are those people read."""

import pytest

from toy import shipped
from where_to_run.app import controls
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import question
from where_to_run.inputs.question import FIELDS

SLIDERS = [f for f in FIELDS if f.kind in ("number", "whole")]
OTHERS = [f for f in FIELDS if f.kind not in ("number", "whole")]
ALL = {control["name"]: control for control in controls.controls(shipped())}


def names(fields):
    return [f.name for f in fields]


def test_every_field_has_a_control_in_the_order_of_the_question():
    assert list(ALL) == names(FIELDS)


@pytest.mark.parametrize("f", SLIDERS, ids=names(SLIDERS))
def test_the_stops_of_a_slider_lie_in_its_range_and_reach_its_ends(f):
    stops = controls.stops(f)
    low, high = f.slider or (f.low, f.high)
    assert f.low <= low and high <= f.high
    assert (stops[0], stops[-1]) == (low, high)
    assert stops == sorted(set(stops)) and 5 <= len(stops) <= 250
    assert f.kind == "number" or all(stop == int(stop) for stop in stops)


@pytest.mark.parametrize("f", SLIDERS, ids=names(SLIDERS))
def test_the_default_is_a_stop_so_a_reader_can_come_back_to_it(f):
    assert f.default in controls.stops(f)


@pytest.mark.parametrize("f", SLIDERS, ids=names(SLIDERS))
def test_two_stops_never_read_the_same(f):
    texts = [stop["text"] for stop in ALL[f.name]["stops"]]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("name", question.presets())
def test_the_values_of_a_preset_are_values_that_the_controls_can_show(name):
    shown = controls.values(question.grid(name).iloc[0].to_dict())
    assert list(shown) == names(FIELDS)
    for f in SLIDERS:
        low, high = f.slider or (f.low, f.high)
        assert low <= shown[f.name]["value"] <= high, f"{f.name} lies beyond its slider"
    for f in OTHERS:
        offered = {choice["value"] for choice in ALL[f.name]["choices"]}
        chosen = shown[f.name]["value"]
        assert set(chosen if isinstance(chosen, list) else [chosen]) <= offered


@pytest.mark.parametrize("f", OTHERS, ids=names(OTHERS))
def test_whatever_a_control_offers_evaluate_takes(f):
    for choice in ALL[f.name]["choices"]:
        value = choice["value"] if f.kind == "choice" else [choice["value"]]
        question.check(question.grid(**{"jurisdiction": "us"} | {f.name: value}), shipped().keys())
    assert ALL[f.name]["choices"] and all(choice["text"] for choice in ALL[f.name]["choices"])


def test_every_gpu_offered_gives_an_answer_and_cheapest_is_offered_first():
    offered = [choice["value"] for choice in ALL["gpu"]["choices"]]
    assert offered[0] == "cheapest" and len(offered) > 3
    answer = evaluate(question.grid(gpu=offered), shipped())
    assert set(answer.options["scenario"]) == set(range(len(offered)))


def test_the_label_of_a_slider_has_its_unit_and_its_help_says_what_is_allowed():
    volume = ALL["requests_per_month"]
    assert (volume["label"], volume["unit"]) == ("Volume [request/month]", "request/month")
    assert "Allowed: 1 to 1e+10 request/month." in volume["meaning"]
    assert ALL["latency"]["label"] == "Service level"
    assert ALL["cached_share"]["unit"] == ""


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("requests_per_month", 3e6, "3 M"),
        ("requests_per_month", 1e10, "10 G"),
        ("requests_per_month", 1500, "1.5 k"),
        ("requests_per_month", 999, "999"),
        ("requests_per_month", 1000, "1 k"),
        ("capex_limit_usd", 0, "0"),
        ("spikiness", 8.0, "8 (one team)"),
        ("hours_per_week", 50, "50 (office hours)"),
        ("spikiness", 5.25, "5.25"),
        ("cached_share", 0.3, "30 %"),
        ("growth_per_month", -0.05, "-5 %"),
        ("skill_ml", 0, "0 (none)"),
        ("regimes", "gdpr,hipaa", "gdpr, hipaa"),
        ("regimes", "", "none"),
        ("latency", "chat", "chat"),
    ],
)
def test_a_value_is_read_in_words(name, value, text):
    assert controls.readout(question.BY_NAME[name], value) == text


def test_a_number_that_rounds_up_to_the_next_letter_takes_it():
    assert controls.short(999_999.9) == "1 M"
    assert controls.short(-2_500) == "-2.5 k"


def test_five_questions_come_first_with_what_is_moved_most():
    asked = {control["ask"] for control in ALL.values()} - {""}
    assert [sentence[0] for sentence in sorted(asked)] == ["1", "2", "3", "4", "5"]
    first = {name for name, control in ALL.items() if control["ask"]}
    assert {"jurisdiction", "task", "quality_needed", "requests_per_month", "spikiness", "weeks_to_launch"} <= first
    assert {"budget_usd_per_month", "people_available", *(f"skill_{area}" for area in question.SKILLS)} <= first
    assert {name for name, control in ALL.items() if control["small"]} == {f"skill_{area}" for area in question.SKILLS}


def test_the_default_of_a_control_is_what_it_shows_of_the_default_scenario():
    shown = controls.values(question.grid().iloc[0].to_dict())
    assert {name: control["default"] for name, control in ALL.items()} == {n: s["value"] for n, s in shown.items()}
    assert ALL["priorities"]["default"] == ["cost"] and ALL["latency"]["default"] == "chat"
