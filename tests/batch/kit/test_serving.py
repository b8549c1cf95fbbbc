"""Serving of the kit: the validators of Kubernetes and SkyPilot take it, and its figures are those of the answer."""

import shlex
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
import yaml

import kits
from validators import program
from where_to_run.batch.kit import serving
from where_to_run.batch.kit.routing import one_line, recommended

OFFICE = {"hours_per_week": 50.0, "spikiness": 8.0, "open_model": "qwen3.8-27b", "control": "own_tenancy"}
"""Fields of a scenario that is answered with rented machines that are off at night."""


def office():
    return kits.answer(**OFFICE)


def documents(content):
    return list(yaml.safe_load_all(content))


def flags(line):
    """The flags of a start line with their values."""
    words = shlex.split(line)
    return {flag: value for flag, value in pairwise(words) if flag.startswith("--")}


def test_the_machines_of_a_bank_start_the_model_they_were_sized_for():
    line = serving.files(kits.answer("bank"))["vllm-rented.sh"].decode().splitlines()[-1]
    assert line.startswith("exec vllm serve Qwen/Qwen3.8-27B-FP8 --served-model-name qwen3.8-27b ")
    # one H100 of 80 GiB = 85.9 GB; nine tenths less 2 GB, less 30.9 GB of weights with 2 % on top, leave 43.8 GB for
    # the cache: 16 layers x 4 heads x 256 x 2 x 1 byte = 32,768 bytes a token, 1.3 million tokens, so the model's own
    # 262,144 are the limit
    asked = {"--tensor-parallel-size": "1", "--max-model-len": "262144", "--gpu-memory-utilization": "0.9"}
    assert flags(line).items() >= (asked | {"--kv-cache-dtype": "fp8"}).items()


@pytest.mark.parametrize("preset", ["bank", "consumer_platform", "public_body", "research_lab"])
def test_there_are_as_many_replicas_as_the_answer_has_machines_in_the_first_month(preset):
    answer = kits.answer(preset)
    first = answer.sizing[answer.sizing["option"] == recommended(answer)].iloc[0]
    gpus = int(first["replica"].split(" x ")[0])
    (found,) = (content for name, content in serving.files(answer).items() if name.startswith("kubernetes"))
    deployment, service = documents(found)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": gpus}
    each = int(first["offer"].rpartition("-")[2]) // gpus if first["place"] == "own_gpus" else 1
    assert deployment["spec"]["replicas"] == first["machines"] * each
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]


def test_vendors_alone_need_no_serving():
    assert serving.files(kits.answer("hospital")) == {}


def test_fifty_hours_a_week_are_ten_a_day_about_noon_and_machines_start_ten_minutes_ahead():
    files = serving.files(office())
    (scaled,) = documents(files["keda-rented.yaml"])
    cron = scaled["spec"]["triggers"][0]["metadata"]
    # 50 hours in 5 days: 7:00 to 17:00, started 10 minutes before
    assert (cron["start"], cron["end"]) == ("50 6 * * 1-5", "0 17 * * 1-5")
    assert scaled["spec"]["minReplicaCount"] == 0
    deployment, _ = documents(files["kubernetes-rented.yaml"])
    assert cron["desiredReplicas"] == str(deployment["spec"]["replicas"])


@pytest.mark.parametrize("answer", [office, lambda: kits.answer("bank")])
def test_the_schedule_is_one_that_keda_takes(answer):
    schema = yaml.safe_load(Path(__file__).with_name("keda.yaml").read_text())
    (scaled,) = documents(serving.files(answer())["keda-rented.yaml"])
    jsonschema.validate(scaled, schema)
    scaled["spec"]["triggers"][0]["metadata"]["threshold"] = 5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(scaled, schema)


VALID = """
import sys
import jsonschema, kubernetes_validate, yaml
from sky.utils import schemas
for path in sys.argv[1:]:
    for document in yaml.safe_load_all(open(path)):
        if "-kubernetes-" in path:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        else:
            resources, service = document.pop("resources"), document.pop("service")
            jsonschema.validate(document, schemas.get_task_schema())
            jsonschema.validate(resources, schemas.get_resources_schema())
            jsonschema.validate(service, schemas.get_service_schema())
    print(path)
"""


def test_kubernetes_and_skypilot_take_the_files_of_every_preset(tmp_path):
    python, paths = Path(program("sky")).resolve().with_name("python"), []
    for n, answer in enumerate([*map(kits.answer, kits.PRESETS), office()]):
        for name, content in serving.files(answer).items():
            if name.startswith(("kubernetes", "skypilot")):
                paths.append(tmp_path / f"{n}-{name}")
                paths[-1].write_bytes(content)
    assert len(paths) > 6
    ran = subprocess.run([python, "-c", VALID, *paths], capture_output=True, text=True)
    assert ran.stdout.splitlines() == [str(path) for path in paths], ran.stderr[-3000:]


def test_hostile_names_change_nothing_but_the_name(monkeypatch):
    (pool,) = serving.pools(kits.answer("bank").option("split_by_sensitivity"))
    plain = serving.files(kits.answer("bank"))
    for hostile in kits.HOSTILE:
        named = replace(pool, words=hostile)
        monkeypatch.setattr(serving, "_weights", lambda facts, model, precision, name=hostile: (name, []))
        monkeypatch.setattr(serving, "pools", lambda option, one=named: [one])
        files = serving.files(kits.answer("bank"))
        _, comment, line = files["vllm-rented.sh"].decode().split("\n", 2)
        assert comment == f"# Made by Where to Run: {one_line(hostile)}."
        assert shlex.split(line)[:4] == ["exec", "vllm", "serve", hostile]
        assert documents(files["keda-rented.yaml"]) == documents(plain["keda-rented.yaml"])
        for name in ("kubernetes-rented.yaml", "skypilot-rented.yaml"):
            found, before = documents(files[name]), documents(plain[name])
            command = found[0].get("run") or found[0]["spec"]["template"]["spec"]["containers"][0]["command"]
            words = shlex.split(command) if isinstance(command, str) else command
            assert words[:3] == ["vllm", "serve", hostile]
            assert _without_command(found) == _without_command(before)


def _without_command(found):
    """Manifests without the start line."""
    first, *others = found
    if "run" in first:
        return [first | {"run": ""}, *others]
    first["spec"]["template"]["spec"]["containers"][0]["command"] = ""
    return [first, *others]
