"""Routing of the kit: the real LiteLLM proxy takes it, and sends every stream where it may go and nowhere else."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import yaml

import kits
from validators import program
from where_to_run.batch import report
from where_to_run.batch.kit import routing
from where_to_run.decision import rules
from where_to_run.decision.routing import API
from where_to_run.inputs.question import PLACES, STREAMS

KEY = "sk-test"
LOCAL = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "LITELLM_MASTER_KEY": KEY}
"""The price map that comes with the package, so that nothing is fetched."""


def config_of(answer):
    return yaml.safe_load(routing.files(answer)[routing.CONFIG])


def deployments(config):
    return {each["model_name"]: each["litellm_params"] for each in config["model_list"]}


def streams(preset):
    answer = kits.answer(preset)
    return [routing.stream_name(stream) for stream in routing.routes(answer, routing.recommended(answer))]


# what is written


def test_a_bank_keeps_its_sensitive_streams_on_machines_and_has_no_way_around_them():
    # its answer splits by sensitivity: sensitive streams to rented machines, the others to OpenAI in the EU
    config = config_of(kits.answer("bank"))
    called = {name: params["model"] for name, params in deployments(config).items()}
    machines, vendor = "hosted_vllm/qwen3.8-27b", "openai/gpt-6-luna"
    assert called == {
        "sensitive-general-easy": machines,
        "sensitive-general-hard": machines,
        "open-general-easy": vendor,
        "open-general-hard": vendor,
        "*": machines,
    }
    assert config["router_settings"]["fallbacks"] == []


def test_bursts_of_a_consumer_platform_go_to_the_vendor_above_what_its_machines_carry():
    config = config_of(kits.answer("consumer_platform"))
    stream, burst = "open-general-easy", "open-general-easy-fallback-1"
    assert config["router_settings"]["fallbacks"] == [{stream: [burst]}]
    assert deployments(config)[burst]["model"] == "wandb/openai/gpt-oss-120b"
    assert deployments(config)[stream]["rpm"] > 0
    assert "rpm" not in deployments(config)[burst]
    assert "rpm" not in deployments(config)["*"]


def test_easy_requests_fall_back_to_the_better_model_and_hard_ones_to_no_worse_one():
    # a software company: Haiku for easy requests; GPT-6.1 Terra, which alone reaches their floor, for hard ones
    config = config_of(kits.answer("software_company"))
    assert config["router_settings"]["fallbacks"] == [{"open-general-easy": ["open-general-easy-fallback-1"]}]
    called = deployments(config)
    assert called["open-general-easy-fallback-1"]["model"] == called["open-general-hard"]["model"]


def test_the_api_bill_of_a_hospital_follows_from_the_prices_of_its_configuration():
    answer = kits.answer("hospital")
    decision, config = report.decision(answer), config_of(answer)
    asked, price = decision["scenario"], deployments(config)["sensitive-general-easy"]
    # by hand: 2,000,000 requests, 3 % more each month, for the months of the horizon; 4,000 tokens in, 500 out
    requests = sum(2e6 * 1.03**month for month in range(asked["horizon_months"]))
    cached = 4_000 * asked["cached_share"]
    each = (4_000 - cached) * price["input_cost_per_token"] + 500 * price["output_cost_per_token"]
    each += cached * price["cache_read_input_token_cost"]
    lines = [row for row in decision["usd_per_month_by_line"] if row["option"] == decision["recommended"]]
    tokens = sum(row["usd_per_month"] for row in lines if row["place"] == "vendor_api" and "tokens" in row["line"])
    assert requests * each / asked["horizon_months"] == pytest.approx(tokens, rel=1e-6)


@pytest.mark.parametrize("budget", [250_000.0, 300_000.0])
def test_no_vendor_gets_more_in_a_month_than_the_running_budget(budget):
    answer = kits.answer("bank", budget_usd_per_month=budget)
    assert config_of(answer)["router_settings"]["provider_budget_config"] == {
        "openai": {"budget_limit": budget, "time_period": "1mo"}
    }


def test_the_limit_of_a_vendor_is_no_less_than_the_dearest_month_of_the_answer():
    answer = kits.answer("software_company")
    lines = answer.lines[(answer.lines["option"] == "api") & (answer.lines["place"] == "vendor_api")]
    limits = config_of(answer)["router_settings"]["provider_budget_config"].values()
    dearest = lines.groupby("month")["usd"].sum().max()
    assert all(limit["budget_limit"] >= round(dearest, 2) for limit in limits)


@pytest.mark.parametrize("preset", kits.PRESETS)
def test_no_stream_has_an_endpoint_that_the_rules_bar(preset):
    answer = kits.answer(preset)
    name = routing.recommended(answer)
    question = answer.option(name).question
    judged = rules.judge(answer.facts, question.permits.profile(0))
    row = {offer: n for n, offer in enumerate(answer.facts.table("api_offers").index)}
    for stream, ends in routing.routes(answer, name).items():
        for end in ends:
            level = judged[end.place].level[stream]
            assert (level[row[end.offer]] if end.place == API else level.min()) < rules.BLOCKED, (STREAMS[stream], end)


@pytest.mark.parametrize("preset", kits.PRESETS)
def test_what_names_no_stream_goes_where_the_stream_with_least_choice_goes(preset):
    answer = kits.answer(preset)
    question, found = answer.option(routing.recommended(answer)).question, deployments(config_of(answer))
    judged = rules.judge(answer.facts, question.permits.profile(0))
    present = np.flatnonzero(question.shares[0] > 0)
    choice = {s: sum(int((judged[p].level[s] < rules.BLOCKED).sum()) for p in range(len(PLACES))) for s in present}
    strictest = [routing.stream_name(s) for s in present if choice[s] == min(choice.values())]
    assert found["*"]["model"] in {found[name]["model"] for name in strictest}
    assert [name for name in found if name.startswith("sensitive")] == [] or any("sensitive" in n for n in strictest)


def test_hostile_names_change_nothing_but_the_name(monkeypatch):
    answer = kits.answer("software_company")
    plain = config_of(answer)
    assert len(kits.HOSTILE) == 50
    for hostile in kits.HOSTILE:
        monkeypatch.setattr(routing, "_called", lambda offer, provider, name=hostile: name)
        found = config_of(answer)
        for before, after in zip(plain["model_list"], found["model_list"], strict=True):
            provider, _, _ = before["litellm_params"]["model"].partition("/")
            assert after["litellm_params"].pop("model") == f"{provider}/{hostile}"
            assert after["litellm_params"].items() <= before["litellm_params"].items()
        assert found["router_settings"] == plain["router_settings"]
        assert routing.one_line(hostile).isprintable()
        assert set(routing.slug(hostile)) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


def test_every_line_of_the_variables_is_a_comment_or_a_variable_the_configuration_reads():
    files = routing.files(kits.answer("bank"))
    lines = files[routing.VARIABLES].decode().splitlines()
    names = {line.rstrip("=") for line in lines if not line.startswith("#")}
    assert names == set(
        word.removeprefix("os.environ/") for word in files[routing.CONFIG].decode().split() if "os.environ/" in word
    )


# what the real proxy does


class Proxy:
    """The real proxy on loopback, with stand-ins for every endpoint that its configuration names."""

    def __init__(self, folder: Path, ends, config: dict) -> None:
        self.config, self.ends = config, ends
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        path = folder / routing.CONFIG
        path.write_text(yaml.safe_dump(config))
        values = [value for params in deployments(config).values() for value in params.values()]
        names = {v.removeprefix("os.environ/") for v in values if str(v).startswith("os.environ/")}
        # the name of a stand-in is that of its variable
        given = {
            name: ends.url(name.removesuffix("_API_BASE")) if name.endswith("_API_BASE") else "x" for name in names
        }
        command = [program("litellm"), "--config", path, "--host", "127.0.0.1", "--port", str(self.port)]
        self.log = (folder / "log").open("w")
        self.process = subprocess.Popen(
            command, env=os.environ | LOCAL | given, stdout=self.log, stderr=self.log, cwd=folder
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def wait(self) -> "Proxy":
        """Itself once it answers; patient, as other tests may be at work beside it."""
        for _ in range(1_500):
            assert self.process.poll() is None, Path(self.log.name).read_text()[-3000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/liveliness").close()
                return self
            except OSError:
                time.sleep(0.2)
        raise AssertionError("the proxy does not answer")

    def ask(self, model: str | None, **more) -> tuple[int, set[str]]:
        """Status of the answer to a request, and the endpoints that it reached."""
        body = {"messages": [{"role": "user", "content": "hello"}]} | ({"model": model} if model else {}) | more
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/chat/completions",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
        )
        self.ends.seen.clear()
        try:
            with urllib.request.urlopen(asked) as said:
                status = said.status
        except urllib.error.HTTPError as error:
            status = error.code
        return status, {name for name, _ in self.ends.seen}

    def endpoint(self, name: str) -> str:
        """The endpoint that a model name of the configuration stands for."""
        base = deployments(self.config)[name]["api_base"]
        return base.removeprefix("os.environ/").removesuffix("_API_BASE")


@pytest.fixture(scope="module")
def proxies(tmp_path_factory):
    """A proxy for a bank, and one for a consumer platform whose machines carry three requests a minute."""
    program("litellm")
    configs = {preset: config_of(kits.answer(preset)) for preset in ("bank", "consumer_platform")}
    deployments(configs["consumer_platform"])["open-general-easy"]["rpm"] = 3
    with kits.stand_ins() as ends, contextlib.ExitStack() as started:
        found = {}
        for preset, config in configs.items():
            found[preset] = Proxy(tmp_path_factory.mktemp(preset), ends, config)
            started.callback(found[preset].stop)
        yield {preset: proxy.wait() for preset, proxy in found.items()}


def test_a_request_arrives_where_its_stream_goes_and_nowhere_else(proxies):
    proxy = proxies["bank"]
    for name in deployments(proxy.config):
        if name != routing.UNKNOWN:
            assert proxy.ask(name) == (200, {proxy.endpoint(name)})


def test_tags_move_nothing(proxies):
    proxy = proxies["bank"]
    asked = proxy.ask("sensitive-general-easy", metadata={"tags": ["open-general-easy"]})
    assert asked == (200, {proxy.endpoint("sensitive-general-easy")})


@pytest.mark.parametrize("name", ["gpt-6-luna", "openai/gpt-6-luna", "open", "", None])
def test_what_names_no_stream_goes_to_the_strictest(proxies, name):
    proxy = proxies["bank"]
    assert proxy.ask(name) == (200, {proxy.endpoint("sensitive-general-easy")})


def test_nobody_can_name_an_endpoint_of_their_own(proxies):
    proxy = proxies["bank"]
    status, seen = proxy.ask("sensitive-general-easy", api_base=proxy.ends.url("elsewhere"))
    assert status >= 400
    assert seen == set()


def test_bursts_go_on_to_the_vendor(proxies):
    proxy = proxies["consumer_platform"]
    asked = [proxy.ask("open-general-easy") for _ in range(8)]
    own, vendor = proxy.endpoint("open-general-easy"), proxy.endpoint("open-general-easy-fallback-1")
    # three requests a minute, of two minutes at most: at least two of eight go on
    assert {status for status, _ in asked} == {200}
    assert [seen for _, seen in asked if seen not in ({own}, {vendor})] == []
    assert sum(seen == {vendor} for _, seen in asked) >= 2
    assert asked[0][1] == {own}


@pytest.mark.parametrize("preset", ["bank", "consumer_platform"])
def test_when_an_endpoint_is_down_a_stream_goes_where_it_may_and_nowhere_else(proxies, preset):
    proxy = proxies[preset]
    (fallbacks,) = proxy.config["router_settings"]["fallbacks"] or [{}]
    for name in streams(preset):
        first, others = proxy.endpoint(name), [proxy.endpoint(other) for other in fallbacks.get(name, [])]
        proxy.ends.down = {first}
        status, seen = proxy.ask(name)
        assert (status == 200) == bool(others)
        assert seen <= {first, *others}
        assert set(others) <= seen
    proxy.ends.down = {proxy.endpoint(routing.UNKNOWN)}
    assert proxy.ask("nobody")[1] <= proxy.ends.down
    proxy.ends.down = set()


LOADS = """
import asyncio, json, sys
from litellm import Router
from litellm.proxy.proxy_server import ProxyConfig
for path in sys.argv[1:]:
    router, models, _ = asyncio.run(ProxyConfig().load_config(router=None, config_file_path=path))
    print(json.dumps([each["model_name"] for each in models]))
"""


def test_the_proxy_reads_the_configuration_of_every_preset(tmp_path):
    python, configs = Path(program("litellm")).resolve().with_name("python"), []
    for preset in kits.PRESETS:
        configs.append(tmp_path / f"{preset}.yaml")
        configs[-1].write_bytes(routing.files(kits.answer(preset))[routing.CONFIG])
    ran = subprocess.run([python, "-c", LOADS, *configs], env=os.environ | LOCAL, capture_output=True, text=True)
    read = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    assert read == [[*deployments(config_of(kits.answer(preset)))] for preset in kits.PRESETS], ran.stderr[-3000:]
