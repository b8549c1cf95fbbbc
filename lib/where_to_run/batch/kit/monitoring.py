"""Monitoring at both ends: Prometheus rules and a Grafana dashboard over what LiteLLM and vLLM tell of themselves."""

import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from ...analysis import hybrid
from ...analysis.roadmap import QUARTER
from ...decision.answer import Answer
from ...decision.routing import API
from ...inputs.facts import rows_of
from ...inputs.question import PLACES
from ...inputs.tables import schema
from ...places.workload import limits
from ...units import HOURS_PER_MONTH, SECONDS_PER_HOUR, SECONDS_PER_MONTH, SECONDS_PER_MS
from ...views.roadmap import volume_words
from .routing import ON_MACHINES, one_line, recommended, routes, stream_name
from .serving import pools
from .triggers import fact_words, stakes, volumes

RULES, DASHBOARD, FACTS = "alerts.yaml", "dashboard.json", "where_to_run.prom"

DAYS = f"{QUARTER * HOURS_PER_MONTH / 24:.0f}d"
"""The span over which volumes are averaged before a trigger is read; Prometheus must keep its data for longer."""

READ_ME = (
    (
        RULES,
        "Prometheus rules: load, overflow, latency, dollars and tokens, an alert for each trigger of the roadmap and "
        "for each fact with most at stake. Check: promtool check rules alerts.yaml",
        "What is scraped: the proxy, and machines with the label service vllm-own or vllm-rented. Who is told. Keep "
        f"data for more than {DAYS}, over which volumes are averaged.",
    ),
    (DASHBOARD, "The same as a Grafana dashboard, to be imported.", "The Prometheus data source, when Grafana asks."),
    (
        FACTS,
        "What no machine measures, for the text file collector of Prometheus' node exporter: the first month of "
        "service, the stage of the roadmap that runs, and the facts with most at stake as they are today.",
        "The first moment of service, in Unix seconds; 1 at the stage that runs; the facts, whenever they change.",
    ),
)

VOLUME, MEAN, MONTH = (
    f"where_to_run:{name}" for name in ("requests_per_month", "requests_per_month:three_months", "month")
)
START, STAGE, FACT, STALE = (
    f"where_to_run_{name}" for name in ("start_seconds", "stage", "fact", "fact_stale_seconds")
)

Rule = dict[str, Any]


def files(answer: Answer) -> dict[str, bytes]:
    """The rules, the dashboard, and the file of what a person tells."""
    rules = {"groups": [{"name": "where-to-run", "rules": [*_records(answer), *_alerts(answer)]}]}
    return {
        RULES: yaml.safe_dump(rules, sort_keys=False, allow_unicode=True, width=120).encode(),
        DASHBOARD: (json.dumps(_dashboard(answer), indent=1) + "\n").encode(),
        FACTS: _told(answer).encode(),
    }


def quoted(text: str) -> str:
    """A text from outside as a string of PromQL, or as the value of a label in a text file."""
    return json.dumps(one_line(text), ensure_ascii=False)


def plain(text: str) -> str:
    """A text from outside that is no template where Prometheus expands labels and annotations."""
    return one_line(text).replace("{{", "{ {").replace("}}", "} }")


def _monthly(metric: str, span: str = "1d") -> str:
    """What a counter comes to in a month at its present rate, by stream; fall-backs count with theirs."""
    by_stream = f'label_replace(rate({metric}[{span}]), "stream", "$1", "requested_model", "(.*?)(-fallback-[0-9]+)?")'
    return f"sum by (stream) ({by_stream}) * {SECONDS_PER_MONTH:.0f}"


def _late(metric: str, share: float, where: str = "") -> str:
    return f"histogram_quantile({share:g}, sum by (le) (rate({metric}_bucket{where}[5m])))"


def figures(answer: Answer) -> dict[str, str]:
    """What is recorded and drawn, name and expression of PromQL."""
    share = answer.facts.value("monitoring.latency_quantile")
    calls = "litellm_proxy_total_requests_metric_total"
    found = {
        # the rate of a first day that is not over yet would be too low
        VOLUME: f"sum(rate({calls}[1d])) * {SECONDS_PER_MONTH:.0f} and on () sum({calls} offset 1d)",
        MEAN: f"avg_over_time({VOLUME}[{DAYS}])",
        MONTH: f"(time() - {START}) / {SECONDS_PER_MONTH:.0f}",
        "where_to_run:usd_per_month": _monthly("litellm_spend_metric_total"),
        "where_to_run:input_tokens_per_month": _monthly("litellm_input_tokens_metric_total"),
        "where_to_run:output_tokens_per_month": _monthly("litellm_output_tokens_metric_total"),
        "where_to_run:api_first_token_seconds": _late("litellm_llm_api_time_to_first_token_metric", share),
    }
    for pool in pools(answer.option(recommended(answer))):
        service = str(pool.values["name"])
        job, name = f'{{service="{service}"}}', service.replace("-", "_")
        running = f"sum(vllm:num_requests_running{job}) + sum(vllm:num_requests_waiting{job})"
        found[f"where_to_run:{name}:load_share"] = (
            f"({running}) / (count(vllm:num_requests_running{job}) * {pool.slots})"
        )
        found[f"where_to_run:{name}:first_token_seconds"] = _late("vllm:time_to_first_token_seconds", share, job)
        each = "vllm:request_time_per_output_token_seconds"
        found[f"where_to_run:{name}:output_token_seconds"] = _late(each, share, job)
    if not (base := hybrid.base(answer, recommended(answer))).empty:
        every = "litellm_deployment_success_responses_total"
        ours = "|".join(_streams(answer, str(base["place"].iloc[0])))
        of = f'requested_model=~"({ours})(-fallback-[0-9]+)?"'
        here = f'sum(rate({every}{{{of}, api_provider="{ON_MACHINES}"}}[1d]))'
        if base["overflow_place"].iloc[0] == PLACES[API]:
            found["where_to_run:overflow_share"] = f"1 - {here} / sum(rate({every}{{{of}}}[1d]))"
    return found


def _streams(answer: Answer, place: str) -> Iterator[str]:
    """The streams that go to a place first."""
    for stream, ends in routes(answer, recommended(answer)).items():
        if PLACES[ends[0].place] == place:
            yield stream_name(stream)


def _records(answer: Answer) -> list[Rule]:
    return [{"record": name, "expr": expression} for name, expression in figures(answer).items()]


def _alert(name: str, expression: str, summary: str, minutes: float, **labels: str) -> Rule:
    told = {key: plain(value) for key, value in labels.items()}
    found = {"alert": name, "expr": expression, "for": f"{minutes:.0f}m", "labels": {"severity": "warning"} | told}
    return found | {"annotations": {"summary": plain(summary)}}


def _alerts(answer: Answer) -> Iterator[Rule]:
    minutes = answer.facts.value("monitoring.alert_minutes")
    for name, expression, summary, *labels in (*_of_service(answer), *_of_roadmap(answer), *_of_facts(answer)):
        yield _alert(name, expression, summary, minutes, **(labels[0] if labels else {}))
    yield _alert(
        "FactsMissing", f"absent({START})", f"{FACTS} is not read, or says no first moment of service", minutes
    )


def _of_service(answer: Answer) -> Iterator[tuple[Any, ...]]:
    """Alerts on load, overflow, latency and dollars, against what the answer costs and promises."""
    name, known = recommended(answer), figures(answer)
    ttft, tpot = (ms * SECONDS_PER_MS for ms in limits(answer.facts, str(answer.asked["latency"])))
    for figure in known:
        at = figure.removeprefix("where_to_run:")
        if figure.endswith("load_share"):
            yield "LoadAboveCapacity", f"{figure} > 1", f"{at}: more requests at once than keep the service level"
        for ending, limit in (("first_token_seconds", ttft), ("output_token_seconds", tpot)):
            if figure.endswith(ending) and limit < float("inf"):
                yield "Late", f"{figure} > {limit:g}", f"{at} is above the {limit:g} s of the service level"
        if figure.endswith("overflow_share"):
            most = float(hybrid.base(answer, name)["overflow_share"].max())
            yield (
                "OverflowAboveAnswer",
                f"{figure} > {most:.6g}",
                f"more overflows than the {most:.1%} the answer pays for",
            )
    lines = answer.lines[(answer.lines["option"] == name) & (answer.lines["place"] == PLACES[API])]
    if len(lines):
        most = float(lines.groupby("month")["usd"].sum().max())
        spent = f"sum(where_to_run:usd_per_month) > {most:.2f}"
        yield (
            "SpendAboveAnswer",
            spent,
            f"APIs cost more a month than the {most:,.0f} USD of the dearest month of the answer",
        )


def _of_roadmap(answer: Answer) -> Iterator[tuple[Any, ...]]:
    """An alert for each trigger, in its quarter, at its stage."""
    for row in volumes(answer).itertuples():
        sign, grows = (">", f" and on () deriv({MEAN}[7d]) > 0") if row.when == "above" else ("<", "")
        now = f"on () ({MONTH} >= {row.month} and {MONTH} < {row.month + QUARTER})"
        runs = f"on () ({STAGE}{{stage={quoted(row.stage)}}} == 1)"
        passed = f"{MEAN} {sign} {row.requests_per_month:.6g} and {now} and {runs}{grows}"
        said = f"three-month average {row.when} {volume_words(row.requests_per_month)} requests a month: order {row.to}"
        labels = {"stage": row.stage, "to": row.to, "when": row.when, "from_month": str(row.month)}
        yield "RoadmapTrigger", passed, f"{said}, {row.lead_months} months ahead", labels


def _of_facts(answer: Answer) -> Iterator[tuple[Any, ...]]:
    """An alert for each fact with most at stake, where it leaves the values for which the answer is known to hold."""
    for row in stakes(answer).itertuples():
        fact = f"{FACT}{{table={quoted(row.table)}, key={quoted(row.key)}}}"
        ends = f"{fact} < {row.below:.10g} or {fact} > {row.above:.10g}"
        said = (
            f"{fact_words(answer.facts, row.table, row.key)} is not {row.below:g} to {row.above:g} {row.unit} any more"
        )
        yield "FactAtStake", ends, f"{said}: ask again with it", {"of": f"{row.table} {row.key}"}
    yield "FactStale", f"time() > {STALE}", "a fact with most at stake was last read too long ago: look it up again"


def _told(answer: Answer) -> str:
    """What a person tells, in the text format of Prometheus."""
    facts, tables = answer.facts, schema()["tables"]
    stages = dict.fromkeys(volumes(answer)["stage"])
    found = {START: {"": 0.0}, STAGE: {f"{{stage={quoted(stage)}}}": 0.0 for stage in stages}, FACT: {}, STALE: {}}
    for row in stakes(answer).itertuples():
        labels = f"{{table={quoted(row.table)},key={quoted(row.key)}}}"
        found[FACT][labels] = row.value
        days = facts.value(f"stale_after_days.{tables[row.table]['stale_after']}")
        read = datetime.datetime.fromisoformat(rows_of(facts, row.table)[row.key]["read_on"]).replace(
            tzinfo=datetime.UTC
        )
        found[STALE][labels] = read.timestamp() + days * 24 * SECONDS_PER_HOUR
    lines = [
        f"# HELP {name} {HELP[name]}\n# TYPE {name} gauge\n" + _samples(name, of) for name, of in found.items() if of
    ]
    return "".join(lines)


HELP = {
    START: "First moment of service, Unix seconds; to be filled in.",
    STAGE: "1 at the stage of the roadmap that runs; to be filled in.",
    FACT: "A fact with most at stake, in the unit of its table; to be kept up to date.",
    STALE: "When that fact is to be looked up again, Unix seconds.",
}


def _samples(name: str, values: Mapping[str, float]) -> str:
    return "".join(f"{name}{labels} {value:.10g}\n" for labels, value in values.items())


def _dashboard(answer: Answer) -> dict[str, Any]:
    """A panel for each figure; what is by stream has a line for each."""
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    panels = [
        {
            "id": number,
            "type": "timeseries",
            "title": name.removeprefix("where_to_run:").replace("_", " ").replace(":", ", "),
            "datasource": source,
            "gridPos": {"h": 8, "w": 12, "x": 12 * ((number - 1) % 2), "y": 8 * ((number - 1) // 2)},
            "targets": [{"refId": "A", "datasource": source, "expr": name, "legendFormat": "{{stream}}"}],
        }
        for number, name in enumerate(figures(answer), 1)
    ]
    asks = {"name": "DS_PROMETHEUS", "label": "Prometheus", "type": "datasource", "pluginId": "prometheus"}
    title = {
        "title": "Where to run",
        "uid": "where-to-run",
        "schemaVersion": 39,
        "time": {"from": "now-90d", "to": "now"},
    }
    return title | {"__inputs": [asks | {"pluginName": "Prometheus"}], "refresh": "5m", "panels": panels}
