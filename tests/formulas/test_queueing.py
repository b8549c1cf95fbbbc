import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from where_to_run.formulas import load_curve, queueing, throughput
from where_to_run.inputs import facts
from where_to_run.inputs.question import BY_NAME
from where_to_run.places import replicas, workload

HALFIN_WHITT = [(0.5, 0.5061), (0.2, 1.0615), (0.05, 1.7398), (0.01, 2.3749)]


@pytest.fixture(scope="module")
def shipped():
    return facts.load()


# headroom


@pytest.mark.parametrize(("waiting", "beta"), HALFIN_WHITT)
def test_headroom_is_the_beta_of_halfin_and_whitt(waiting, beta):
    # Halfin & Whitt (1981): alpha = [1 + beta Phi(beta)/phi(beta)]^-1
    assert float(queueing.headroom_beta(waiting)) == pytest.approx(beta, rel=1e-3)


@pytest.mark.parametrize(("waiting", "beta"), HALFIN_WHITT)
def test_the_published_beta_lets_the_published_share_wait(waiting, beta):
    # read the other way; beta has four decimals
    assert queueing.wait_probability(beta) == pytest.approx(waiting, rel=1e-3)


def test_without_headroom_every_request_waits():
    # By hand: beta = 0 gives 1 / (1 + 0) = 1
    assert queueing.wait_probability(0.0) == 1.0


def planned(busy, slots, beta, peaked, busiest_share):
    return queueing.replicas_needed(busy, queueing.headroom(beta, peaked, slots), busiest_share)


def test_100_busy_slots_need_111_when_a_fifth_may_wait():
    # 100 + 1.0615 x sqrt(100) = 110.6 -> 111; exact Erlang C waits 0.1998
    beta = queueing.headroom_beta(0.2)
    assert planned(100, slots=1, beta=beta, peaked=1, busiest_share=1.0) == 111


def test_headroom_grows_with_the_root_of_peakedness_over_slots():
    # By hand: 4 + 2 x sqrt(4 x 4 / 4) = 8
    assert planned(4, slots=4, beta=2, peaked=4, busiest_share=1.0) == 8


def test_a_pool_is_never_planned_fuller_than_the_busiest_share():
    # By hand, no headroom to speak of: 9 / 0.9 = 10 exactly; 9.01 / 0.9 = 10.01 -> 11
    assert planned(9.0, slots=1e12, beta=1, peaked=1, busiest_share=0.9) == 10
    assert planned(9.01, slots=1e12, beta=1, peaked=1, busiest_share=0.9) == 11


def test_arrivals_twice_as_spread_as_poisson_are_two_and_a_half_times_as_peaked():
    # c_a^2 = 4, exponential service, z = (1 + 4) / 2 = 2.5; Poisson has 1
    assert queueing.peakedness(2.0, at_most=10) == pytest.approx(2.5)
    assert queueing.peakedness(1.0, at_most=10) == pytest.approx(1.0)


def test_peakedness_is_capped():
    # By hand: (1 + 18.9) / 2 = 9.95 is below the cap; (1 + 25) / 2 = 13 is cut to 10
    assert queueing.peakedness(np.sqrt(18.9), at_most=10) == pytest.approx(9.95)
    assert queueing.peakedness(5.0, at_most=10) == 10


def test_no_load_needs_no_replica():
    assert planned(0.0, slots=10, beta=1.0, peaked=2.5, busiest_share=0.9) == 0


@given(st.floats(1e-30, 1e-6))
@example(1e-30)
def test_the_smallest_load_needs_a_whole_replica(busy):
    assert planned(busy, slots=256, beta=1.0, peaked=2.5, busiest_share=0.9) == 1


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(1, 1e4), st.floats(0, 3), st.floats(1, 10))
def test_more_load_never_needs_fewer_replicas(a, b, slots, beta, peaked):
    fewer = planned(min(a, b), slots, beta, peaked, 0.9)
    more = planned(max(a, b), slots, beta, peaked, 0.9)
    assert fewer <= more


@given(st.floats(0, 1e5), st.floats(1, 1e4), st.floats(0, 3), st.floats(1, 10))
def test_the_replicas_planned_are_whole_and_hold_the_load(busy, slots, beta, peaked):
    found = planned(busy, slots, beta, peaked, 0.9)
    assert found == np.round(found)
    assert found * 0.9 >= busy - 1e-6


# one replica


def test_a_request_takes_prefill_weights_and_cache_time():
    # By hand: 1e-3 x 1000 x (1 - 0.5) = 0.5; 2e-3 x 200 = 0.4; 1e-6 x 200 x 1200 = 0.24; sum 1.14 s
    assert throughput.seconds_per_request((1e-3, 2e-3, 1e-6), 1000, 200, 0.5) == pytest.approx(1.14)


def test_two_80_gb_gpus_keep_68_gb_of_cache_beside_a_70b_model():
    # By hand: 2 x (0.9 x 80 - 2) - 1.02 x 70.5 = 140 - 71.91 = 68.09 GB
    assert throughput.kv_cache_gb(2, 80, 70.5, 0.9, 2, 1.02) == pytest.approx(68.09)


def test_68_gb_of_cache_hold_207_requests_of_2000_tokens():
    # By hand: 68.09e9 B / (163,840 B/token x 2,000 token) = 207.8 -> 207
    assert throughput.sequences(68.09, 163_840, 2000, at_most=256) == 207


def test_the_engine_caps_the_requests_at_once():
    assert throughput.sequences(68.09, 163_840, 2000, at_most=206) == 206
    assert throughput.sequences(68.09, 163_840, 2000, at_most=208) == 207


@pytest.mark.parametrize(
    ("billion", "bytes_each", "memory_gb", "gpus"),
    [(8.03, 2, 80, 1), (70.6, 2, 80, 4), (70.6, 1, 80, 2), (405.9, 1, 80, 8), (671, 1, 141, 8)],
)
def test_the_smallest_replica_holds_weights_and_a_fifth_for_the_cache(billion, bytes_each, memory_gb, gpus):
    # n = min g in {1,2,4,8,16} with g (0.9 GB - 2) >= 1.2 weights
    assert throughput.smallest_replica(memory_gb, billion * bytes_each, 0.9, 2, 0.2) == gpus


def test_a_replica_doubles_just_above_what_a_gpu_holds():
    # By hand: 0.9 x 80 - 2 = 70 GB usable; 70 / 1.2 = 58.333 GB of weights
    assert throughput.smallest_replica(80, 58.33, 0.9, 2, 0.2) == 1
    assert throughput.smallest_replica(80, 58.34, 0.9, 2, 0.2) == 2


def test_no_replica_is_larger_than_16_gpus():
    # By hand: 16 x 70 / 1.2 = 933.33 GB of weights
    assert throughput.smallest_replica(80, 933.3, 0.9, 2, 0.2) == 16
    assert np.isnan(throughput.smallest_replica(80, 933.4, 0.9, 2, 0.2))


@pytest.mark.parametrize(
    ("model", "kv_bytes"),
    [
        # "Insights into DeepSeek-V3" (ISCA 2025) Table 1, 70.272 KB per token.
        # 61 layers x 576 elements (latent 512 + rope 64) x 2 B = 70,272
        ("deepseek-r1", 61 * 576 * 2),
        # same table, 516.096 KB: 126 layers x 2 x 8 heads x 128 wide x 2 B
        ("llama-3.1-405b", 126 * 2 * 8 * 128 * 2),
        # same table, 327.68 KB: 80 layers x 2048 elements x 2 B, as Llama 70B
        ("llama-3.3-70b", 80 * 2048 * 2),
        # 2 L n_kv d_h bytes: 2 x 32 x 8 x 128 x 2 = 131,072
        ("llama-3.1-8b", 2 * 32 * 8 * 128 * 2),
    ],
)
def test_cache_bytes_of_the_table_follow_from_the_layers(shipped, model, kv_bytes):
    assert shipped.table("models").loc[model, "kv_bytes_per_token"] == kv_bytes


# measured replicas


@pytest.mark.parametrize(
    ("model", "gpu", "gpus", "precision", "isl", "osl", "published"),
    [
        # 2, 3, 4, 6, 7: NVIDIA TensorRT-LLM perf-overview.md
        # @00f37686aa854010d68bcbd0f4ab000221541ca6 (v1.0), total output tokens/s
        ("llama-3.3-70b", "h100", 2, "fp8", 1000, 1000, 4205),
        ("llama-3.3-70b", "h200", 1, "fp8", 500, 2000, 3666),
        ("llama-3.3-70b", "b200", 1, "fp4", 1000, 2000, 6271),
        ("llama-3.1-8b", "h100", 1, "fp8", 1000, 1000, 15220),
        ("llama-3.1-405b", "h100", 8, "fp8", 1000, 1000, 2919),
        ("llama-3.1-405b", "h200", 8, "fp8", 2048, 2048, 2948),
    ],
)
def test_the_fit_is_within_a_quarter_of_the_published_throughput(
    shipped, model, gpu, gpus, precision, isl, osl, published
):
    rows = replicas.kinds(shipped, model)
    kind = rows[(rows["gpu"] == gpu) & (rows["gpus"] == gpus) & (rows["precision"] == precision)]
    assert list(kind["basis"]) == ["fitted"]
    alpha, beta, gamma = kind[["alpha", "beta", "gamma"]].iloc[0]
    tokens_per_s = osl / throughput.seconds_per_request((alpha, beta, gamma), isl, osl)
    assert tokens_per_s == pytest.approx(published, rel=0.25)


def test_a_kind_has_coefficients_or_a_scale_and_its_basis_says_which(shipped):
    every = pd.concat([replicas.kinds(shipped, model) for model in shipped.table("models").index])
    assert set(every["basis"]) == {"fitted", "scaled", "roofline"}
    fitted = every["basis"] == "fitted"
    coefficients = every[["alpha", "beta", "gamma"]]
    assert coefficients[fitted].notna().all(axis=None)
    assert coefficients[~fitted].isna().all(axis=None)
    assert every["scale"][fitted].isna().all()
    assert (every["scale"][~fitted] > 0).all()


def test_a_kind_measured_once_reaches_at_that_shape_what_was_measured(shipped):
    # one point gives one factor on the roofline, so at the shape of the point the two agree
    points = replicas.measured_points(shipped)
    points = points[~points.duplicated(["model", "gpu", "gpus", "precision"], keep=False)]
    seen = 0
    for point in points.itertuples():
        rows = replicas.kinds(shipped, point.model)
        same = (rows["gpu"] == point.gpu) & (rows["gpus"] == point.gpus) & (rows["precision"] == point.precision)
        isl, osl = (np.array([[float(tokens)]]) for tokens in (point.input_tokens, point.output_tokens))
        level, engine = (np.array([[name]], object) for name in ("batch", "vllm"))
        seconds = replicas.rates(shipped, point.model, isl, osl, np.zeros((1, 1)), level, engine).seconds
        for kind in np.flatnonzero(same & np.isfinite(seconds[:, 0, 0])):  # not beside a kind with rows of the level
            assert rows.loc[kind, "basis"] == "scaled"
            reached = point.output_tokens / (seconds[kind, 0, 0] * replicas.reached_share(shipped, point.model, "vllm"))
            assert reached == pytest.approx(point.output_tokens_per_s)
            seen += 1
    assert seen


@pytest.mark.parametrize(("memory_gib", "most"), [(69.9, 256), (70, 1024), (80, 1024)])
def test_the_engine_caps_small_gpus_at_256_requests_and_large_ones_at_1024(tmp_path, memory_gib, most):
    # vLLM's max_num_seqs on GPUs below 70 GB, and from 70 GB on
    (tmp_path / "mine.csv").write_text(
        f"table,key,column,value,source,note\ngpus,h100,memory_gib,{memory_gib},estimate,for this test\n"
    )
    rows = replicas.kinds(facts.load(overrides=tmp_path / "mine.csv"), "llama-3.1-8b")
    assert set(rows.loc[rows["gpu"] == "h100", "max_sequences"]) == {most}


@pytest.mark.parametrize(("gpu", "most"), [("l4", 256), ("l40s", 256), ("h100", 1024), ("h200", 1024), ("b200", 1024)])
def test_requests_at_once_on_the_gpus_shipped(shipped, gpu, most):
    rows = replicas.kinds(shipped, "llama-3.1-8b")
    assert set(rows.loc[rows["gpu"] == gpu, "max_sequences"]) == {most}


# roofline

SHAPE = {
    "gpus": 1, "layers": 1, "hidden": 1000, "attention_width": 1000, "active_params_b": 1.0,
    "weights_gb": 2.0,
    "kv_bytes_per_token": 1e6, "tflops": 1.0, "bf16_tflops": 1.0, "bandwidth_gb_per_s": 1000.0,
    "link_gb_per_s": 1.0, "expert_share": 0.0, "experts_per_token_share": 0.0,
}  # fmt: skip
FITTED = {
    "prefill_mfu": 0.5, "decode_mfu": 0.5, "bandwidth_share": 1.0, "step_ms": 1.0, "sequence_us": 10.0,
    "link_latency_us": 5.0, "link_share": 0.5, "attention_mfu": 0.4,
}  # fmt: skip


def test_roofline_time_of_one_gpu_by_hand():
    # By hand: prompt 2e9 x 100 / (1e12 x 0.5) = 0.4 s; attention 2 x 1000 x 100^2 / (1e12 x 0.4) = 5e-5 s.
    # Step of 10: (2e9 + 10 x (100 + 50) x 1e6) / 1e12 = 3.5e-3; 2 x 1e9 x 10 / (1e12 x 0.5) = 0.04;
    # 1e-3 + 10 x 1e-5 = 1.1e-3; sum 0.0446 s. Request: 0.4 + 5e-5 + 100 x 0.0446 / 10 = 0.84605 s
    assert throughput.roofline(SHAPE, FITTED, 100, 100, 0.0).seconds(10) == pytest.approx(0.84605)


def test_roofline_time_of_two_gpus_adds_the_link():
    # By hand, halves of above: 0.2 s; 2.5e-5 s; step 1.75e-3 + 0.02 + 1.1e-3 = 0.02285 s.
    # Link: 2 x 1 x 4 x 1000 x (1/2) / (1e9 x 0.5) = 8e-6 s/token: 8e-4 s for the prompt, 8e-5 s a step;
    # latency 2 x 1 x 5e-6 = 1e-5 s a step. Step 0.02294 s.
    # Request: 0.2 + 2.5e-5 + 8e-4 + 10 x 0.02294 = 0.430225 s
    two = SHAPE | {"gpus": 2}
    assert throughput.roofline(two, FITTED, 100, 100, 0.0).seconds(10) == pytest.approx(0.430225)


def test_roofline_reads_only_the_experts_a_batch_touches():
    # By hand: half of 2 GB sits in experts, a token uses a half of them, two at once touch 1 - 0.5^2 = 0.75.
    # Read 2 x (1 - 0.5 x 0.25) = 1.75 GB, not 2: 0.25e9 / 1e12 = 2.5e-4 s less a step; 50 steps: 0.0125 s
    mixture = SHAPE | {"expert_share": 0.5, "experts_per_token_share": 0.5}
    dense = throughput.roofline(SHAPE, FITTED, 100, 100, 0.0).seconds(2)
    assert dense - throughput.roofline(mixture, FITTED, 100, 100, 0.0).seconds(2) == pytest.approx(0.0125)


def test_expert_shares_of_mixtral_by_hand():
    # By hand: one expert (46.7 - 12.88) / (8 - 2) = 5.63667 B; 8 of them / 46.7 = 0.965596; 2 of 8 used
    weights = pd.Series({"total_params_b": 46.7, "active_params_b": 12.88, "experts": 8, "experts_per_token": 2})
    shares = replicas.expert_shares(weights)
    assert shares["expert_share"] == pytest.approx(0.965596, rel=1e-5)
    assert shares["experts_per_token_share"] == 0.25


def _roofline_errors(shipped, points):
    """Relative error of the roofline at measured points; the published runs fill the memory."""
    errors = []
    for model, rows in points.groupby("model"):
        isl, osl = rows["input_tokens"].to_numpy(float), rows["output_tokens"].to_numpy(float)
        batch = np.maximum(1, throughput.sequences(rows["kv_gb"], rows["kv_bytes_per_token"], isl + osl, 4096))
        seconds = replicas.roofline_seconds(shipped, model, rows, batch, isl, osl, np.zeros(len(rows)))
        errors.append(np.abs(osl / seconds / rows["output_tokens_per_s"].to_numpy() - 1))
    return np.concatenate(errors)


def test_roofline_is_within_12_per_cent_of_the_dense_points(shipped):
    # TensorRT-LLM 1.0 on the four NVIDIA types that most machines have
    points = replicas.measured_points(shipped)
    dense = points[
        points["model"].str.startswith("llama-3")
        & points["gpu"].isin(["h100", "h200", "b200", "gb200"])
        & (points["engine_version"] == "1.0")
    ]
    errors = _roofline_errors(shipped, dense)
    assert len(errors) >= 80
    assert errors.mean() < 0.12


def test_roofline_is_within_35_per_cent_of_the_mixture_points(shipped):
    models = shipped.table("models")
    points = replicas.measured_points(shipped)
    mixtures = models.index[models["experts"] > 0]
    errors = _roofline_errors(shipped, points[points["model"].isin(mixtures)])
    assert len(errors) >= 80
    assert errors.mean() < 0.35


# service levels

MLPERF = [
    # MLPerf Inference v5.1 closed result logs
    # (mlcommons/inference_results_v5.1 @965182b0); offline, server, interactive [tokens/s]
    ("llama2-70b B200x8", 101527, 99123.04, 59545.45),  # 0.9763, 0.5865
    ("llama2-70b H200x8", 34548.2, 33163.34, 19621.88),  # 0.9599, 0.5680
    ("llama3.1-405b B200x8", 1624.11, 1240.42, 751.37),  # 0.7638, 0.4626
    ("llama3.1-8b B200x8", 136752, 128540.95, 102902.54),  # 0.9400, 0.7525
]


@pytest.mark.parametrize(("system", "offline", "server", "interactive"), MLPERF)
def test_derate_ranges_contain_what_mlperf_measured(shipped, system, offline, server, interactive):
    assumptions = shipped.table("assumptions")
    chat, quick = assumptions.loc["service.chat.derate"], assumptions.loc["service.interactive.derate"]
    assert chat["low"] <= server / offline <= chat["high"]
    # the ranges have two digits: half a percent of rounding
    assert quick["low"] - 0.005 <= interactive / offline <= quick["high"] + 0.005


def test_a_tighter_service_level_leaves_less_of_the_throughput(shipped):
    levels = BY_NAME["latency"].choices
    batch, slow, chat, quick = (shipped.value(f"service.{level}.derate") for level in levels)
    assert 1 >= batch > slow > chat > quick > 0
    none, *limits = (workload.limits(shipped, level) for level in levels)
    assert none == (np.inf, np.inf)
    assert limits == [(4000, 100), (2000, 50), (1000, 25)]  # ms


def _load(requests, **changes):
    one = {
        "live": 1.0, "input_tokens": 1000.0, "output_tokens": 1000.0, "cached_share": 0.0, "batch_share": 0.0,
        "spikiness": 2.0, "headroom_beta": 1.0615, "level": "batch", "engine": "vllm", "availability": 1,
    }  # fmt: skip
    columns = {
        k: np.array([[v]], object if isinstance(v, str) else float)
        for k, v in (one | {"requests": requests} | changes).items()
    }
    return workload.Load(**columns, curve=load_curve.Gamma(np.array([[0.4]])))


def test_busy_replicas_are_the_rate_times_the_seconds(shipped):
    # By hand: 2,628,000 requests a month are 1 a second, so busy replicas equal the seconds of a request
    need = replicas.needed(shipped, "llama-3.1-8b", _load(2_628_000.0))
    assert need.possible.any()
    every = np.arange(len(need.seconds))
    assert need.busy(every, np.zeros(len(every), int)) == pytest.approx(need.seconds)


def test_a_request_too_long_for_the_cache_is_not_possible(shipped):
    # By hand: Llama 3.1 8B, 8-bit cache 65,536 B/token; two million tokens need 131 GB, an L4 has 24
    need = replicas.needed(shipped, "llama-3.1-8b", _load(1e6, input_tokens=1e6, output_tokens=1e6))
    on_l4 = np.array(replicas.kinds(shipped, "llama-3.1-8b")["gpu"] == "l4")
    assert on_l4.any()
    assert not need.possible[on_l4].any()
