"""Small logs and exports in every layout that is read, each with the same two hours in it."""

import csv
import io
import json

import pandas as pd

HOUR = 3_600_000_000
NINE = int(pd.Timestamp("2026-03-02T09:00Z").value // 1000 // HOUR)
SCRIPT = "<img src=x onerror=alert(1)>"


def lines(*rows: list, mark: str = ",") -> bytes:
    """A CSV file of rows."""
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows(rows)
    return text.getvalue().encode()


def jsonl(*rows: dict) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def openai(start: str, results: list[dict]) -> dict:
    at = int(pd.Timestamp(start).timestamp())
    return {"object": "bucket", "start_time": at, "end_time": at + 3600, "results": results}


def tokens(i: int, o: int, c: int, n: int) -> dict:
    return {"input_tokens": i, "output_tokens": o, "input_cached_tokens": c, "num_model_requests": n, "model": None}


def anthropic(start: str, end: str, *results: dict) -> dict:
    return {"starting_at": start, "ending_at": end, "results": list(results)}


def claude(fresh: int, read: int, written: int, out: int) -> dict:
    cache = {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0}
    return {
        "uncached_input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation": cache,
        "output_tokens": out,
    }


def otlp(span: str, at: str, **attributes: object) -> dict:
    nanos = str(pd.Timestamp(at).value)
    listed = [
        {"key": k, "value": {"intValue" if isinstance(v, int) else "stringValue": str(v)}}
        for k, v in attributes.items()
    ]
    return {"spanId": span, "name": "chat", "startTimeUnixNano": nanos, "attributes": listed}


def litellm(name: str, at: str, prompt: int, answer: int, more: dict) -> dict:
    counts = {"prompt_tokens": prompt, "completion_tokens": answer, "spend": 0.1}
    return {"request_id": name, "startTime": at, **counts, "metadata": {"additional_usage_values": more}}


def langfuse(name: str, at: str, fresh: int, cached: int, answer: int) -> dict:
    used = {"input": fresh, "input_cached_tokens": cached, "output": answer, "total": fresh + cached + answer}
    return {"id": name, "type": "GENERATION", "start_time": at, "usage_details": used}


def camel(row: dict) -> dict:
    names = {"start_time": "startTime", "usage_details": "usageDetails"}
    return {names.get(key, key): value for key, value in row.items()}


USED = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 40}
MORE = {"gen_ai.usage.input_tokens": 300, "gen_ai.usage.output_tokens": 30, "gen_ai.usage.cache_read.input_tokens": 60}
CLAUDE_HEADS = ["usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_input_tokens_cache_write_5m"]
CLAUDE_HEADS += ["usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_read", "usage_output_tokens"]

# each file: 100 tokens in and 10 out at nine o'clock, of them 40 cached, 300, 30 and 60 an hour later
FILES = {
    "azure_llm_trace": lines(
        ["TIMESTAMP", "ContextTokens", "GeneratedTokens"],
        ["2026-03-02 09:10:00.1234567", 100, 10],
        ["2026-03-02 10:20:00.1234567", 300, 30],
    ),
    "burstgpt": lines(
        ["Timestamp", "Model", "Request tokens", "Response tokens", "Total tokens", "Log Type"],
        [32400, "ChatGPT", 100, 10, 110, "API log"],
        [36005, "GPT-4", 300, 30, 330, "API log"],
    ),
    "mooncake": jsonl(
        {"timestamp": 32_400_000, "input_length": 100, "output_length": 10, "hash_ids": [1, 2]},
        {"timestamp": 36_000_500, "input_length": 300, "output_length": 30, "hash_ids": [1, 3]},
    ),
    "openai_usage": json.dumps(
        {
            "object": "page",
            "data": [
                openai("2026-03-02T09:00Z", [tokens(60, 4, 40, 1), tokens(40, 6, 0, 1)]),
                openai("2026-03-02T10:00Z", [tokens(300, 30, 60, 3)]),
                openai("2026-03-02T11:00Z", []),
            ],
            "has_more": False,
        },
        indent=1,
    ).encode(),
    "anthropic_usage_api": jsonl(
        anthropic("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z", claude(50, 40, 10, 10)),
        anthropic("2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z", claude(200, 60, 40, 30)),
    ),
    "anthropic_console": lines(
        CLAUDE_HEADS, ["2026-03-02", "claude", 40, 10, 10, 40, 10], ["2026-03-03", "claude", 200, 40, 0, 60, 30]
    ),
    "litellm": json.dumps(
        [
            litellm("a", "2026-03-02T09:10:00Z", 100, 10, {"cache_read_input_tokens": 40}),
            litellm("b", "2026-03-02T10:10:00Z", 300, 30, {"prompt_tokens_details": {"cached_tokens": 60}}),
        ]
    ).encode(),
    "langfuse": jsonl(
        langfuse("a", "2026-03-02 09:10:00.500000", 60, 40, 10),
        langfuse("s", "2026-03-02 09:10:00.500000", 9, 9, 9) | {"type": "SPAN"},
        langfuse("b", "2026-03-02 10:10:00.500000", 240, 60, 30),
    ),
    "langfuse_api": json.dumps(
        {
            "data": [
                camel(langfuse("a", "2026-03-02T09:10:00.5Z", 60, 40, 10)),
                camel(langfuse("b", "2026-03-02T10:10:00.5Z", 240, 60, 30)),
            ]
        }
    ).encode(),
    "helicone": lines(
        ["request_id", "request_created_at", "prompt_tokens", "completion_tokens", "prompt_cache_read_tokens"],
        ["a", "2026-03-02T09:10:00.5+00:00", 60, 10, 40],
        ["b", "2026-03-02T10:10:00.5+00:00", 240, 30, 60],
    ),
    "otlp": jsonl(
        {
            "resourceSpans": [
                {
                    "resource": {"attributes": []},
                    "scopeSpans": [
                        {
                            "spans": [
                                otlp("1", "2026-03-02T09:10Z", **USED),
                                otlp("2", "2026-03-02T09:11Z", **{"http.method": "GET"}),
                            ]
                        }
                    ],
                }
            ]
        },
        {"resourceSpans": [{"scopeSpans": [{"spans": [otlp("3", "2026-03-02T10:10Z", **MORE)]}]}]},
    ),
    "otel_spans": jsonl(
        {"name": "chat", "context": {"span_id": "1"}, "start_time": "2026-03-02T09:10:00Z", "attributes": USED},
        {"name": "chat", "context": {"span_id": "2"}, "start_time": "2026-03-02T10:10:00Z", "attributes": MORE},
    ),
}
REQUESTS = {"openai_usage": [2, 3], "anthropic_usage_api": [None, None], "anthropic_console": [None, None]}
UNCACHED = {"azure_llm_trace", "burstgpt", "mooncake"}
