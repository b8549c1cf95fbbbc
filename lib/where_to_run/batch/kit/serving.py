"""Serving: how the machines of the recommended option start the open model, by vLLM, Kubernetes, KEDA and SkyPilot."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ...decision.answer import Answer
from ...decision.block import OFFERS
from ...decision.option import Option, Part
from ...decision.routing import OWN, RENTED
from ...inputs.facts import Facts, rows_of
from ...inputs.question import PLACES
from ...places import replicas
from ...places.fleet import Fleet, no_outlet
from ...places.offers import Offers, offers
from ...places.rented_gpus import BY_CLOCK
from ...places.replicas import WEIGHTS
from ...places.spares import spares
from ...units import BYTES_PER_GB, HOURS_PER_WEEK, SECONDS_PER_MINUTE
from .routing import one_line, recommended, slug

TEMPLATES = Path(__file__).parent.with_name("templates") / "kit"

AT = {RENTED: "rented", OWN: "own"}
"""In the names of files."""


def _read_me() -> Iterator[tuple[str, str, str]]:
    for at in AT.values():
        yield (
            f"vllm-{at}.sh",
            f"How a replica starts on {at} machines, as Kubernetes and SkyPilot start it too.",
            "VLLM_API_KEY, the one the proxy has; the weights, where the line says so or yours are tuned.",
        )
        yield (
            f"kubernetes-{at}.yaml",
            f"The replicas on {at} machines: those of the first month, with spares.",
            "The secret `vllm` with its key VLLM_API_KEY; the label of the GPU on your nodes; replicas, as the answer "
            "adds machines. Tell your cluster how to reach the service from the proxy.",
        )
        yield (
            f"keda-{at}.yaml",
            f"When there are how many replicas on {at} machines: by the clock, by load, or both.",
            "Your time zone and hours of work; the address of your Prometheus. Your cluster's autoscaler adds nodes.",
        )
    yield (
        "skypilot-rented.yaml",
        "The rented machines as a SkyPilot service; a replica there is a machine. It follows the load, and no clock.",
        "The secret VLLM_API_KEY; the name of the GPU as `sky show-gpus` has it. Infra `kubernetes` stands for a cloud "
        "that SkyPilot does not know: join its machines to a cluster.",
    )


READ_ME = tuple(_read_me())


def files(answer: Answer) -> dict[str, bytes]:
    """For each place with machines a start line and manifests; nothing where all goes to vendors."""
    found = {}
    for pool in pools(answer.option(recommended(answer))):
        at, words = AT[pool.place], f"# Made by Where to Run: {one_line(pool.words)}.\n"
        found[f"vllm-{at}.sh"] = f"#!/bin/sh\n{words}exec {shlex.join(pool.command)}\n".encode()
        wanted = {"kubernetes": True, "keda": bool(pool.triggers), "skypilot": pool.place == RENTED}
        for name in (name for name, here in wanted.items() if here):
            found[f"{name}-{at}.yaml"] = (words + _filled(name, pool.values)).encode()
    return found


def _filled(name: str, values: Mapping[str, Any]) -> str:
    """A template with values in place of what begins with $, set in its structure and never in its text."""

    def fill(part: Any) -> Any:
        if isinstance(part, dict):
            return {fill(key): fill(value) for key, value in part.items()}
        if isinstance(part, list):
            return [fill(value) for value in part]
        return values[part[1:]] if isinstance(part, str) and part.startswith("$") else part

    documents = [fill(each) for each in yaml.safe_load_all((TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8"))]
    return yaml.safe_dump_all(documents, sort_keys=False, width=120)


def pools(option: Option) -> list["Pool"]:
    """The machines of an option: those that stand at each place, and those by the hour that own servers pass on to."""
    found: dict[int, Pool] = {}
    for part in option.parts:
        if part.place in AT and part.bill.machines and part.share[0] > 0:
            found[part.place] = _standing(option, part)
        if part.place == OWN and part.second == RENTED:
            bursts, here = _bursts(option, part), found.get(RENTED)
            found[RENTED] = replace(here, most=here.most + bursts.most, follows=True) if here else bursts
    return list(found.values())


def _fleet(option: Option, part: Part, offer: Offers) -> Fleet:
    """Machines of one offer for all that goes to a place, nothing passed on."""
    work, here = option.question.work.part(part.share), np.zeros(1, np.intp)
    asked = spares(option.question.facts, PLACES[part.place])
    return Fleet(work.load, work.need, no_outlet(1), offer.kind, here, offer.each, asked)


def _standing(option: Option, part: Part) -> "Pool":
    machines, offer = part.machines, option.offer(part)
    live = np.flatnonzero(machines.operating[0] > 0)
    count, contract = machines.count[0, live], str(machines.contract[0])
    follows = "by the hour" in contract
    most = max(count.max(), _fleet(option, part, offer).busiest()[0, live].max() if follows else 0)
    words = f"{part.bill.offer[0]}, {machines.replica[0]}, {contract}"
    return Pool(option, part.place, offer, int(count[0]), int(most), follows, BY_CLOCK in contract, words)


def _bursts(option: Option, part: Part) -> "Pool":
    """Machines by the hour for what own servers cannot carry: their offer in the replica it carries most with."""
    facts, model = option.question.facts, option.question.model
    every = offers(facts, OFFERS[RENTED], model)
    mine = every.take(np.flatnonzero(every.columns["key"] == part.overflow_offer[0]))
    busy = option.question.work.need.planned[mine.kind, 0] / mine.each
    offer = mine.take(np.array([busy.argmin()]))
    need = _fleet(option, part, offer).busiest()[0].max()
    own = _fleet(option, part, option.offer(part)).busiest()[0].max()
    most = np.ceil(need * max(0.0, 1 - part.machines.count[0].max() / own))
    return Pool(option, RENTED, offer, 0, max(1, int(most)), True, False, f"{part.overflow_offer[0]}, by the hour")


@dataclass(frozen=True)
class Pool:
    """Machines of one offer at a place: so many `standing` from the first month on, `most` in the busiest hours, where
    they follow the load, and off by a clock where the hours in use say so.
    """

    option: Option
    place: int
    offer: Offers
    standing: int
    most: int
    follows: bool
    clocked: bool
    words: str

    @property
    def _facts(self) -> Facts:
        return self.option.question.facts

    def _of(self, column: str) -> Any:
        return self.offer.columns[column][0]

    @cached_property
    def each(self) -> int:
        """Replicas a machine holds."""
        return int(self.offer.each[0])

    @property
    def gpus(self) -> int:
        """GPUs of a replica."""
        return int(self._of("gpus_replica"))

    @cached_property
    def slots(self) -> int:
        """Requests a replica holds at once, so that each keeps its service level."""
        question = self.option.question
        load = question.work.load
        shape = (load.input_tokens, load.output_tokens, load.cached_share, load.level, load.engine)
        rates = replicas.rates(self._facts, question.model, *shape)
        return max(1, int(np.ravel(rates.slots[self.offer.kind[0]])[0]))

    @cached_property
    def command(self) -> list[str]:
        """What starts a replica."""
        row, model = rows_of(self._facts, "models")[self.option.question.model], self.option.question.model
        precision, room = str(self._of("precision")), self._of("kv_gb") * BYTES_PER_GB / self._of("kv_bytes_per_token")
        weights, more = _weights(self._facts, model, precision)
        found = {
            "--served-model-name": slug(model),
            "--tensor-parallel-size": self.gpus,
            "--max-model-len": int(min(row["context_tokens"], room)),
            "--max-num-seqs": self.slots,
            "--gpu-memory-utilization": self._facts.value("serving.memory_share"),
        }
        if precision in ("fp8", "fp4"):  # the answer counts their cache at 8 bit
            found["--kv-cache-dtype"] = "fp8"
        return ["vllm", "serve", weights, *more, *(str(part) for pair in found.items() for part in pair)]

    @cached_property
    def values(self) -> dict[str, Any]:
        """What fills the templates."""
        facts, replicas_here = self._facts, self.standing * self.each
        gpu = str(self._of("gpu"))
        maker = "amd" if str(rows_of(facts, "gpus")[gpu]["name"]).startswith("AMD") else "nvidia"
        image = f"{IMAGES[maker]}:v{_measured_version(facts)}"
        slowest_s = int(facts.table("assumptions").at["autoscale.start_minutes", "high"] * SECONDS_PER_MINUTE)
        most = max(self.most, self.standing, 1)
        both = ["--data-parallel-size", str(self.each)] if self.each > 1 else []
        return {
            "name": f"vllm-{AT[self.place]}",
            "replicas": replicas_here,
            "least_replicas": 0 if self.clocked else replicas_here,
            "most_replicas": most * self.each,
            "least_machines": 0 if self.clocked else self.standing,
            "most_machines": most,
            "gpu": slug(gpu),
            "gpus": self.gpus,
            "machine_gpus": int(self._of("gpus")),
            "resource": f"{maker}.com/gpu",
            "accelerator": slug(gpu).upper().removesuffix("-PCIE"),
            "image": image,
            "docker": f"docker:{image}",
            "command": self.command,
            "run": shlex.join([*self.command, *both]),
            "start_tries": slowest_s // 10,
            "slowest_start_s": slowest_s,
            "triggers": self.triggers,
            "infra": self._infra(),
            "requests_per_s": self._requests_per_s(),
        }

    def _infra(self) -> str:
        """The cloud and region SkyPilot may take machines in, and no other."""
        if self.place != RENTED:
            return ""
        cloud = rows_of(self._facts, "gateways").get(str(self._of("provider")), {}).get("cloud")
        region = str(self._of("region")).split("/")[0].strip()
        return "/".join(filter(None, (cloud, region))) if cloud else "kubernetes"

    def _requests_per_s(self) -> float:
        """What a machine carries."""
        need, here = self.option.question.work.need, np.zeros(1, np.intp)
        return float(f"{need.carried(self.offer.kind, here, np.full((1, 1), self.each))[0, 0]:.3g}")

    @cached_property
    def triggers(self) -> list[dict[str, Any]]:
        """When there are how many replicas, for KEDA; none where all stand all along."""
        found = []
        if self.clocked:
            start, end = self._hours()
            when = {"timezone": "Etc/UTC", "start": start, "end": end}
            found.append({"type": "cron", "metadata": when | {"desiredReplicas": str(self.standing * self.each)}})
        if self.follows:
            full = max(1, int(self.slots * self._facts.value("serving.busiest_share")))
            here = f'{{service="vllm-{AT[self.place]}"}}'
            asked = f"sum(vllm:num_requests_running{here}) + sum(vllm:num_requests_waiting{here})"
            address = "http://prometheus.monitoring:9090"
            load = {"serverAddress": address, "query": asked, "threshold": str(full)}
            found.append({"type": "prometheus", "metadata": load})
        return found

    def _hours(self) -> tuple[str, str]:
        """Start and end of the hours in use as cron has them: about noon, on the days of `clock.starts_per_week`."""
        clock = self.option.question.load.clock
        assert clock is not None, "machines are off by a clock"
        hours, days = float(clock.on[0, 0]) * HOURS_PER_WEEK, round(self._facts.value("clock.starts_per_week"))
        days = days if hours <= days * MOST_A_DAY else 7
        ahead = self._facts.value("autoscale.start_minutes") / SECONDS_PER_MINUTE
        noon, half = 12, min(hours / days, MOST_A_DAY) / 2
        ends = [max(0.0, noon - half - ahead), min(MOST_A_DAY - 1 / 60, noon + half)]
        minutes = [round(hour * 60) for hour in ends]
        week = f"1-{days}" if days < 7 else "*"
        start, end = (f"{minute % 60} {minute // 60} * * {week}" for minute in minutes)
        return start, end


MOST_A_DAY = 24

IMAGES = {"nvidia": "vllm/vllm-openai", "amd": "vllm/vllm-openai-rocm"}


def _measured_version(facts: Facts) -> str:
    """The newest vLLM that anything was measured on."""
    rows = facts.table("throughput")
    versions = rows.loc[rows["engine"] == "vllm", "engine_version"].unique()
    numbered = [tuple(map(int, v.split("."))) for v in versions if v.replace(".", "").isdigit()]
    return ".".join(map(str, max(numbered)))


def _weights(facts: Facts, model: str, precision: str) -> tuple[str, list[str]]:
    """Published weights of a model at a precision, and what else the start line takes.

    Where there are none, 8 bit are made of 16 when the model is loaded; else the name says what is to be filled in.
    """
    rows = rows_of(facts, "weights")
    same = [name for name, bits in WEIGHTS.items() if bits == WEIGHTS[precision]]
    for name in (precision, *same):
        if found := rows.get(f"{model}/{name}"):
            return str(found["repository"]), []
    whole = rows.get(f"{model}/fp16")
    if whole and precision in ("fp8", "w8a16"):
        return str(whole["repository"]), ["--quantization", "fp8"]
    return f"FILL-IN-{slug(model)}-{precision}", []
