import numpy as np
import pandas as pd
import pytest
import yaml

from where_to_run.inputs import facts, question
from where_to_run.inputs.question import ScenarioError


@pytest.fixture
def preset(tmp_path, monkeypatch):
    """A story of its own, so that the tests do not hang on the shipped ones."""
    (tmp_path / "scenarios").mkdir()
    story = {"title": "Clinic", "story": "A clinic.", "fields": {"input_tokens": 3000, "regimes": ["hipaa"]}}
    (tmp_path / "scenarios" / "clinic.yaml").write_text(yaml.safe_dump(story))
    monkeypatch.setattr(question, "DATA", tmp_path)
    monkeypatch.setattr(question, "presets", question.presets.__wrapped__)
    return tmp_path / "scenarios"


# the grid


def test_a_grid_is_the_product_of_its_lists_in_order():
    rows = question.grid(input_tokens=[100, 200], latency=["batch", "chat", "interactive"])
    assert rows["input_tokens"].tolist() == [100, 100, 100, 200, 200, 200]
    assert rows["latency"].tolist() == ["batch", "chat", "interactive"] * 2


def test_fields_not_given_have_their_default():
    rows = question.grid(input_tokens=[100, 200])
    assert list(rows.columns) == list(question.BY_NAME)
    assert rows.drop(columns="input_tokens").nunique().eq(1).all()
    assert rows.loc[1, ["output_tokens", "horizon_months", "priorities", "regimes"]].tolist() == [250, 36, "cost", ""]


def test_a_field_given_as_none_has_its_default():
    assert question.grid(output_tokens=None)["output_tokens"].tolist() == [250]


@pytest.mark.parametrize("values", [[100, 200], (100, 200), range(100, 300, 100), np.array([100, 200])])
def test_lists_ranges_and_arrays_are_axes(values):
    assert question.grid(input_tokens=values)["input_tokens"].tolist() == [100, 200]


def test_a_list_of_names_is_one_value():
    assert question.grid(regimes=["hipaa", "gdpr"])["regimes"].tolist() == ["gdpr,hipaa"]


def test_a_list_of_lists_of_names_is_an_axis():
    assert question.grid(regimes=[["hipaa"], ["gdpr"], []])["regimes"].tolist() == ["hipaa", "gdpr", ""]


def test_names_joined_by_commas_are_one_value():
    assert question.grid(regimes="hipaa, gdpr")["regimes"].tolist() == ["gdpr,hipaa"]


def test_an_empty_list_of_names_is_the_value_none():
    assert question.grid(regimes=[])["regimes"].tolist() == [""]


def test_priorities_keep_their_order_and_are_named_once():
    rows = question.grid(priorities=["launch", "cost", "launch"])
    assert rows["priorities"].tolist() == ["launch,cost"]


def test_a_whole_number_stays_whole():
    rows = question.grid(horizon_months=24.0)
    assert rows["horizon_months"].tolist() == [24]
    assert rows["horizon_months"].dtype == np.int64


# presets


def test_a_preset_overrides_the_defaults_and_only_those_it_names(preset):
    rows = question.grid("clinic")
    assert rows.loc[0, ["input_tokens", "regimes", "output_tokens"]].tolist() == [3000, "hipaa", 250]


def test_a_value_given_overrides_the_preset(preset):
    rows = question.grid("clinic", input_tokens=[500, 600])
    assert rows["input_tokens"].tolist() == [500, 600]
    assert rows["regimes"].tolist() == ["hipaa", "hipaa"]


def test_an_unknown_preset_is_refused_with_those_there_are(preset):
    with pytest.raises(ScenarioError, match=r"no preset 'clinc' in data/scenarios; it has: clinic"):
        question.grid("clinc")


def test_a_preset_that_names_an_unknown_field_is_refused(preset):
    (preset / "typo.yaml").write_text(yaml.safe_dump({"fields": {"input_token": 1}}))
    with pytest.raises(ScenarioError, match=r"no field 'input_token'\. Did you mean input_tokens\?"):
        question.grid("typo")


def test_changed_names_what_differs_from_the_preset(preset):
    rows = question.grid("clinic", output_tokens=99)
    assert question.changed(rows, "clinic") == {"output_tokens": 99}
    assert question.changed(rows) == {"input_tokens": 3000, "output_tokens": 99, "regimes": "hipaa"}


# what is refused


def test_an_unknown_field_is_refused_with_the_one_meant():
    with pytest.raises(ScenarioError, match=r"no field 'spikines'\. Did you mean spikiness\? The fields are: requests"):
        question.grid(spikines=3)


def test_a_field_like_no_other_is_refused_without_a_guess():
    with pytest.raises(ScenarioError, match=r"no field 'zzz'\. The fields are: requests_per_month, spikiness"):
        question.field("zzz")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cached_share", 1.01, "cached_share: got 1.01; allowed: 0 to 1 share. Share of the input"),
        ("sensitive_share", -0.01, "sensitive_share: got -0.01; allowed: 0 to 1 share"),
        ("spikiness", 1.04, "spikiness: got 1.04; allowed: 1.05 to 20 p99 hour / mean hour"),
        ("spikiness", 20.01, "spikiness: got 20.01; allowed: 1.05 to 20"),
        ("horizon_months", 0, "horizon_months: got 0.0; allowed: a whole number 1 to 60 month"),
        ("horizon_months", 12.5, "horizon_months: got 12.5; allowed: a whole number 1 to 60 month"),
        ("skill_ml", 2.5, "skill_ml: got 2.5; allowed: a whole number 0 to 5 level"),
        ("input_tokens", float("nan"), "input_tokens: got nan; allowed: 1 to 1e+06 token/request"),
        ("input_tokens", float("inf"), "input_tokens: got inf; allowed: 1 to 1e+06 token/request"),
        pytest.param("input_tokens", 10**400, "input_tokens: got '1000", id="input_tokens-beyond-float"),
        ("input_tokens", "many", "input_tokens: got 'many', not a number; allowed: 1 to 1e+06 token/request"),
        ("input_tokens", True, "input_tokens: got True; allowed: 1 to 1e+06 token/request"),
        ("input_tokens", [[1, 2]], "input_tokens: got '[1, 2]', not a number"),
        ("input_tokens", [], "input_tokens: got an empty list; give at least one value (1 to 1e+06"),
        ("latency", [], "latency: got an empty list; give at least one value (batch, relaxed, chat, interactive)"),
        ("latency", "chatty", "latency: no 'chatty'. Did you mean chat? Allowed: batch, relaxed, chat, interactive"),
        ("latency", 3, "latency: no '3'. Allowed: batch, relaxed, chat, interactive"),
        ("priorities", ["price"], "priorities: no 'price'. Allowed: cost, control, launch, skills"),
        ("regimes", [["hipaa", 1]], "regimes: got 1; give names"),
        ("regimes", [1], "regimes: got 1; give names"),
        ("regimes", ["hipaa", 1], "regimes: got 1; give names"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_with_what_is(name, value, words):
    with pytest.raises(ScenarioError) as refused:
        question.grid(**{name: value})
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cached_share", 1),
        ("cached_share", 0),
        ("spikiness", 1.05),
        ("spikiness", 20),
        ("horizon_months", 1),
        ("horizon_months", 60),
        ("growth_per_month", -0.2),
    ],
)
def test_a_value_at_the_end_of_its_range_is_allowed(name, value):
    assert question.grid(**{name: value})[name].tolist() == [value]


def test_the_row_of_the_value_refused_is_named():
    with pytest.raises(ScenarioError, match=r"cached_share: got .*1\.5.* in row 2"):
        question.grid(cached_share=[0.1, 0.2, 1.5])


def test_a_grid_of_a_million_million_scenarios_is_refused_at_once():
    # By hand: four axes of 1000 are 10^12
    axis = range(1, 1001)
    with pytest.raises(ScenarioError, match=r"the grid has 1e\+12 scenarios; at most 2,000,000 fit. Give fewer values"):
        question.grid(input_tokens=axis, output_tokens=axis, budget_usd_per_month=axis, capex_limit_usd=axis)


# rows made elsewhere


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("open_model", "llama-3.3-70", r"open_model: no 'llama-3.3-70'\. Did you mean llama-3.3-70b"),
        ("api_model", "gpt", r"api_model: no 'gpt'\. .*Allowed: "),
        ("gpu", "h1000", r"gpu: no 'h1000'\. Did you mean h100.* Allowed: cheapest, "),
        ("regimes", ["hippa"], r"regimes: no 'hippa'\. Did you mean hipaa"),
        ("evidence", ["baa", "handshake"], r"evidence: no 'handshake'\."),
    ],
)
def test_a_name_that_is_in_no_table_is_refused_when_the_tables_are_known(name, value, words):
    rows = question.grid(**{name: value})  # without tables the name passes
    with pytest.raises(ScenarioError, match=words):
        question.check(rows, facts.load().keys())


def test_the_default_scenario_names_what_is_in_the_tables():
    rows = question.grid(gpu=["cheapest", "h100"])
    pd.testing.assert_frame_equal(question.check(rows, facts.load().keys()), rows)


def test_a_frame_without_rows_is_refused():
    with pytest.raises(ScenarioError, match=r"no scenario to evaluate: the table has no row"):
        question.check(question.grid().iloc[:0])


def test_a_frame_that_lacks_columns_is_refused_with_their_names():
    with pytest.raises(ScenarioError, match=r"scenarios lack the fields spikiness, gpu; make rows with question.grid"):
        question.check(question.grid().drop(columns=["gpu", "spikiness"]))


def test_a_frame_with_a_column_too_many_is_refused():
    with pytest.raises(ScenarioError, match=r"no field 'colour'\."):
        question.check(question.grid().assign(colour="green"))


@pytest.mark.parametrize("value", ["many", np.nan, np.inf, None])
def test_a_cell_that_is_no_number_is_refused_in_a_frame_too(value):
    rows = question.grid(input_tokens=[1, 2])
    rows["input_tokens"] = pd.Series([1, value], dtype=object)
    with pytest.raises(ScenarioError, match=r"input_tokens: got .* in row 1; allowed: 1 to 1e\+06 token/request"):
        question.check(rows)


def test_a_truth_value_is_refused_in_a_frame_too():
    with pytest.raises(ScenarioError, match=r"cached_share: got .*True"):
        question.check(question.grid().assign(cached_share=True))


def test_a_priority_named_twice_in_a_frame_is_named_once_or_refused():
    rows = question.grid().assign(priorities="cost,cost")
    try:
        named = question.check(rows)["priorities"].iloc[0].split(",")
    except ScenarioError as refused:
        assert "priorities" in str(refused)
    else:
        assert named == ["cost"]


def test_columns_may_come_in_any_order():
    rows = question.grid(input_tokens=[1, 2])
    pd.testing.assert_frame_equal(question.check(rows[rows.columns[::-1]]), rows)


def test_rows_survive_a_csv_file(tmp_path):
    rows = question.grid(regimes=[["hipaa", "gdpr"], ["pci"]], input_tokens=[100, 200])
    rows.to_csv(tmp_path / "rows.csv", index=False)
    read = pd.read_csv(tmp_path / "rows.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(question.check(read), rows)


# text and parameters


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("requests_per_month", "2e8", 2e8),
        ("horizon_months", "24", 24),
        ("regimes", "hipaa, gdpr", ["hipaa", "gdpr"]),
        ("regimes", "", []),
        ("priorities", "launch,cost", ["launch", "cost"]),
        ("latency", "batch", "batch"),
    ],
)
def test_text_is_parsed_by_the_kind_of_its_field(name, text, value):
    assert question.parse(name, text) == value


def test_text_that_is_no_number_is_refused():
    with pytest.raises(ScenarioError, match=r"spikiness: got 'high', not a number; allowed: 1.05 to 20"):
        question.parse("spikiness", "high")


def test_parsing_the_text_of_a_scenario_gives_the_scenario_back():
    rows = question.grid(
        requests_per_month=123456.5,
        regimes=["pci", "gdpr"],
        evidence=["dpa"],
        priorities=["skills", "cost"],
        gpu="h100",
        skill_ml=5,
    )
    texts = {name: str(rows[name].iloc[0]) for name in rows.columns}
    again = question.grid(**{name: question.parse(name, text) for name, text in texts.items()})
    pd.testing.assert_frame_equal(again, rows)


def test_the_parameters_cell_defines_every_field_once_with_unit_and_meaning():
    lines = question.parameters_cell().splitlines()
    names = [line.split(":")[0] for line in lines]
    assert names == ["preset", *question.BY_NAME, "facts_file", "as_of"]
    for line, field in zip(lines[1:-2], question.FIELDS, strict=True):
        assert f"# {field.unit}. {field.meaning}. Allowed: {field.allowed}. Default: " in line


def test_the_parameters_cell_left_as_it_is_asks_for_the_defaults():
    namespace = {}
    exec(compile(question.parameters_cell(), "parameters", "exec"), namespace)
    pd.testing.assert_frame_equal(question.from_parameters(namespace), question.grid())


def test_parameters_that_are_none_are_ignored(preset):
    namespace = {"preset": "clinic", "input_tokens": None, "output_tokens": 10, "regimes": None}
    rows = question.from_parameters(namespace)
    assert rows["input_tokens"].tolist() == [3000]
    assert rows["output_tokens"].tolist() == [10]


@pytest.mark.parametrize("value", ["2e8", 200_000_000, 2e8, [2e8], (2e8,)])
def test_a_misspelt_parameter_is_refused_with_the_one_meant(value):
    with pytest.raises(ScenarioError, match=r"no field 'requests_per_mnth'\. Did you mean requests_per_month\?"):
        question.from_parameters({"output_tokens": 10, "requests_per_mnth": value})


def test_what_else_a_notebook_defines_is_ignored():
    namespace = {"output_tokens": 10, "preset": "", "facts_file": "mine.csv", "as_of": "2026-11-22"}
    others = {"pd": pd, "grid": question.grid, "nothing": None, "_": 3, "_i1": "x = 1", "__doc__": "a", "In": ["x = 1"]}
    pd.testing.assert_frame_equal(question.from_parameters(namespace | others), question.grid(output_tokens=10))


def test_parameters_that_make_two_scenarios_are_refused():
    with pytest.raises(ScenarioError, match=r"the parameters make 2 scenarios; .* Give one value a field"):
        question.from_parameters({"output_tokens": [10, 20]})


# what can have no effect


def _notices(**fields):
    return question.notices(question.grid(**fields).iloc[0])


@pytest.mark.parametrize("customisation", ["fine_tuning", "weights"])
def test_customisation_of_no_traffic_is_told(customisation):
    (told,) = _notices(customisation=customisation, specialised_share=0, regimes=[])
    assert customisation in told
    assert "specialised_share is 0" in told


def test_regimes_over_no_traffic_are_told():
    (told,) = _notices(regimes=["gdpr", "hipaa"], sensitive_share=0, customisation="prompting")
    assert "gdpr,hipaa" in told
    assert "sensitive_share is 0" in told


def test_both_are_told():
    assert len(_notices(regimes=["hipaa"], sensitive_share=0, customisation="weights", specialised_share=0)) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"customisation": "weights", "specialised_share": 0.01},
        {"customisation": "prompting", "specialised_share": 0},
        {"regimes": ["hipaa"], "sensitive_share": 0.01},
        {"regimes": [], "sensitive_share": 0},
    ],
)
def test_what_has_an_effect_is_not_told(fields):
    assert _notices(**fields) == []


def test_every_default_is_allowed_and_every_slider_lies_within_its_range():
    for field in question.FIELDS:
        if field.kind in ("number", "whole"):
            assert field.low <= field.default <= field.high, field.name
            low, high = field.slider or (field.low, field.high)
            assert field.low <= low < high <= field.high, field.name


@pytest.mark.parametrize(("spikiness", "refused"), [(3.35, True), (3.36, False), (5, False)])
def test_idle_hours_make_a_least_spikiness(spikiness, refused):
    rows = question.grid(hours_per_week=50, spikiness=spikiness)
    assert question.too_steady(rows).tolist() == [refused]
    if not refused:
        return question.refuse_too_steady(rows)
    words = "spikiness: got 3.35, but 50 hours a week make the busiest hours at least 3.4 times the mean. Give that"
    with pytest.raises(ScenarioError, match=words):
        question.refuse_too_steady(rows)


def test_a_row_is_lifted_to_the_spikiness_of_its_idle_hours_and_says_so():
    rows, told = question.lifted(question.grid(hours_per_week=[20, 168], spikiness=5))
    assert rows["spikiness"].tolist() == [8.4, 5]
    assert (
        told
        == "20 hours a week make the busiest hours at least 8.4 times the mean, so the spikiness was lifted to that."
    )
    assert question.lifted(question.grid())[1] == ""


def test_around_the_clock_with_idle_hours_is_noticed():
    noticed = question.notices(question.grid(hours_per_week=50, availability="around_the_clock").iloc[0])
    assert any("keeps rented machines on in idle hours" in words for words in noticed)
    assert not question.notices(question.grid(hours_per_week=50).iloc[0])
