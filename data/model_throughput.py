"""Modelled rows of throughput.csv: what aiconfigurator says of models, GPUs and service levels that nobody measured.

Run it in this folder, in an environment of its own with the packages of model_throughput.txt, with
`python model_throughput.py`. It rewrites the rows of throughput.csv whose basis is not `measured`, and of those that
are the column `modelled_tokens_per_s`: what the model says is the most at that service level, up to the same largest
number of requests at once. Only this script needs the tool, nothing in the project does.
"""

import csv
import logging
import re
from collections import defaultdict
from functools import cache
from itertools import product
from pathlib import Path
from statistics import median

from aiconfigurator.cli import api
from aiconfigurator.sdk.backends.factory import get_backend
from aiconfigurator.sdk.config import RuntimeConfig
from aiconfigurator.sdk.inference_session import InferenceSession
from aiconfigurator.sdk.models import get_model
from aiconfigurator.sdk.perf_database import get_database_view, get_latest_database_version

READ_ON = "2026-11-30"
SOURCE = "https://github.com/ai-dynamo/aiconfigurator"

LEVELS = {"interactive": (1000, 25), "chat": (2000, 50), "relaxed": (4000, 100), "batch": (1e9, 1e9)}
"""Most time to first token and per token after it [ms], the tightest first."""

SHAPES = [(1024, 128), (8192, 128), (1024, 1024), (8192, 1024), (1024, 8192)]
"""Tokens in and out: the corners of what most services ask, and long answers. The measured ones are among them."""

AT_ONCE = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]
"""Requests at once a replica is tried with. With more the tool is far too high on vLLM."""

SYSTEMS = {
    "a100-80gb": "a100_sxm",
    "l40s": "l40s",
    "rtx-pro-6000": "rtx_pro_6000_server",
    "h100": "h100_sxm",
    "h200": "h200_sxm",
    "b200": "b200_sxm",
    "b300": "b300_sxm",
}
"""GPU types that are sold and that the tool has kernels of. It has none of A100 PCIe, H100 PCIe, L4, and AMD."""

MORE = 1.03
"""Times as many tokens/s as within a tighter level, or a point is left out: the tighter one answers both."""

PCIE = ("l40s", "rtx-pro-6000")
"""Cards without NVLink: the tool has no model of several of them."""

DENSE = {"fp16": ("bfloat16", None), "fp8": ("fp8", None), "fp4": ("nvfp4", None)}
EIGHT = {precision: modes for precision, modes in DENSE.items() if precision != "fp4"}  # builds of half the layers
MIXTURE = {"fp16": ("bfloat16", "bfloat16"), "fp8": ("fp8_block", "fp8_block")}
NATIVE = (None, None)
"""Precision of the matrices and of the experts; those of the model's own configuration."""


def alike(path, precisions):
    """A model at several precisions by one configuration."""
    return {precision: (path, *modes) for precision, modes in precisions.items()}


def published(eight, four):
    """A model by the configurations in which it is published at 8 and at 4 bit."""
    return {p: (path, *NATIVE) for p, path in {"fp8": eight, "fp4": four}.items() if path}


GPT_OSS = {"fp4": "openai/gpt-oss-{}b", "w4a16": "openai/gpt-oss-{}b"}
GLM = {"fp8": "zai-org/GLM-{}-FP8", "fp4": "nvidia/GLM-{}-NVFP4"}
MODELS = {
    "llama-3.1-8b": alike("meta-llama/Meta-Llama-3.1-8B", DENSE),
    "llama-3.3-70b": alike("meta-llama/Meta-Llama-3.1-70B", DENSE),
    "llama-3.1-405b": alike("meta-llama/Meta-Llama-3.1-405B", DENSE),
    "qwen3-8b": alike("Qwen/Qwen3-8B", DENSE),
    "qwen3-32b": alike("Qwen/Qwen3-32B", DENSE),
    "qwen3-30b-a3b": alike("Qwen/Qwen3-30B-A3B", MIXTURE),
    "qwen3-235b-a22b": alike("Qwen/Qwen3-235B-A22B", MIXTURE) | {"fp4": ("nvidia/Qwen3-235B-A22B-NVFP4", *NATIVE)},
    "qwen3.5-27b": alike("Qwen/Qwen3.5-27B", EIGHT),
    "qwen3.8-27b": alike("Qwen/Qwen3.5-27B", EIGHT),
    "qwen3.5-397b-a17b": alike("Qwen/Qwen3.5-397B-A17B", MIXTURE)
    | {"fp4": ("nvidia/Qwen3.5-397B-A17B-NVFP4", *NATIVE)},
    "gpt-oss-20b": {p: (path.format(20), *NATIVE) for p, path in GPT_OSS.items()},
    "gpt-oss-120b": {p: (path.format(120), *NATIVE) for p, path in GPT_OSS.items()},
    "deepseek-r1": published("deepseek-ai/DeepSeek-R1", "nvidia/DeepSeek-V3.1-NVFP4"),
    "deepseek-v3.2": published("deepseek-ai/DeepSeek-V3.2", None),
    "deepseek-v4-pro-0813": published(None, "deepseek-ai/DeepSeek-V4-Pro"),
    "kimi-k2.5": {"w4a16": ("moonshotai/Kimi-K2.5", *NATIVE), "fp4": ("nvidia/Kimi-K2.5-NVFP4", *NATIVE)},
    "kimi-k3": published(None, "moonshotai/Kimi-K3"),
    "glm-5": {p: (path.format("5"), *NATIVE) for p, path in GLM.items()},
    "glm-5.2": {p: (path.format("5.2"), *NATIVE) for p, path in GLM.items()},
    "glm-5.3": {p: (path.format("5.3"), *NATIVE) for p, path in GLM.items()},
    "minimax-m2.5": published("MiniMaxAI/MiniMax-M2.5", "nvidia/MiniMax-M2.5-NVFP4"),
    "minimax-m3": published("MiniMaxAI/MiniMax-M3", "nvidia/MiniMax-M3-NVFP4"),
    "nemotron-3-nano-30b-a3b": {
        "fp16": ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", *NATIVE),
        "fp4": ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", *NATIVE),
    },
    "nemotron-3-super-120b-a12b": published(
        "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8", "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-NVFP4"
    ),
    "nemotron-3-ultra-550b-a55b": published(
        "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-FP8", "nvidia/NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4"
    ),
}
"""Configurations in the tool by model and precision. Left out is what it does badly (Llama 4) or does not
know.
"""

ARCHITECTURE = {"qwen3.8-27b": "Qwen3.5 27B"}
"""Models that the tool does not know, and the one of the same layers, width, heads and cache they are modelled as."""

BADLY = [("gpt-oss", "tensorrt_llm"), ("deepseek-r1", "sglang"), ("deepseek-r1", "vllm")]
"""Models, by how their keys begin, of which the tool is far off what was measured, by engine: no rows are made."""

TOOL = {"vllm": "vllm", "sglang": "sglang", "tensorrt_llm": "trtllm"}


@cache
def session(model, precision, gpu, engine, tp, dp, ep):
    """The tool set up for a replica, and its version of the engine; nothing where it has no data."""
    if precision not in MODELS.get(model, ()) or gpu not in SYSTEMS:
        return None
    path, gemm, experts = MODELS[model][precision]
    system, backend = SYSTEMS[gpu], TOOL[engine]
    try:
        moe_tp, moe_ep = api._resolve_moe_parallelism(tp, dp, tp * dp // ep, ep, model_path=path)
        config = api._build_model_config(tp, 1, dp, moe_tp, moe_ep, gemm, None, None, experts, None)
        version = get_latest_database_version(system=system, backend=backend)
        database = get_database_view(system, backend, version, allow_missing_data=False, database_mode="SILICON")
        api.resolve_context_fmha_by_data(config, path, database, backend, is_context_role=True)
        api.resolve_dsv4_moe_arch(config, path, system_name=system, backend_name=backend)
        api.resolve_nvfp4_for_system(config, system, path, backend_name=backend)
        return InferenceSession(get_model(path, config, backend), database, get_backend(backend)), version
    except Exception as error:  # whatever the tool raises, it has no answer
        logging.warning("%s %s on %d x %s, %s: %s", model, precision, tp * dp, gpu, engine, str(error)[:200])
        return None


@cache
def sweep(replica, isl, osl):
    """Points of one shape, as many requests at once as the cache holds: at once, tokens/s, ms to first, ms a token."""
    made, found, (_, _, _, engine, _, dp, _) = session(*replica), [], replica
    for batch in AT_ONCE if made else ():
        if batch % dp:
            continue
        # a paged cache holds half of the answer on average; the tool counts all of it
        held = isl + (osl if engine == "tensorrt_llm" else osl // 2)
        try:
            room = made[0].run_agg(RuntimeConfig(isl=held - 1, osl=1, batch_size=batch // dp), ctx_tokens=isl)
            told = made[0].run_agg(RuntimeConfig(isl=isl, osl=osl, batch_size=batch // dp), ctx_tokens=isl)
        except Exception as error:  # as above
            logging.warning("%s: %s", replica, str(error)[:200])
            break
        if room.check_oom() or room.check_kv_cache_oom() or told.check_oom():
            break
        point = told.get_result_dict()
        found.append((batch, *(float(point[name]) for name in ("tokens/s", "ttft", "tpot"))))
    return found


def best(points, level, factor=1.0, at_most=AT_ONCE[-1]):
    """The point of most tokens/s within a level, all of it `factor` times as fast; nothing where none is within it."""
    ttft, tpot = LEVELS[level]
    points = [(n, rate * factor, first / factor, each / factor) for n, rate, first, each in points if n <= at_most]
    return max((p for p in points if p[2] <= ttft and p[3] <= tpot), key=lambda p: p[1], default=None)


def replica(row):
    """What a measured row was run on, as `session` takes it."""
    layout = {way: int(number) for way, number in re.findall(r"\b(TP|DP|EP)(\d+)\b", row["note"])}
    kind = row["model"], row["precision"], row["gpu"], row["engine"]
    return *kind, layout.get("TP", 1), layout.get("DP", 1), layout.get("EP", 1)


def run(row):
    """The sweep that a measured row is of: its shape, and what the note says of it."""
    shape = ("model", "gpu", "gpus", "precision", "engine", "input_tokens", "output_tokens")
    return *(row[name] for name in shape), row["note"].partition(", in ")[0]


def check(rows):
    """Fill in what the model says of measured rows; measured over modelled by model, GPU and engine, and by model and
    engine.
    """
    most, ratios = defaultdict(int), defaultdict(list)
    for row in rows:
        most[run(row)] = max(most[run(row)], int(row["concurrency"]))
    for row in rows:
        at_most = int(row["concurrency"]) if row["at_least"] == "yes" else most[run(row)]
        points = sweep(replica(row), int(row["input_tokens"]), int(row["output_tokens"]))
        found = best(points, row["service_level"], at_most=at_most)
        row["modelled_tokens_per_s"] = round(found[1], 1) if found else ""
        if found and row["engine"] != "tensorrt_llm":
            for key in ((row["model"], row["gpu"], row["engine"]), (row["model"], row["engine"])):
                ratios[key].append(float(row["output_tokens_per_s"]) / found[1])
    return {key: median(values) for key, values in ratios.items()}


def modelled(anchors, weights):
    """Rows of every model on every GPU type, at the fewest GPUs that answer and at twice as many."""
    for (model, precisions), gpu in product(MODELS.items(), SYSTEMS):
        engine = next((e for e in ("vllm", "sglang") if (model, e) in anchors), "vllm")
        if any(model.startswith(begins) and engine == badly for begins, badly in BADLY):
            continue
        for precision in precisions:
            if not weights(model, precision) or not sold(gpu, precision):
                continue
            answered = 0
            for gpus in (1, 2, 4, 8):
                if answered == 2 or (gpus > 1 and gpu in PCIE):
                    break
                made = list(replica_rows(model, precision, gpu, gpus, engine, anchors))
                answered += bool(made)
                yield from made


def sold(gpu, precision):
    """Whether people run a precision on a GPU type: 4 bit alone where there is no 8 bit, or natively."""
    blackwell, ampere = gpu in ("rtx-pro-6000", "b200", "b300"), gpu == "a100-80gb"
    return {"fp16": ampere, "fp8": not ampere, "fp4": blackwell, "w4a16": not blackwell}[precision]


def replica_rows(model, precision, gpu, gpus, engine, anchors):
    """Rows of one replica over the shapes: the most at each service level, points that answer several once."""
    anchor = anchors.get((model, gpu, engine)) or anchors.get((model, engine))
    basis = "anchored" if (model, gpu, engine) in anchors else "modelled"
    # experts are split like the matrices, or where their blocks do not allow that dealt out whole
    experts = next((ep for ep in (1, gpus) if session(model, precision, gpu, engine, gpus, 1, ep)), 1)
    made = model, precision, gpu, engine, gpus, 1, experts
    for isl, osl in SHAPES:
        points, told = sweep(made, isl, osl), 0.0
        for level in LEVELS if len(points) > 1 else ():
            found = best(points, level, anchor or 1.0)
            if not found or found[1] < MORE * told:
                continue
            batch, told, ttft, tpot = found
            version = session(*made)[1]
            of = ARCHITECTURE.get(model)
            note = (
                f"aiconfigurator 0.12.0, TP{gpus}"
                + (f" EP{experts}" if experts > 1 else "")
                + (f"; as {of}, of the same dimensions" if of else "")
            )
            if anchor:
                note += f"; times {anchor:.3f}, measured over modelled of this model" + (
                    f" on {gpu}" if basis == "anchored" else " on other GPUs"
                )
            where = f"{engine}/{model}/{gpu}x{gpus}/{precision}/{isl}-{osl}"
            yield {
                "key": f"{where}/{level}/modelled", "model": model, "gpu": gpu, "gpus": gpus,
                "precision": precision, "engine": engine, "engine_version": version, "input_tokens": isl,
                "output_tokens": osl, "output_tokens_per_s": round(told, 1), "service_level": level,
                "concurrency": batch, "ttft_ms": round(ttft), "tpot_ms": round(tpot, 2), "at_least": "no",
                "basis": basis, "modelled_tokens_per_s": "", "low": "", "high": "", "effective_from": "2026-08-21",
                "source": SOURCE, "read_on": READ_ON, "note": note,
            }  # fmt: skip


def main():
    """Rewrite the modelled rows and the column of the measured ones."""
    logging.disable(logging.INFO)
    with Path("throughput.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["basis"] == "measured"]
    with Path("models.csv").open(newline="") as file:
        sizes = {row["key"]: row for row in csv.DictReader(file)}
    bits = {"fp16": "16", "fp8": "8", "fp4": "4", "w4a16": "4"}
    anchors = check([row for row in rows if row["concurrency"]])
    rows += modelled(anchors, lambda model, precision: sizes[model][f"weights_gb_{bits[precision]}bit"])
    with Path("throughput.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main()
