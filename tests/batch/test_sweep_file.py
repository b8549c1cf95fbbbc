"""The file of a sweep: what it may say, what it is refused for and on which line, and the scenarios it makes."""

import numpy as np
import pandas as pd
import pytest

from where_to_run.analysis import draws
from where_to_run.analysis.draws import Sample, law
from where_to_run.batch import sweep_file
from where_to_run.batch.sweep_file import slug
from where_to_run.cli import main
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import NAMES
from where_to_run.inputs import question
from where_to_run.inputs.facts import load
from where_to_run.inputs.question import BY_NAME, ScenarioError
from where_to_run.paths import DATA


def plan(tmp_path, text, **files):
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_text(content)
    (tmp_path / "s.yaml").write_text(text)
    return sweep_file.read(tmp_path / "s.yaml")[0]


def refusal(tmp_path, text, **files):
    with pytest.raises(ScenarioError) as told:
        plan(tmp_path, text, **files)
    return str(told.value)


def test_a_grid_alone_makes_the_rows_of_scenario_grid(tmp_path):
    found = plan(tmp_path, "preset: hospital\ngrid: {requests_per_month: [1e5, 1.0e+7, 3000000], spikiness: [2, 8]}\n")
    wanted = question.grid("hospital", spikiness=[2, 8], requests_per_month=[1e5, 1e7, 3e6])
    pd.testing.assert_frame_equal(found.rows(range(6))[list(wanted)], wanted, check_names=False)


def test_from_to_steps_goes_evenly_or_by_equal_factors_and_meets_both_ends(tmp_path):
    volume = "  requests_per_month: {from: 1e4, to: 1e8, steps: 5, log: true}\n"
    axes = plan(tmp_path, "grid:\n  spikiness: {from: 2, to: 8, steps: 4}\n" + volume).axes
    assert axes["spikiness"] == [2, 4, 6, 8]
    assert axes["requests_per_month"] == pytest.approx([1e4, 1e5, 1e6, 1e7, 1e8])
    assert axes["requests_per_month"][-1] == 1e8


def test_steps_of_a_whole_field_are_whole_and_each_stands_once(tmp_path):
    assert plan(tmp_path, "grid: {skill_ml: {from: 0, to: 3, steps: 9}}").axes["skill_ml"] == [0, 1, 2, 3]


def test_a_field_of_names_sweeps_over_lists_of_names(tmp_path):
    found = plan(tmp_path, "grid:\n  regimes: [[], [hipaa], [gdpr, hipaa]]\n  control: [none, own_tenancy]\n")
    assert found.size == 6 and list(found.columns(range(0, 6, 2))["regimes"]) == ["", "hipaa", "gdpr,hipaa"]


def test_table_sample_and_grid_are_combined_each_with_each(tmp_path):
    text = "table: t.csv\nsample: {n: 4, fields: {growth_per_month: [0, 0.1]}}\ngrid: {spikiness: [2, 8]}\n"
    found = plan(tmp_path, text, t="name,input_tokens\nshort,100\nlong,9000\n")
    rows = found.rows(range(found.size))
    assert found.size == 2 * 4 * 2 == len(rows.drop_duplicates())
    assert list(rows["input_tokens"]) == [100] * 8 + [9000] * 8 and list(rows["spikiness"][:4]) == [2, 8, 2, 8]
    assert [found.name(0), found.name(15)] == ["00-short", "15-long"]


def test_any_scenarios_can_be_had_without_the_others(tmp_path):
    text = (
        "sample: {n: 5, seed: 3, fields: {growth_per_month: [0, 0.1]}}\ngrid: {spikiness: {from: 2, to: 9, steps: 7}}\n"
    )
    found = plan(tmp_path, text)
    pd.testing.assert_frame_equal(found.columns([3, 30]), found.columns(range(35)).loc[[3, 30]])


def test_the_report_of_a_scenario_asks_the_same_question(tmp_path):
    found = plan(tmp_path, "preset: bank\nfields: {evidence: [baa]}\ngrid: {spikiness: [2, 8], skill_ml: [1, 4]}\n")
    given = found.parameters(3)
    asked = question.grid(given.pop("preset"), **given)
    pd.testing.assert_frame_equal(asked, found.rows([3])[list(asked)], check_names=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("grid:\n  spikiness: [2]\n  volume: [1, 2]\n", "line 3: no field 'volume'"),
        ("grid:\n  spikines: [1, 2]\n", "line 2: no field 'spikines'. Did you mean spikiness?"),
        ("preset: shop\ngrid: {spikiness: [2]}\n", "line 1: no preset 'shop'"),
        (
            "grid:\n  spikiness: []\n",
            "line 2: spikiness: give a list of values, or from, to, steps and log; got an empty",
        ),
        ("grid: {}\n", "line 1: grid: give one field or more"),
        ("grid:\n", "line 1: grid: give one field or more"),
        ("preset: bank\n", "nothing varies: give a grid, a sample or a table"),
        ("", "line 1: this holds no sweep"),
        ("grid:\n  spikiness: [2, many]\n", "line 2: spikiness: got 'many', not a number; allowed: 1.05 to 20"),
        ("grid:\n  spikiness: [2, 99]\n", "line 2: spikiness: got 99"),
        ("grid:\n  spikiness: {from: 2, to: 99, steps: 3}\n", "line 2: spikiness: got 99"),
        ("grid:\n  spikiness: {from: 2, to: 9}\n", "line 2: spikiness: give from, to, steps"),
        ("grid:\n  spikiness: {from: 2, to: 9, steps: 0}\n", "steps: got '0'; give a whole number"),
        ("grid:\n  growth_per_month: {from: 0, to: 0.1, steps: 3, log: true}\n", "equal factors need both ends above"),
        ("grid:\n  api_model: [gpt-0]\n", "line 2: api_model: no 'gpt-0'"),
        ("grid:\n  regimes: [[hippa]]\n", "Did you mean hipaa?"),
        ("fields:\n  spikiness: 99\ngrid: {skill_ml: [1]}\n", "line 2: spikiness: got 99"),
        ("fields:\n  spikiness: [2, 3]\ngrid: {skill_ml: [1]}\n", "line 2: spikiness: give one value here"),
        ("fields: {spikiness: 3}\ngrid:\n  spikiness: [2]\n", "line 3: spikiness stands in fields and in grid"),
        ("grid:\n  spikiness: [2]\n  spikiness: [3]\n", "line 3: spikiness is given twice"),
        ("grid: {spikiness: [2]}\nreport: all\n", "line 2: no entry 'report'"),
        ("grid: {spikiness: [2]}\nreports: some\n", "line 2: reports: got 'some'"),
        ("grid: {spikiness: [2]}\nreports: {top: many}\n", "top: got 'many'; give a whole number"),
        (
            "grid: {spikiness: [2]}\nreports:\n  top: 3\n  by: luck\n",
            "line 4: by: got 'luck'; give one of generalised_usd_per_month, level_usd_per_month, usd_per_month",
        ),
        ("grid: {spikiness: [2]}\nas_of: yesterday\n", "give a day as 2026-11-22"),
        ("grid: {spikiness: [2]}\nfacts: nowhere.csv\n", "line 2: cannot read the override file nowhere.csv"),
        ("grid: {spikiness: [2]}\nchunk: 0\n", "line 2: chunk: got '0'"),
        ("sample: {n: 0, fields: {spikiness: [2, 3]}}\n", "n: got '0'; give a whole number, 1 to 2,000,000"),
        ("sample: {fields: {spikiness: [2, 3]}}\n", "sample: give n, fields"),
        ("sample:\n  n: 3\n  fields:\n    spikiness: [3, 2]\n", "line 4: spikiness: low must be below high"),
        ("sample:\n  n: 3\n  fields:\n    spikiness: [2, 33]\n", "line 4: spikiness: high is 33; allowed: 1.05 to 20"),
        ("sample:\n  n: 3\n  method: dice\n  fields: {spikiness: [2, 3]}\n", "line 3: no method 'dice'"),
        ("sample: {n: 3, fields: {spikiness: {distribution: cauchy}}}\n", "no distribution 'cauchy'"),
        ("sample: {n: 3, fields: {spikiness: {distribution: normal, mean: 3}}}\n", "sd is missing"),
        (
            "sample: {n: 3, fields: {growth_per_month: {distribution: loguniform, low: 0, high: 0.1}}}\n",
            "low above zero",
        ),
        ("sample: {n: 3, fields: {control: [none, region]}}\n", "control is no number: give `values:`"),
        ("sample: {n: 3, fields: {control: {values: [none, high]}}}\n", "no 'high'"),
        ("sample: {n: 3, fields: {control: {values: [none], weights: [0]}}}\n", "not all zero"),
        ("table: nowhere.csv\n", "line 1: cannot read the table nowhere.csv"),
        ("a: &a [1]\ngrid: {spikiness: *a}\n", "aliases are not read"),
        ("grid: {spikiness: [2\n", "this is not YAML"),
        ("grid: " + "[" * 3000, "this is not YAML"),
        ("grid: !!python/object/apply:os.system [ls]\n", "grid: give one field or more"),
        ("grid: {spikiness: [" + "9" * 5000 + "]}\n", "this is not YAML"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text, words, tmp_path):
    told = refusal(tmp_path, text)
    assert words in told and "s.yaml" in told


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("", "t.csv, line 1: it must name fields, each once"),
        ("spikiness\n", "t.csv has no scenario"),
        ("spikiness,volume\n2,3\n", "t.csv, line 1: no field 'volume'"),
        ("2,3\n4,5\n", "t.csv, line 1: no field '2'"),
        ("spikiness,skill_ml\n2,1\n3\n", "t.csv, line 3: 1 cells; its first line has 2"),
        ("spikiness\n2\nmany\n", "t.csv, line 3: spikiness: got 'many'; allowed: 1.05 to 20"),
        ("spikiness,skill_ml\n2,1\n,2\n", "t.csv, line 3: spikiness: got ''; allowed: 1.05 to 20"),
        ("spikiness\n2\n\n99\n", "t.csv, line 4: spikiness: got '99'"),
        ("api_model,spikiness\nanthropic/claude-sonnet-5.5,2\ngpt-0,2\n", "t.csv, line 3: api_model: no 'gpt-0'"),
        ("spikiness,spikiness\n2,3\n", "each once"),
        ("spikiness\n\x00\n", "t.csv"),
    ],
)
def test_a_bad_table_is_refused_with_its_line(table, words, tmp_path):
    assert words in refusal(tmp_path, "table: t.csv\n", t=table)


@pytest.mark.parametrize(
    "text",
    [
        "grid:\n"
        + "".join(
            f"  {n}: {{from: 0, to: 1, steps: 1000}}\n"
            for n in ("cached_share", "batch_share", "sensitive_share", "specialised_share")
        ),
        "grid: {cached_share: {from: 0, to: 1, steps: 1000000000000}}\n",
        "sample: {n: 2000000, fields: {spikiness: [2, 3]}}\ngrid: {cached_share: {from: 0, to: 1, steps: 500000}}\n",
    ],
)
def test_a_grid_of_a_million_millions_is_refused_before_it_is_made(text, tmp_path):
    assert "at most 10,000,000. Give fewer values" in refusal(tmp_path, text)


def test_too_many_reports_are_refused(tmp_path):
    text = "grid: {cached_share: {from: 0, to: 1, steps: 20000}}\nreports: all\n"
    assert "20,000 reports; at most 10,000" in refusal(tmp_path, text)


def test_a_file_too_long_or_no_file_is_refused(tmp_path):
    assert "at most 200,000 are read" in refusal(tmp_path, "# " + "x" * 200_001)
    with pytest.raises(ScenarioError, match="cannot read"):
        sweep_file.read(tmp_path / "nowhere.yaml")


def test_a_name_from_a_table_is_no_path():
    assert slug("../../etc/passwd\n") == "_etc_passwd_" and len(slug("x" * 99)) == 40 and slug("a/b c.ü") == "a_b_c_"


def test_the_shipped_example_is_sound():
    found = sweep_file.read(DATA / "sweeps" / "example.yaml")[0]
    assert found.size == 40 * 20 * 16 and found.reports.kind == "winners"


@pytest.mark.parametrize("method", draws.METHODS)
def test_the_same_seed_draws_the_same_and_another_draws_others(method):
    laws = (law(BY_NAME["spikiness"], [2, 8]), law(BY_NAME["skill_ml"], [0, 5]))
    first, same, other = (Sample(100, seed, method, laws).frame for seed in (7, 7, 8))
    pd.testing.assert_frame_equal(first, same)
    assert (first["spikiness"] != other["spikiness"]).any()


@pytest.mark.parametrize("method", draws.METHODS)
def test_points_lie_evenly_one_in_each_stratum(method):
    # n = 64: both ways put exactly one point in each of 64 equal slices of every axis
    rows = Sample(64, 1, method, (law(BY_NAME["cached_share"], [0, 1]), law(BY_NAME["spikiness"], [2, 18]))).frame
    for name, low, span in (("cached_share", 0, 1), ("spikiness", 2, 16)):
        assert sorted(np.floor((rows[name] - low) / span * 64)) == list(range(64))


@pytest.mark.parametrize(
    ("name", "given", "mean"),
    [
        ("cached_share", [0.2, 0.6], 0.4),
        # (a + b + mode) / 3
        ("cached_share", {"distribution": "triangular", "low": 0.1, "mode": 0.2, "high": 0.9}, 0.4),
        # (b - a) / ln(b / a) = 900 / ln(10)
        ("input_tokens", {"distribution": "loguniform", "low": 100, "high": 1000}, 900 / np.log(10)),
        # cut evenly on both sides of its mean
        ("cached_share", {"distribution": "normal", "mean": 0.5, "sd": 0.3}, 0.5),
        # a fair die without the one: 0 to 5, each as often
        ("skill_ml", [0, 5], 2.5),
        ("skill_ml", {"values": [1, 5], "weights": [3, 1]}, 2.0),
    ],
)
def test_a_distribution_has_the_mean_its_formula_gives_and_keeps_its_range(name, given, mean):
    drawn = Sample(4096, 11, "sobol", (law(BY_NAME[name], given),)).frame[name].astype(float)
    assert drawn.mean() == pytest.approx(mean, rel=2e-3)
    assert drawn.min() >= BY_NAME[name].low and drawn.max() <= BY_NAME[name].high


def test_a_whole_field_drawn_evenly_takes_its_ends_as_often_as_the_rest():
    drawn = Sample(4096, 2, "sobol", (law(BY_NAME["skill_ml"], [0, 3]),)).frame["skill_ml"]
    assert drawn.value_counts().tolist() == pytest.approx([1024] * 4, abs=2)


def test_drawn_scenarios_can_be_answered(tmp_path):
    text = (
        "sample:\n  n: 8\n  fields:\n    skill_ml: [0, 5]\n    control: {values: [none, own_tenancy]}\n"
        "    output_tokens: {distribution: normal, mean: 300, sd: 80}\n"
    )
    assert len(evaluate(plan(tmp_path, text).rows(range(8)), load()).options) == 8 * len(NAMES)


def test_dry_run_says_how_many_and_keeps_nothing(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text("grid: {spikiness: [2, 8], skill_ml: [1, 2, 3]}\nreports: {top: 2}\n")
    assert main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "o"), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("6 scenarios: 2 spikiness x 3 skill_ml. Reports for the 2 scenarios")
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_a_bad_file_leaves_nothing_behind(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text("grid: {volume: [2, 8]}\n")
    assert main(["sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "o")]) == 2
    assert "s.yaml, line 1: no field 'volume'" in capsys.readouterr().err and not (tmp_path / "o").exists()


def test_a_grid_less_spiky_than_its_idle_hours_make_it_is_refused_before_any_work(tmp_path):
    words = "20 hours a week make the busiest hours at least 8.4 times the mean"
    assert words in refusal(tmp_path, "grid:\n  hours_per_week: [50, 20]\n  spikiness: [4, 9]\n")
    assert words in refusal(tmp_path, "fields: {hours_per_week: 20}\ngrid: {skill_ml: [1]}\n")


def test_a_grid_as_spiky_as_its_idle_hours_is_taken(tmp_path):
    (tmp_path / "s.yaml").write_text("grid: {hours_per_week: [50, 20], spikiness: [9, 12]}\n")
    assert sweep_file.read(tmp_path / "s.yaml")[0].size == 4
