"""Usage: fields with ranges, gaps and growth of logs whose truth is known, and the cost of a measured curve."""

import numpy as np
import pandas as pd
import pytest

import headless
from logbook import lines
from where_to_run.decision.evaluate import evaluate
from where_to_run.formulas.load_curve import Measured
from where_to_run.inputs import facts, question
from where_to_run.inputs.log_formats import UsageError
from where_to_run.inputs.log_hours import read
from where_to_run.inputs.usage import usage
from where_to_run.paths import DATA
from where_to_run.views import usage as the_usage
from where_to_run.views.usage import fields, load_duration

HOURLY = {"time": "t", "requests": "n", "input": "in", "output": "out", "cached": "hit"}


def of(counts, start="2026-03-02", step="h", prompt=100, leave_out=(), **how):
    """The usage of an export with a count every hour (or longer), prompts of 100 tokens of which 25 are cached."""
    times = pd.date_range(start, periods=len(counts), freq=step)
    rows = [
        [t, n, prompt * n, 10 * n, 25 * n]
        for i, (t, n) in enumerate(zip(times, counts, strict=True))
        if i not in leave_out
    ]
    return usage(read(lines(list(HOURLY.values()), *rows), HOURLY, **how))


def field(found, name):
    return found.fields.set_index("field").loc[name]


def office(weeks: int) -> np.ndarray:
    """Ninety requests an hour from eight to six on working days, nothing otherwise."""
    hour = np.arange(weeks * 168)
    return np.where((hour % 168 < 120) & (hour % 24 >= 8) & (hour % 24 < 18), 90, 0)


def test_the_fields_of_a_load_that_is_known():
    found = of(office(2))
    # by hand: 50 of 168 hours with 90 requests: a mean of 26.79 an hour, 19,554 in 730 hours; the p99 hour has 90
    assert field(found, "requests_per_month")["value"] == pytest.approx(50 * 90 / 168 * 730)
    assert field(found, "spikiness")["value"] == pytest.approx(168 / 50)
    assert [field(found, name)["value"] for name in ("input_tokens", "output_tokens", "cached_share")] == [
        100,
        10,
        0.25,
    ]
    volume = field(found, "requests_per_month")
    assert volume["low"] < volume["value"] < volume["high"]
    assert (
        field(found, "input_tokens")["low"] == pytest.approx(100)
        and "4 whole weeks" in field(found, "growth_per_month")["seen"]
    )
    assert (
        found.profile.pivot(index="day", columns="hour", values="load").to_numpy().ravel().tolist()
        == office(1).tolist()
    )


def test_the_p99_hour_of_a_hundred_hours():
    # by hand: hours of 5, 6, ..., 100 requests, four whole days: p99 by linear interpolation (Hyndman and Fan 7) of 96
    # values is 5 + 0.99 x 95 = 99.05, their mean 52.5
    assert field(of(range(1, 101)), "spikiness")["value"] == pytest.approx(99.05 / 52.5)


def test_ranges_hold_the_truth_about_as_often_as_they_say():
    # independent days of a known mean: a 90 % range must hold it in most of forty files, and not in a wide one only
    draw = np.random.default_rng(3)
    day = 50 * (1 + 0.8 * np.sin(np.arange(24) / 24 * 2 * np.pi))
    hits, widths = 0, []
    for _ in range(40):
        level = draw.gamma(10, 0.1, 28)
        volume = field(of(draw.poisson(np.outer(level, day).ravel())), "requests_per_month")
        hits += volume["low"] <= 50 * 730 <= volume["high"]
        widths.append((volume["high"] - volume["low"]) / (50 * 730))
    assert 30 <= hits <= 40
    # 28 days of a coefficient of variation of 0.316: +-1.645 x 0.316 / sqrt(28) = +-9.8 %
    assert np.mean(widths) == pytest.approx(2 * 0.098, rel=0.2)


def test_only_the_latest_four_weeks_give_the_fields_and_all_weeks_the_growth():
    weekly = np.repeat(1000 * 1.02 ** np.arange(10), 168)
    found = of(np.round(weekly))
    # by hand: two per cent a week is 1.02^(730/168) - 1 = 8.99 % a month
    assert field(found, "growth_per_month")["value"] == pytest.approx(1.02 ** (730 / 168) - 1, rel=0.01)
    assert field(found, "requests_per_month")["value"] == pytest.approx(weekly[-672:].mean() * 730, rel=1e-3)
    assert len(found.hours) == 672 and field(found, "growth_per_month")["seen"] == "10 weeks"


def test_an_outage_is_left_out_and_named_and_quiet_nights_are_zero():
    monday_at_nine = 168 + 9
    found = of(office(4), leave_out=[*np.flatnonzero(office(4) == 0), *range(monday_at_nine, monday_at_nine + 5)])
    assert found.gaps.to_dict("records") == [
        {"start": pd.Timestamp("2026-03-09T09:00Z"), "end": pd.Timestamp("2026-03-09T14:00Z"), "hours": 5}
    ]
    assert found.series["state"].value_counts().to_dict() == {"idle": 410, "measured": 195, "missing": 5}
    # by hand: from Monday eight o'clock to Friday six are 610 hours, the latest three weeks of them 504: 150 with 90
    # requests, of which five are missing
    assert field(found, "requests_per_month")["value"] == pytest.approx(145 * 90 / (504 - 5) * 730)


def test_weekends_without_a_row_in_a_short_file_are_idle():
    found = of(office(2), leave_out=np.flatnonzero(office(2) == 0))
    assert found.gaps.empty and len(found.series) == 274
    assert field(found, "spikiness")["value"] == pytest.approx(168 / 50), "a whole week counts"


def test_the_first_and_last_hour_of_a_log_of_requests_are_not_whole_hours():
    times = pd.date_range("2026-03-02T00:30", "2026-03-09T00:30", freq="min")
    found = usage(read(lines(["t", "in"], *([f"{t}.5", 1] for t in times)), {"time": "t", "input": "in"}))
    assert set(found.hours) == {60.0} and (found.series["state"] == "measured").sum() == 167
    assert field(found, "requests_per_month")["value"] == pytest.approx(60 * 730)


def test_a_short_log_says_how_much_but_not_how_spiky():
    times = pd.date_range("2026-03-02T09:00", periods=61, freq="min")
    found = usage(read(lines(["t", "in"], *([f"{t}.5", 7] for t in times)), {"time": "t", "input": "in"}))
    assert field(found, "requests_per_month")["value"] == pytest.approx(61 * 730)
    assert field(found, "input_tokens")["value"] == 7 and found.hours is None
    assert np.isnan(field(found, "spikiness")["value"]) and "48 whole hours" in field(found, "spikiness")["seen"]
    assert field(found, "cached_share")["seen"] == "not in the file" and np.isnan(field(found, "cached_share")["value"])
    assert set(found.changes({})) == {"requests_per_month", "input_tokens"}


def test_days_say_nothing_of_hours():
    found = of([100, 200, 300] * 14, step="D")
    assert field(found, "requests_per_month")["value"] == pytest.approx(200 * 730 / 24, rel=0.05)
    assert found.hours is None and field(found, "spikiness")["seen"] == "not known: a row stands for 24 hours"
    assert field(found, "growth_per_month")["seen"] == "6 weeks"


def test_an_export_of_tokens_alone_gives_requests_of_the_length_asked():
    heads = ["usage_date_utc", "usage_input_tokens_no_cache", "usage_output_tokens", "usage_input_tokens_cache_read"]
    rows = [[day.date(), 1000, 300, 1000] for day in pd.date_range("2026-03-02", periods=14)]
    found = usage(read(lines(heads, *rows)))
    assert found.counted == "tokens" and np.isnan(field(found, "requests_per_month")["value"])
    # by hand: 2,000 tokens a day are 60,833 in 730 hours: at 500 a prompt 121.67 requests, of 9,125 / 121.67 = 75 out
    changes = found.changes(question.grid(input_tokens=500).iloc[0])
    assert changes == pytest.approx(
        {"requests_per_month": 2000 * 730 / 24 / 500, "output_tokens": 75, "cached_share": 0.5}
    )


# by hand: from 2 January 2000 to 1 January 2099 are 36,159 days of 24 hours
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["2000-01-02", 5], ["2099-01-01", 5]], "stands for 867,816 hours; give rows of a week or less"),
        (
            [["2026-03-02 09:00:00.5", 5], ["2026-03-02 10:00:00.5", 5], ["2090-01-01", 5]],
            "up to 2090-01-01; is a time",
        ),
    ],
)
def test_rows_too_long_and_a_stray_time_are_refused_in_words(rows, said):
    named = {"time": "t", "requests": "n"} if len(rows) == 2 else {"time": "t", "input": "n"}
    with pytest.raises(UsageError, match=said):
        usage(read(lines(["t", "n"], *rows), named))


def test_changes_stay_within_what_the_question_allows():
    quiet = np.zeros(336)
    quiet[100] = 1
    found = of(quiet)
    assert "spikiness" not in found.changes({}) and "p99 says nothing" in field(found, "spikiness")["seen"]
    assert "as measured" in load_duration(found)[0].words
    assert of(office(2), prompt=10**7).changes({})["input_tokens"] == question.BY_NAME["input_tokens"].high


def test_the_week_is_that_of_the_time_zone():
    berlin = of(office(2), time_zone="Europe/Berlin").profile
    assert berlin[berlin["load"] > 0]["hour"].agg(["min", "max"]).tolist() == [8, 17]


def test_the_measured_curve_costs_what_the_sum_over_its_hours_costs():
    hours = of(np.random.default_rng(5).gamma(0.7, 100, 336).round()).hours
    capacity = np.array([[0.5, 1.0, 3.0]])
    above = np.maximum(hours[:, None] - capacity * hours.mean(), 0).sum(axis=0) / hours.sum()
    assert Measured(hours).spill(capacity, np.array([0]))[0] == pytest.approx(above)
    row = question.grid(requests_per_month=3e7)
    known = facts.load()
    assert evaluate(row, known, hours=hours).options.equals(evaluate(row, known, hours=hours[::-1] * 3).options)


@pytest.fixture(scope="module")
def example():
    return usage(read(DATA / "usage_example.csv", time_zone="Europe/Berlin"))


def test_the_example_has_what_its_description_says(example):
    assert example.log.layout.name == "openai_usage" and not example.log.bad and example.log.repeats == 0
    busy = example.profile.set_index(["day", "hour"])["load"]
    assert busy.loc[(0, 12)] > 10 * busy.loc[(0, 3)] and busy.loc[(0, 12)] > 10 * busy.loc[(6, 12)]
    growth = field(example, "growth_per_month")
    assert growth["low"] < 1.015 ** (730 / 168) - 1 < growth["high"] and growth["seen"] == "8 weeks"
    assert example.gaps["hours"].tolist() == [6]


def test_every_panel_of_an_example_shows_its_figures(example):
    shown = {name: getattr(the_usage, name)(example) for name in ("fields", "read", "hours", "week", "load_duration")}
    volume = field(example, "requests_per_month")
    assert all(f"{volume[end]:,.0f}" in shown["fields"].words for end in ("value", "low", "high"))
    assert "1,338" in shown["read"].words and "Missing" in shown["read"].words
    (curve,) = shown["load_duration"]
    assert f"p99 of the hours is {field(example, 'spikiness')['value']:.2f} times" in curve.words
    loads = pd.DataFrame(curve.data["d0"]).pivot(index="share", columns="curve", values="load")
    assert (loads.diff().dropna() <= 0).all(axis=None), "a load-duration curve never rises"
    (week,) = shown["week"]
    assert len(week.data["d0"]["load"]) == 168 and np.mean(week.data["d0"]["load"]) == pytest.approx(1)
    (hours,) = shown["hours"]
    assert "shaded" in hours.words and len(hours.data) == 2
    assert all("<img" in pieces._repr_html_() for name, pieces in shown.items() if name not in ("fields", "read"))


def test_a_short_log_has_words_in_place_of_a_curve():
    rows = [["2026-03-02 09:00:00.5", 1], ["2026-03-02 10:00:00.5", 2], ["<b>", 3]]
    rows += [[f"2026-03-02 10:10:0{n}.5", 2] for n in range(3)]
    found = usage(read(lines(["t", "in"], *rows), {"time": "t", "input": "in"}))
    assert "48 whole hours" in load_duration(found).words
    assert "time not understood" in the_usage.read(found).words
    assert "not in the file" in fields(found).words and "–" in fields(found).words


def test_the_notebook_reads_a_file_with_named_columns_from_top_to_bottom(tmp_path):
    times = pd.date_range("2026-03-02", periods=336, freq="h")
    (tmp_path / "mine.csv").write_bytes(lines(["t", "n", "in"], *([t, 1000 + t.hour, 5000] for t in times)))
    named = "{columns: {time: t, requests: n, input: in}, usage_file: mine.csv, preset: hospital}"
    shown = headless.shown(tmp_path, "6_your_usage", "-y", named)
    # by hand: a mean of 1,000 + 11.5 requests in an hour, 738,395 in 730
    assert shown.count("<img") >= 3 and "738,395" in shown
