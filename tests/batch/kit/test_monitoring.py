"""Rules, dashboard and the file of what a person tells: read by promtool, and alerts that fire where they should."""

import json
import subprocess

import pandas as pd
import pytest
import yaml

import kits
from hostile import BREAKS
from validators import program
from where_to_run.analysis import hybrid
from where_to_run.batch.kit import monitoring, triggers
from where_to_run.batch.kit.monitoring import DASHBOARD, FACT, FACTS, MEAN, RULES, STAGE, START
from where_to_run.batch.kit.routing import recommended
from where_to_run.inputs import question
from where_to_run.units import SECONDS_PER_MONTH


def rules(answer):
    return yaml.safe_load(monitoring.files(answer)[RULES])["groups"][0]["rules"]


def alerts(answer, name):
    return [rule for rule in rules(answer) if rule.get("alert") == name]


def promtool(*arguments, given=None):
    told = subprocess.run([program("promtool"), *arguments], input=given, capture_output=True, timeout=120)
    assert told.returncode == 0, (told.stdout + told.stderr).decode()


@pytest.mark.parametrize("preset", question.presets())
def test_promtool_accepts_the_rules_the_figures_of_the_dashboard_and_what_a_person_tells(preset, tmp_path):
    files = monitoring.files(kits.answer(preset))
    (tmp_path / RULES).write_bytes(files[RULES])
    promtool("check", "rules", str(tmp_path / RULES))
    promtool("check", "metrics", given=files[FACTS])
    recorded = {rule["record"] for rule in rules(kits.answer(preset)) if "record" in rule}
    drawn = {target["expr"] for panel in json.loads(files[DASHBOARD])["panels"] for target in panel["targets"]}
    assert drawn == recorded and {MEAN, "where_to_run:usd_per_month"} <= drawn


def fired(folder, answer, alert, fires, series, **of_series):
    """Has promtool feed series to the rules for three days, and refuse unless this alert has fired, or none like it."""
    (folder / RULES).write_bytes(monitoring.files(answer)[RULES])
    expected = [{"exp_labels": alert["labels"] | of_series, "exp_annotations": alert["annotations"]}] if fires else []
    test = {
        "interval": "1h",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": "72h", "alertname": alert["alert"], "exp_alerts": expected}],
    }
    sheet = {"rule_files": [RULES], "evaluation_interval": "1h", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(sheet))
    promtool("test", "rules", str(folder / "test.yaml"))


REQUESTS = 'litellm_proxy_total_requests_metric_total{requested_model="open-general-easy"}'


def below(answer):
    """The trigger of the first quarter that asks to go back, its alert, and the series of its stage."""
    row = next(row for row in triggers.volumes(answer).itertuples() if row.when == "below" and row.month == 0)
    wanted = {"stage": row.stage, "when": "below", "from_month": "0"}
    (alert,) = [a for a in alerts(answer, "RoadmapTrigger") if wanted.items() <= a["labels"].items()]
    return row, alert, {START: "0x80", f'{STAGE}{{stage="{row.stage}"}}': "1x80"}


@pytest.mark.parametrize(("share", "fires"), [(0.95, True), (1.05, False)])
def test_an_alert_fires_when_the_volume_crosses_a_trigger_of_the_roadmap_and_not_before(tmp_path, share, fires):
    answer = kits.answer("software_company")
    row, alert, told = below(answer)
    # by hand: a month has 730 hours, so so many requests an hour come to that share of the trigger
    per_hour = round(row.requests_per_month * share / 730)
    fired(tmp_path, answer, alert, fires, told | {REQUESTS: f"0+{per_hour}x80"})


def test_an_alert_upwards_asks_that_the_volume_grows(tmp_path):
    answer = kits.answer("software_company")
    row = next(row for row in triggers.volumes(answer).itertuples() if row.when == "above")
    wanted = {"stage": row.stage, "when": "above", "from_month": str(row.month)}
    (alert,) = [a for a in alerts(answer, "RoadmapTrigger") if wanted.items() <= a["labels"].items()]
    # service began so many months, and a bit, before the time of the test does
    told = {START: f"{-(row.month + 0.1) * SECONDS_PER_MONTH:.0f}x80", f'{STAGE}{{stage="{row.stage}"}}': "1x80"}
    slow, fast = (round(row.requests_per_month * share / 730) for share in (1.1, 1.3))
    fired(tmp_path, answer, alert, True, told | {REQUESTS: f"0+{slow}x40 {slow * 40}+{fast}x40"})
    fired(tmp_path, answer, alert, False, told | {REQUESTS: f"0+{fast}x40 {fast * 40}+{slow}x40"})


@pytest.mark.parametrize(("value", "fires"), [(0.00003, True), (0.00002, False), (0.000004, True)])
def test_an_alert_fires_when_a_fact_moves_to_where_another_option_is_ahead_or_leaves_its_range(tmp_path, value, fires):
    answer, key = kits.answer("software_company"), "router.usd_per_request"
    (alert,) = [a for a in alerts(answer, "FactAtStake") if key in a["labels"]["of"]]
    series = f'{FACT}{{table="assumptions", key="{key}"}}'
    fired(tmp_path, answer, alert, fires, {series: f"{value}x80"}, table="assumptions", key=key)


def test_figures_of_the_alerts_are_those_of_the_answer():
    answer = kits.answer("consumer_platform")
    (overflow,) = alerts(answer, "OverflowAboveAnswer")
    most = hybrid.base(answer, recommended(answer))["overflow_share"].max()
    assert float(overflow["expr"].split(" > ")[1]) == pytest.approx(most, rel=1e-5)
    (spent,) = alerts(answer, "SpendAboveAnswer")
    lines = answer.lines[(answer.lines["option"] == recommended(answer)) & (answer.lines["place"] == "vendor_api")]
    assert float(spent["expr"].split(" > ")[1]) == pytest.approx(lines.groupby("month")["usd"].sum().max(), abs=0.01)
    asked = {rule["expr"].split(" > ")[1] for rule in alerts(answer, "Late")}
    level = answer.asked["latency"]
    limits = {answer.facts.value(f"service.{level}.{name}_ms") / 1000 for name in ("ttft", "tpot")}
    assert {float(limit) for limit in asked} == limits


def test_names_from_outside_stay_names(monkeypatch, tmp_path):
    rows = [(0, name, "api", "above", 1e6, name, "api", 0, 1) for name in BREAKS]
    monkeypatch.setattr(monitoring, "volumes", lambda answer: pd.DataFrame(rows, columns=triggers.TRIGGER))
    answer = kits.answer("startup")
    files = monitoring.files(answer)
    (tmp_path / RULES).write_bytes(files[RULES])
    found = alerts(answer, "RoadmapTrigger")
    assert len(found) == len(BREAKS) >= 50 and len({rule["expr"].count("on ()") for rule in found}) == 1
    kept = {rule["labels"]["stage"] for rule in found}
    assert not any("{{" in label or "\n" in label for label in kept)
    promtool("check", "metrics", given=files[FACTS])
    # two of them differ in characters alone that no label keeps, which promtool takes for one rule told twice
    promtool("check", "rules", "--lint=none", str(tmp_path / RULES))
