"""Sharing: a scenario goes through a link or a file and comes back the same; what is none is refused in words."""

import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from toy import shipped
from where_to_run import paths
from where_to_run.inputs import question, share
from where_to_run.inputs.question import FIELDS, ScenarioError

KEYS = shipped().keys()
SCRIPT = "<img src=x onerror=alert(1)>"


def choices(f):
    """The names a field may have."""
    return list(KEYS[f.choices] if isinstance(f.choices, str) else f.choices)


def value_of(f):
    """Any value of a field that the question allows."""
    if f.kind == "number":
        return st.floats(f.low, f.high)
    if f.kind == "whole":
        return st.integers(int(f.low), int(f.high))
    if f.kind == "choice":
        return st.sampled_from(choices(f))
    return st.lists(st.sampled_from(choices(f)), unique=True, min_size=f.kind == "order")


ANYTHING = st.fixed_dictionaries({}, optional={f.name: value_of(f) for f in FIELDS})
PRESETS = st.sampled_from(["", *question.presets()])


def asked(fields, preset):
    """A scenario, with a jurisdiction where a region is demanded."""
    told = {f.name: f.default for f in FIELDS} | question.preset_fields(preset) | fields
    assume(told["jurisdiction"] != "any" or not told["control"].startswith("region"))
    return question.grid(preset, **fields)


@settings(deadline=None)
@given(ANYTHING, PRESETS)
def test_any_scenario_comes_back_from_its_link_the_same_to_the_last_digit(fields, preset):
    rows = asked(fields, preset)
    link = share.query(question.changed(rows, preset), preset)
    back, named, _ = share.from_query(link)
    assert named == preset and len(link) < share.LONGEST / 10
    assert_frame_equal(back, rows, check_exact=True)


@settings(deadline=None)
@given(ANYTHING, PRESETS)
def test_any_scenario_comes_back_from_its_file_the_same_to_the_last_digit(fields, preset):
    rows = asked(fields, preset)
    back, named = share.from_yaml(share.to_yaml(question.changed(rows, preset), preset))
    assert named == preset
    assert_frame_equal(back, rows, check_exact=True)


@pytest.mark.parametrize("name", question.presets())
def test_a_story_of_data_scenarios_is_a_scenario_file(name):
    text = (paths.DATA / "scenarios" / f"{name}.yaml").read_text()
    rows, preset = share.from_yaml(text)
    assert preset == ""
    assert_frame_equal(rows, question.grid(name))


def test_a_link_holds_the_preset_and_what_differs_from_it_and_no_more():
    rows = question.grid("hospital", spikiness=8, evidence=["baa", "dpa"], requests_per_month=2e6)
    told = share.query(question.changed(rows, "hospital"), "hospital")
    assert told == "preset=hospital&spikiness=8&evidence=baa%2Cdpa"
    assert share.query({}, "") == ""


def test_numbers_in_a_link_may_be_written_as_on_the_command_line():
    rows, _, _ = share.from_query("requests_per_month=2e8&regimes=hipaa,gdpr&spikiness=%208%20")
    assert rows.iloc[0][["requests_per_month", "regimes", "spikiness"]].tolist() == [2e8, "gdpr,hipaa", 8]


def test_what_speaks_to_the_server_is_no_field():
    rows, preset, _ = share.from_query("token=t&theme=dark&template=reveal&preset=bank")
    assert preset == "bank"
    assert_frame_equal(rows, question.grid("bank"))


def test_what_mail_programs_add_to_a_link_is_ignored():
    rows, preset, _ = share.from_query("utm_source=mail&utm_campaign=x&fbclid=1&mc_eid=2&preset=bank&spikiness=8")
    assert preset == "bank" and rows.at[0, "spikiness"] == 8
    assert not share.ours("utm_source") and share.ours("spikiness")


@pytest.mark.parametrize("written", ["1e+07", "1e%2B07", "1E+07", "+10000000", "1e7"])
def test_a_plus_in_a_number_of_a_link_is_read(written):
    rows, *_ = share.from_query(f"requests_per_month={written}")
    assert rows.at[0, "requests_per_month"] == 1e7


@pytest.mark.parametrize("value", [10.0, 1.234, 1234.5, 250.125, 10.125])
def test_a_number_with_three_decimals_is_written_so_that_nobody_takes_it_for_thousands(value):
    rows, *_ = share.from_query(share.query({"requests_per_month": value}, ""))
    assert rows.at[0, "requests_per_month"] == value


@pytest.mark.parametrize(("query", "value"), [("growth_per_month=0.125", 0.125), ("spikiness=2.125", 2.125)])
def test_decimals_are_read_where_thousands_are_not_allowed(query, value):
    assert share.from_query(query)[0].at[0, query.partition("=")[0]] == value


def test_what_others_added_to_a_link_is_left_out_and_told():
    rows, preset, words = share.from_query("preset=hospital&spikiness=8&utm_source=teams&facts_file=/etc/passwd")
    assert preset == "hospital" and rows.iloc[0]["spikiness"] == 8
    assert "facts_file, which is no field" in words
    many = share.from_query("&".join(f"a{n}=1" for n in range(2000)))[2]
    assert len(many) < 500 and "a0" in many


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("requests_per_month=10.000", "write 10000 for the one, 10.0000 for the other"),
        ("requests_per_month=10,000", "write 10000 for the one, 10.0000 for the other"),
        ("requests_per_month=10.000.000", "thousands"),
        ("spikyness=8", "Did you mean spikiness"),
        ("spikiness=1.04", "allowed: 1.05 to 20"),
        ("spikiness=20.01", "allowed: 1.05 to 20"),
        ("spikiness=nan", "allowed: 1.05 to 20"),
        ("spikiness=inf", "allowed: 1.05 to 20"),
        ("spikiness=", "not a number"),
        ("spikiness=eight", "not a number"),
        ("spikiness=" + "9" * 9000, "allowed: 1.05 to 20"),
        ("skill_ml=2.5", "a whole number 0 to 5"),
        ("latency=slow", "no 'slow'"),
        ("latency=chat,batch", "no 'chat,batch'"),
        ("priorities=cost,beauty", "no 'beauty'"),
        ("spikiness=2&spikiness=3", "spikiness more than once"),
        ("preset=bank&preset=hospital", "preset more than once"),
        ("preset=castle", "no preset 'castle'"),
        ("preset=../../etc/passwd", "no preset '../../etc/passwd'"),
        (
            "requests_per_month=10.000",
            "may have a separator of thousands or decimals; write 10000 for the one, 10.0000 for the other",
        ),
        (f"spikiness={SCRIPT}", "not a number"),
        ("regimes=" + "x" * 30_000, "30,008 characters are no scenario"),
    ],
    ids=lambda text: text[:30],
)
def test_a_link_that_is_no_scenario_is_refused_in_words_and_soon(query, words):
    start = time.perf_counter()
    with pytest.raises(ScenarioError) as refused:
        share.from_query(query)
    assert words in str(refused.value) and len(str(refused.value)) < 1500
    assert time.perf_counter() - start < 1


def merging(levels, times):
    """A bomb of merge keys, which YAML copies into each other."""
    steps = [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * times)}]}}" for n in range(1, levels)]
    return "\n".join(["a0: &a0 {x: 1}", *steps, f"fields: *a{levels - 1}"])


def nesting(levels):
    """A bomb of aliases: a list of lists that doubles with every level."""
    return "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels))])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no scenario"),
        ("just words", "holds no scenario"),
        ("- spikiness\n- 8", "holds no scenario"),
        ("fields: [1, 2]", "holds no scenario"),
        ("fields: 8", "holds no scenario"),
        ("fields: {spikiness: 8", "is not YAML in line"),
        ("preset: [bank]", "preset: give one name"),
        ("preset: 8", "preset: give one name"),
        ("preset: {a: b}", "preset: give one name"),
        ("preset: castle", "no preset 'castle'"),
        ("fields: {spikyness: 8}", "Did you mean spikiness"),
        ("fields: {8: 8}", "no field '8'"),
        ("fields: {[a, b]: 8}", "is not YAML"),
        ("fields: {null: 8}", "no field"),
        ("fields: {spikiness: [8, 9]}", "give one value"),
        ("fields: {spikiness: {a: 8}}", "give one value"),
        ("fields: {spikiness: yes}", "allowed"),
        ("fields: {spikiness: null}", "give one value"),
        ("fields: {spikiness: .nan}", "allowed"),
        ("fields: {spikiness: .inf}", "allowed"),
        ("fields: {spikiness: 2026-11-22}", "give one value"),
        ("fields: {spikiness: " + "9" * 5000 + "}", ""),
        ("fields: {regimes: [[hipaa]]}", "give names"),
        ("fields: {regimes: {hipaa: 1}}", "give names"),
        ("fields: {regimes: [1]}", "give names"),
        (f"fields: {{'{SCRIPT}': 1}}", "no field '<img"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
        ("fields: {spikiness: !!python/object/apply:os.getpid []}", "is not YAML"),
        ("\x00\x01", "is not YAML"),
        ("[" * 9000, "is not YAML"),
        ("{a: " * 4000, "is not YAML"),
        ("- " * 9000, ""),
        ("? " * 9000, ""),
        ("x" * 30_000, "30,000 characters are no scenario"),
        (nesting(40), ""),
        (merging(6, 10), ""),
    ],
    ids=lambda text: text[:30],
)
def test_a_file_that_is_no_scenario_is_refused_in_words_and_soon(text, words):
    start = time.perf_counter()
    with pytest.raises(ScenarioError) as refused:
        share.from_yaml(text)
    assert words in str(refused.value) and len(str(refused.value)) < 1500
    assert time.perf_counter() - start < 3


def test_a_bomb_of_merge_keys_does_not_grow_with_its_levels():
    def seconds(levels):
        start = time.perf_counter()
        with pytest.raises(ScenarioError):
            share.from_yaml(merging(levels, 10))
        return time.perf_counter() - start

    # six levels copy a million pairs where merge keys are followed: a tenth of a second, and ten times that a level
    assert seconds(6) < 0.05
