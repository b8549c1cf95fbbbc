"""Log cases: packed files of each kind that is easily read wrong, with their right value by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest

from logbook import FILES, lines
from where_to_run.inputs.log_formats import UsageError, layouts
from where_to_run.inputs.log_hours import read
from where_to_run.inputs.usage import usage

LOGS = Path(__file__).parent / "logs"
NAMED = {"time": "when", "input": "tin", "output": "tout", "cached": "tc", "id": "id"}
PLAIN = {"time": "when", "input": "tin", "output": "tout"}
RATE = {"time": "t", "requests": "rps", "counting": "rate"}
COUNTER = {"time": "t", "requests": "n", "counting": "counter"}
# 700 requests of 20 a day over 35 days: sums of their columns by another program (awk)
IN, OUT, CACHED = 1_435_087, 282_609, 368_590

# name: columns, what is right of the whole file, and of the fields of a month of 730 hours
RIGHT = {
    # 1,300 a day, as the 28 whole days have: 36,400 / 672 x 730
    "openai_first_bucket_cut.json": ({}, {"step_h": 24}, {"requests_per_month": 36_400 / 672 * 730}),
    "openai_month_both_ends_cut.json": (
        {},
        {"step_h": 24},
        {"requests_per_month": 36_400 / 672 * 730, "growth_per_month": 0},
    ),
    "rate_one_extra_scrape.csv": (RATE, {}, {"requests_per_month": 0.5 * 3600 * 730}),
    "requests_date_only.csv": (NAMED, {"step_h": 24}, {"requests_per_month": 20 * 730 / 24, "growth_per_month": 0}),
    # 20 requests at 9 h UTC of each day, whatever the offset
    "two_servers_offsets.csv": (
        PLAIN | {"id": "id", "cached": ""},
        {"requests": 700},
        {"spikiness": 24, "requests_per_month": 20 * 730 / 24},
    ),
    "counter_local_clock_autumn.csv": (COUNTER, {"resets": 0}, {"requests_per_month": 120 * 730}),
    "streaming_partial_then_final.jsonl": (NAMED, {"requests": 700, "output": OUT, "repeats": 700}, {}),
    "litellm_request_id_none.json": ({}, {"requests": 700, "input": IN}, {}),
    "rate_two_pods_with_id.csv": (RATE | {"id": "pod"}, {}, {"requests_per_month": 2 * 0.5 * 3600 * 730}),
    # prompt and cache: 700 x 12 tokens are not from the cache
    "helicone_claude_cached.json": ({}, {"input": IN, "cached": IN - 8_400}, {}),
    "langfuse_reasoning.json": ({}, {"input": IN, "output": OUT}, {}),
    "anthropic_console_one_write_column.csv": ({}, {"input": 40 * 180, "cached": 40 * 50}, {}),
    "langfuse_audio.jsonl": ({}, {"input": 2_684_132, "output": 517_341}, {}),
    "litellm_cached_zero_first.json": ({}, {"cached": CACHED}, {}),
    "otlp_agent_spans.jsonl": ({}, {"requests": 400, "input": 842_722, "output": 161_001}, {}),
    "litellm_failed_requests.json": ({}, {"requests": 490, "bad": {"no call of a model": 210}}, {}),
    "burstgpt_failures.csv": ({}, {"requests": 945}, {}),
    "null_word_in_cached.csv": (NAMED, {"requests": 700, "bad": {}}, {}),
    "qwen_bailian_form.jsonl": ({}, {"requests": 1_500}, {}),
    # two of its requests have no count of what came out
    "no_output_in_one_hour.csv": (NAMED, {"requests": 700, "input": IN, "with_output": 698}, {}),
    "langfuse_trace_download.json": ({}, {"requests": 200, "bad": {}}, {}),
    "cloudflare_gateway_logs.json": ({}, {"requests": 200}, {}),
    "bom_document.json": ({}, {"requests": 200}, {}),
    "bom_lines.jsonl": ({}, {"requests": 200, "bad": {}}, {}),
    "objects_without_newline.json": ({}, {"requests": 150}, {}),
    "otlp_2000_spans.json": ({}, {"requests": 2_000, "input": 2_000 * 500}, {}),
    "langfuse_ui_export.csv": ({}, {"requests": 200}, {}),
    "console_dates_us.csv": ({}, {"input": 40 * 180, "step_h": 24}, {}),
    "counter_hourly_with_jitter.csv": (COUNTER, {}, {"requests_per_month": 120 * 730, "spikiness": 1}),
    # 500 tokens a second of 0.5 requests, 50 out
    "rate_with_token_rates.csv": (
        RATE | {"input": "tps_in", "output": "tps_out"},
        {},
        {"input_tokens": 1_000, "output_tokens": 100},
    ),
    "four_busy_hours.csv": ({"time": "when", "input": "tin"}, {"requests": 1_442}, {}),
    "nightly_batch.csv": (NAMED, {}, {"requests_per_month": 20 * 730 / 24, "growth_per_month": 0}),
    "cached_key_after_60_rows.jsonl": (NAMED, {"requests": 700}, {}),
    "openai_equal_groups.json": ({}, {}, {"requests_per_month": 30 * 730 / 24}),
    "litellm_metadata_string.json": ({}, {"cached": CACHED}, {}),
    "first_column_PK.csv": (PLAIN, {"requests": 200}, {}),
    "first_column_bracket.csv": (PLAIN | {"time": "[when]"}, {"requests": 200}, {}),
    "forty_days.csv": ({"time": "t", "requests": "n"}, {"step_h": 24}, {"requests_per_month": 2_400 * 730 / 24}),
}
UNKNOWN = {
    "openai_first_bucket_cut.json": ["spikiness"],
    "requests_date_only.csv": ["spikiness"],
    "four_busy_hours.csv": ["spikiness"],
}
REFUSED = {
    "times_end_in_pst.csv": (NAMED, "time not understood: 700.*00:30:52 PST"),
    "otlp_input_without_cached.jsonl": ({}, "more tokens from the cache than came in.*input as the sum of both"),
    "thousands_dot.csv": (NAMED, "input tokens are written as 2.492"),
    "thousands_space.csv": (NAMED, "input tokens are written as 2.492"),
    "excel_serial_times.csv": (NAMED, "numbers as 46027.*count from no start that is known"),
    "counter_two_pods_no_id.csv": (COUNTER, "begins again .* several series in one"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_file_that_is_easily_read_wrong_is_read_right(name):
    columns, whole, month = RIGHT[name]
    log = read(LOGS / f"{name}.gz", columns, "Europe/Berlin" if "autumn" in name else "UTC")
    for what, right in whole.items():
        got = getattr(log, what) if hasattr(log, what) else log.hours[what].sum()
        assert got == right, what
    found = usage(log).fields.set_index("field")["value"]
    assert (
        found["output_tokens"] == found["output_tokens"]
        or log.hours["output"].isna().all()
        or log.hours["requests"].isna().all()
    )
    for field, right in month.items():
        assert found[field] == pytest.approx(right, abs=1e-9), field
    assert found[UNKNOWN.get(name, [])].isna().all()


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_may_mean_several_things_is_refused_with_an_example(name):
    columns, said = REFUSED[name]
    with pytest.raises(UsageError, match=said):
        read(LOGS / f"{name}.gz", columns)


def test_every_file_and_every_layout_is_tried():
    daily = {
        "litellm_daily",
        "litellm_daily_table",
        "openrouter_activity",
        "azure_gateway",
        "prometheus",
        "qwen_bailian",
    }
    assert {*FILES, *LAYOUTS, *daily} == {one.name for one in layouts() if not one.instead}
    assert {f"{name}.gz" for name in [*RIGHT, *REFUSED]} == {file.name for file in LOGS.iterdir()}


AT = [f"2026-03-02T{hour:02}:10:00.5Z" for hour in (9, 10)]
# each of two requests: 100 in, of which 40 are cached, and 10 out; 300, 60 and 30 an hour later
LAYOUTS = {
    "bedrock": [
        {
            "schemaType": "ModelInvocationLog",
            "timestamp": at,
            "requestId": at,
            "modelId": "m",
            "input": {"inputTokenCount": fresh, "cacheReadInputTokenCount": hit},
            "output": {"outputTokenCount": out},
        }
        for at, fresh, hit, out in zip(AT, (60, 240), (40, 60), (10, 30), strict=True)
    ],
    "claude_code": [
        {
            "type": kind,
            "sessionId": "s",
            "timestamp": at,
            "message": {
                "id": f"m{at}",
                "usage": {"input_tokens": fresh, "cache_read_input_tokens": hit, "output_tokens": o},
            },
        }
        for at, fresh, hit, out in zip(AT, (60, 240), (40, 60), (10, 30), strict=True)
        for kind, o in (("user", 0), ("assistant", 1), ("assistant", out))
    ],
    "codex": [
        {
            "timestamp": at,
            "type": "event_msg",
            "payload": {
                "type": "token_count",
                "info": {
                    "total_token_usage": {"total_tokens": total},
                    "last_token_usage": {"input_tokens": all_in, "cached_input_tokens": hit, "output_tokens": out},
                },
            },
        }
        for at, all_in, hit, out, total in zip(AT, (100, 300), (40, 60), (10, 30), (110, 440), strict=True)
        for _ in "twice"[:2]
    ],
    "cloudflare": [
        {"created_at": at, "id": at, "tokens_in": all_in, "tokens_out": out, "cached": False}
        for at, all_in, out in zip(AT, (100, 300), (10, 30), strict=True)
    ]
    + [{"created_at": AT[0], "id": "hit", "tokens_in": 9, "tokens_out": 9, "cached": True}],
    "openrouter": [
        {"created_at": at, "generation_id": at, "tokens_prompt": all_in, "tokens_completion": out, "tokens_cached": hit}
        for at, all_in, hit, out in zip(AT, (100, 300), (40, 60), (10, 30), strict=True)
    ],
    "openinference": [
        {
            "start_time": at,
            "context.span_id": at,
            "span_kind": kind,
            "attributes.llm.token_count.prompt": all_in,
            "attributes.llm.token_count.completion": out,
            "attributes.llm.token_count.prompt_details.cache_read": hit,
        }
        for at, all_in, hit, out in zip(AT, (100, 300), (40, 60), (10, 30), strict=True)
        for kind in ("LLM", "CHAIN")
    ],
    "azure_gateway_portal": [
        {"TimeGenerated [UTC]": f"3/{day}/2026, {h}:10:00.500 AM", "PromptTokens": i, "CompletionTokens": o}
        for day, h, i, o in ((22, 9, 100, 10), (22, 10, 300, 30))
    ],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_people_have_are_known(name):
    log = read("\n".join(map(json.dumps, LAYOUTS[name])).encode())
    assert log.layout.name == name
    assert log.hours["input"].tolist() == [100, 300] and log.hours["output"].tolist() == [10, 30]
    assert log.hours["requests"].tolist() == [1, 1] and log.hours["cached"].dropna().tolist() in ([], [40, 60])


def test_daily_activity_is_known_and_a_list_of_costs_is_not():
    days = [f"2026-03-{day:02}" for day in range(2, 9)]
    counts = {"prompt_tokens": 1_000, "completion_tokens": 100, "cache_read_input_tokens": 250}
    lite = [
        {"date": d, "metrics": {**counts, "successful_requests": 10, "failed_requests": 1}, "breakdown": {}}
        for d in days
    ]
    router = [{"date": d, "requests": 10, "usage": 0.1, **counts} for d in days]
    for given in ({"results": lite, "metadata": {}}, {"data": router}):
        log = read(json.dumps(given).encode())
        assert log.hours[["requests", "input", "output"]].sum().tolist() == [70, 7_000, 700] and log.step_h == 24
    costs = [{"start_time": 1_767_225_600, "results": [{"amount": {"value": 1, "currency": "usd"}}]}]
    with pytest.raises(UsageError, match=r"list of costs .*export the usage"):
        read(json.dumps({"data": costs}).encode())
    with pytest.raises(UsageError, match=r"It speaks of costs .CostInUsd."):
        read(lines(["Day", "CostInUsd"], ["2026-03-02", 1]))


def test_a_counter_of_vllm_is_read_from_a_range_query():
    def series(pod, start):
        values = [[1_767_571_200 + 900 * n, str(start + 30 * n)] for n in range(9)]
        return {"metric": {"__name__": "vllm:request_success_total", "pod": pod}, "values": values}

    given = {"status": "success", "data": {"resultType": "matrix", "result": [series("a", 0), series("b", 7)]}}
    log = read(json.dumps(given).encode())
    # by hand: two hours of four quarters, each with 30 of either pod
    assert log.layout.name == "prometheus" and log.hours["requests"].dropna().tolist() == [240, 240]


def test_a_file_without_names_is_read_by_the_places_of_its_columns():
    given = lines(["2026-03-02 09:10:00.5", 100, 10], ["2026-03-02 10:10:00.5", 300, 30])
    columns = {"time": "column 1", "input": "column 2", "output": "column 3"}
    assert read(given, columns).hours["input"].tolist() == [100, 300]
    with pytest.raises(UsageError, match="has these columns: column 1, column 2, column 3"):
        read(given)


@pytest.mark.parametrize(
    ("texts", "at"),
    [
        (("13.01.2026 08:10", "14.01.2026 08:10"), "2026-01-13T08"),
        (("13/Jan/2026:08:10:00 +0100", "14/Jan/2026:08:10:00 +0100"), "2026-01-13T07"),
        (("Tue, 13 Jan 2026 08:10:00 GMT", "Wed, 14 Jan 2026 08:10:00 GMT"), "2026-01-13T08"),
        (("2026-01-13 08:10:00 +0200", "2026-01-14 08:10:00 +0200"), "2026-01-13T06"),
        (("20260113T081000Z", "20260114T081000Z"), "2026-01-13T08"),
        (("1/13/2026 8:10 PM", "1/14/2026 8:10 PM"), "2026-01-13T20"),
    ],
)
def test_times_in_other_forms_are_understood(texts, at):
    log = read(lines(["when", "tin", "tout"], *([text, 100, 10] for text in texts)), PLAIN)
    assert log.hours.index[0] == pd.Timestamp(at, tz="UTC").timestamp() // 3600


def test_a_day_that_may_be_a_month_is_asked_back_and_its_form_can_be_given():
    given = lines(["when", "tin", "tout"], ["3/2/2026 9:10", 100, 10], ["4/2/2026 9:10", 300, 30])
    with pytest.raises(UsageError, match="may be %m/%d/%Y %H:%M or %d/%m/%Y %H:%M; name the columns and the form"):
        read(given, PLAIN)
    days = read(given, PLAIN | {"form": "%d/%m/%Y %H:%M"}).hours.index
    assert days[1] - days[0] == 24


def test_columns_can_be_summed_and_named_by_no_other_type():
    given = lines(["when", "a", "b", "tout"], [AT[0], 60, 40, 10], [AT[1], 240, 60, 30])
    for column in ("a + b", {"sum": ["a", "b"]}):
        assert read(given, {"time": "when", "input": column, "output": "tout"}).hours["input"].tolist() == [100, 300]
    for columns, said in (("{time: when}", "columns: got"), (["when"], "columns: got"), ({"time": 5}, "time: got '5'")):
        with pytest.raises(UsageError, match=said):
            read(given, columns)
    with pytest.raises(UsageError, match="no time zone 'None'"):
        read(given, PLAIN, None)


def test_the_first_rows_are_shown_as_they_were_understood():
    log = read(lines(["when", "tin", "tout"], [AT[0], 100, 10], [AT[1], 300, 30]), PLAIN)
    assert log.first["written"].tolist() == AT and log.first["input"].tolist() == [100, 300]
