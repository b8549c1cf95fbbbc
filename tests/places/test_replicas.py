"""Replicas: the weights an engine loads, where a model exists at some precisions alone."""

import numpy as np
import pandas as pd
import pytest

from toy import shipped
from where_to_run.places.offers import offers
from where_to_run.places.replicas import kinds, rates, weights_gb


@pytest.mark.parametrize(
    ("sizes", "loaded"),
    [
        ((100, 50, 28), [100, 50, 28]),
        ((np.nan, 50, 28), [50, 50, 28]),
        ((np.nan, np.nan, 28), [28, 28, 28]),
        ((100, np.nan, np.nan), [100, np.nan, np.nan]),
        ((np.nan, 50, np.nan), [50, 50, np.nan]),
    ],
)
def test_weights_that_do_not_exist_at_a_precision_are_those_of_the_next_lower(sizes, loaded):
    model = pd.Series(sizes, ["weights_gb_16bit", "weights_gb_8bit", "weights_gb_4bit"])
    np.testing.assert_array_equal([weights_gb(model, precision) for precision in ("fp16", "fp8", "fp4")], loaded)


def test_gpt_oss_120b_computes_at_8_bit_on_the_4_bit_weights_there_are():
    rows = kinds(shipped(), "gpt-oss-120b")
    assert rows.loc[(rows["gpu"] == "h200") & (rows["precision"] == "fp8"), "weights_gb"].tolist() == [65.2]


def test_every_model_has_a_machine_that_holds_it():
    facts = shipped()
    assert [model for model in facts.table("models").index if not len(offers(facts, "machines", model))] == []


def served(model, level="chat", engine="vllm", prompt=1024.0, answer=1024.0):
    """The kinds of a model, and their rates on one request, uncached."""
    tokens = (np.array([[size]]) for size in (prompt, answer, 0.0))
    found = rates(shipped(), model, *tokens, *(np.array([[name]], object) for name in (level, engine)))
    return kinds(shipped(), model), found


@pytest.mark.parametrize(("level", "tokens_per_s", "at_once"), [("chat", 446.4, 16), ("interactive", 187.7, 4)])
def test_a_replica_measured_at_a_service_level_does_there_what_was_measured(level, tokens_per_s, at_once):
    # public InferenceX run of 2025-10-29, Llama 70B, 8 bit, vLLM on two H100: most within 2 s and 50 ms, 1 s and 25 ms
    rows, found = served("llama-3.3-70b", level, prompt=8192.0)
    here = (rows["gpu"] == "h100") & (rows["gpus"] == 2) & (rows["precision"] == "fp8")
    assert 1024 / found.seconds[here, 0, 0] == pytest.approx(tokens_per_s)
    assert found.planned[here, 0, 0] == pytest.approx(found.seconds[here, 0, 0])
    assert found.slots[here, 0, 0] == pytest.approx(at_once)
    assert found.basis[here, 0].tolist() != ["roofline"]


@pytest.mark.parametrize(("level", "possible"), [("relaxed", True), ("chat", True), ("interactive", False)])
def test_an_l40s_writes_no_token_of_27_billion_parameters_in_25_ms(level, possible):
    # By hand: 27 GB at 8 bit over 864 GB/s are 31 ms a token, however few requests at once
    rows, found = served("qwen3.5-27b", level)
    here = np.flatnonzero((rows["gpu"] == "l40s") & (rows["precision"] == "fp8"))
    assert np.isfinite(found.seconds[here, 0, 0]).tolist() == [possible]


def test_rows_of_the_engine_asked_come_first_and_those_of_another_are_told():
    for engine, basis in (("sglang", {"other_engine"}), ("vllm", {"measured", "anchored"})):
        rows, found = served("minimax-m2.5", engine=engine)
        here = (rows["gpu"] == "h200") & (rows["precision"] == "fp8") & np.isfinite(found.seconds[:, 0, 0])
        assert set(found.basis[here, 0]) <= basis
        assert here.any()


def test_scenarios_of_several_levels_and_engines_are_served_as_each_alone():
    asked = [("chat", "vllm"), ("batch", "vllm"), ("chat", "tensorrt_llm"), ("chat", "vllm")]
    level, engine = (np.array([[pair[n]] for pair in asked], object) for n in (0, 1))
    size = np.full((4, 1), 1024.0)
    together = rates(shipped(), "llama-3.3-70b", size, size, np.zeros((4, 1)), level, engine)
    for n, pair in enumerate(asked):
        alone = served("llama-3.3-70b", *pair)[1]
        for name in ("seconds", "planned", "slots", "basis"):
            np.testing.assert_array_equal(getattr(together, name)[:, n], getattr(alone, name)[:, 0])


def test_cards_that_do_not_compute_in_8_bit_serve_weights_of_8_and_4_bit_at_16():
    rows = kinds(shipped(), "qwen3.8-27b")
    assert set(rows["precision"][rows["gpu"] == "a100-80gb-pcie"]) == {"fp16", "w8a16", "w4a16"}
    assert set(rows["precision"][rows["gpu"] == "l4"]) == {"fp8", "w4a16"}
    # the cache of 16-bit arithmetic is 16 bit
    assert set(rows["kv_bytes_per_token"][rows["precision"].isin(["fp16", "w8a16", "w4a16"])]) == {65536}
