import numpy as np
import pandas as pd
import pytest

from where_to_run.formulas import throughput
from where_to_run.inputs import facts
from where_to_run.places import replicas

ALPHA, BETA, GAMMA = 2e-5, 3e-4, 4e-8
LENGTHS = [(128, 128), (1000, 1000), (128, 2048), (5000, 500), (2048, 128), (20000, 2000)]


def _points(lengths, gpu="h100"):
    """Points of a replica with known coefficients, tokens/s = OSL / seconds of a request, twice its roofline."""
    rows = [
        ("synthetic", gpu, 1, "fp8", isl, osl, osl / (ALPHA * isl + BETA * osl + GAMMA * osl * (isl + osl)))
        for isl, osl in lengths
    ]
    points = pd.DataFrame(rows, columns=[*throughput.REPLICA, "input_tokens", "output_tokens", "output_tokens_per_s"])
    return points.assign(roofline_tokens_per_s=points["output_tokens_per_s"] / 2)


def _times_the_roofline(*ratios):
    """Points of a replica at so many times the roofline, which differs from point to point."""
    points = _points(LENGTHS[: len(ratios)])
    return points.assign(roofline_tokens_per_s=points["output_tokens_per_s"] / np.array(ratios))


@pytest.fixture(scope="module")
def shipped():
    return replicas.measured_points(facts.load())


def test_the_fit_recovers_known_coefficients():
    (fitted,) = throughput.fits(_points(LENGTHS)).to_dict("records")
    assert fitted["basis"] == "fitted"
    assert fitted["alpha"] == pytest.approx(ALPHA, rel=1e-6)
    assert fitted["beta"] == pytest.approx(BETA, rel=1e-6)
    assert fitted["gamma"] == pytest.approx(GAMMA, rel=1e-6)
    assert np.isnan(fitted["scale"])


def test_five_points_are_fitted_and_four_are_scaled():
    # By hand: all four points at twice the roofline, so the scale is 2
    (five,) = throughput.fits(_points(LENGTHS[:5])).to_dict("records")
    (four,) = throughput.fits(_points(LENGTHS[:4])).to_dict("records")
    assert (five["basis"], four["basis"]) == ("fitted", "scaled")
    assert np.isnan([four[name] for name in ("alpha", "beta", "gamma")]).all()
    assert four["scale"] == pytest.approx(2)


def test_each_replica_is_fitted_on_its_own():
    # 5 points on one GPU type, 4 on another: nine points, one fit and one scale
    both = pd.concat([_points(LENGTHS[:5], "h100"), _points(LENGTHS[:4], "h200")], ignore_index=True)
    assert throughput.fits(both).set_index("gpu")["basis"].to_dict() == {"h100": "fitted", "h200": "scaled"}


def test_a_scale_is_the_geometric_mean_of_measured_over_roofline():
    # By hand: sqrt(2 x 8) = 4
    (scaled,) = throughput.fits(_times_the_roofline(2, 8)).to_dict("records")
    assert scaled["basis"] == "scaled"
    assert scaled["scale"] == pytest.approx(4)


def test_a_held_out_point_of_a_scaled_replica_is_predicted_by_the_others():
    # By hand: 8 from the other against 2 measured is 8 / 2 - 1 = +3; 2 against 8 is 2 / 8 - 1 = -0.75
    errors = throughput.held_out_errors(_times_the_roofline(2, 8)).set_index(["input_tokens", "output_tokens"])["error"]
    assert errors[LENGTHS[0]] == pytest.approx(3)
    assert errors[LENGTHS[1]] == pytest.approx(-0.75)


def test_a_held_out_point_of_three_is_predicted_by_the_mean_of_two():
    # By hand: sqrt(8 x 2) = 4 against 1: +3; sqrt(1 x 2) against 8: sqrt(2) / 8 - 1; sqrt(1 x 8) against 2: sqrt(2) - 1
    errors = throughput.held_out_errors(_times_the_roofline(1, 8, 2))["error"]
    assert list(errors) == pytest.approx([3, 2**0.5 / 8 - 1, 2**0.5 - 1])


def test_a_replica_measured_once_is_scaled_but_not_held_out():
    once = _times_the_roofline(3)
    (scaled,) = throughput.fits(once).to_dict("records")
    assert scaled["basis"] == "scaled"
    assert scaled["scale"] == pytest.approx(3)
    assert throughput.held_out_errors(once).empty
    # among others: 6 + 2 points are held out, the single one is not
    among = pd.concat([_points(LENGTHS), _times_the_roofline(2, 8).assign(gpu="h200"), once.assign(gpu="l4")])
    assert dict(throughput.accuracy(among.reset_index(drop=True))["points"]) == {"h100": 6, "h200": 2, "all": 8}


def test_a_held_out_point_of_an_exact_law_has_no_error():
    errors = throughput.held_out_errors(_points(LENGTHS))
    assert len(errors) == 6
    assert errors["error"].abs().max() < 1e-6


def test_a_point_published_at_half_the_speed_is_predicted_twice_too_fast():
    # By hand: the other points follow the law, so the true rate is predicted, twice the published: error +1
    points = _points(LENGTHS)
    points.loc[1, "output_tokens_per_s"] /= 2
    errors = throughput.held_out_errors(points).set_index(["input_tokens", "output_tokens"])["error"]
    assert errors[(1000, 1000)] == pytest.approx(1.0, rel=1e-6)


def test_accuracy_averages_the_size_of_the_errors_by_gpu():
    table = throughput.accuracy(pd.concat([_points(LENGTHS, "h100"), _points(LENGTHS[:5], "h200")], ignore_index=True))
    assert dict(table["points"]) == {"h100": 6, "h200": 5, "all": 11}
    assert table["mean_error"].max() < 1e-6


def test_no_coefficient_is_negative(shipped):
    found = throughput.fits(shipped)
    fitted = found["basis"] == "fitted"
    assert fitted.any()
    assert (found.loc[fitted, ["alpha", "beta", "gamma"]] >= 0).all(axis=None)
    assert (found.loc[~fitted, "scale"] > 0).all()


def test_every_replica_measured_has_one_row(shipped):
    found = throughput.fits(shipped)
    assert len(found) == len(shipped[throughput.REPLICA].drop_duplicates())
    assert not found.duplicated(throughput.REPLICA).any()


def test_held_out_points_are_predicted_within_15_per_cent_on_average(shipped):
    table = throughput.accuracy(shipped)
    print("\nerror of held-out points [%] by GPU\n", table.assign(mean_error=100 * table["mean_error"]).round(1))
    assert table.loc["all", "mean_error"] < 0.15
    assert table.loc["all", "points"] == table["points"].drop("all").sum()


def test_at_least_150_points_of_six_gpu_types_are_measured(shipped):
    assert len(shipped) >= 150
    assert shipped["gpu"].nunique() >= 6


def _served(gpu, gpus, measured, modelled, **changes):
    """A point of 1,000 tokens in and out at the level chat."""
    point = {"model": "m", "gpu": gpu, "gpus": gpus, "precision": "fp8", "engine": "vllm", "input_tokens": 1000}
    point |= {"output_tokens": 1000, "service_level": "chat", "output_tokens_per_s": measured, "concurrency": 64}
    return point | {"modelled_tokens_per_s": modelled} | changes


def test_a_point_left_out_is_predicted_by_the_model_times_what_others_are_off_it():
    # By hand: measured over modelled 0.5, 0.8, 2 on two sizes of a GPU type and on another. The first with the anchor
    # of the second 0.8 / 0.5 - 1 = 0.6, without 2 / 0.5 - 1 = 3; the third has no other on its type, and without
    # anchor the median of 0.5 and 0.8: 0.65 / 2 - 1 = -0.675
    points = pd.DataFrame([_served("h100", 1, 50, 100), _served("h100", 2, 80, 100), _served("h200", 1, 200, 100)])
    found = throughput.left_out(points)
    np.testing.assert_allclose(found["with_anchor"], [0.6, 0.5 / 0.8 - 1, np.nan])
    np.testing.assert_allclose(found["without"], [3, 2 / 0.8 - 1, -0.675])


def test_another_level_of_the_same_size_and_shape_is_no_anchor_and_the_same_run_of_two_models_counts_once():
    level, twin = {"service_level": "batch", "output_tokens_per_s": 70}, {"model": "n"}
    points = pd.DataFrame([_served("h100", 1, 50, 100), _served("h100", 1, 50, 100, **level)])
    points = pd.concat([points, pd.DataFrame([_served("h100", 1, 50, 100, **twin)])])
    found = throughput.left_out(points)
    assert found["with_anchor"].isna().all()
    assert len(found) == 2


def test_modelled_rows_are_as_near_as_their_spread_says():
    rows = facts.load().table("throughput")
    for by in (["engine"], ["engine", "model"], ["service_level"]):
        print("\nerror of what is left out [%]\n", (100 * throughput.modelled_accuracy(rows, *by)).round(0).to_string())
    errors = throughput.left_out(rows)
    made = rows.loc[rows["basis"] != "measured", ["model", "engine"]].drop_duplicates()
    errors = errors.merge(made)  # what the model does badly has no rows
    limited = errors[errors["service_level"] != "batch"]
    assert errors["with_anchor"].abs().median() <= 0.15
    assert limited["without"].abs().median() <= 0.25
    assert limited["without"].abs().quantile(0.9) <= 0.80


def test_rows_at_a_service_level_obey_littles_law():
    # requests at once = rate x time in the system: tokens/s / OSL x (time to first token + OSL x time per token)
    rows = facts.load().table("throughput").dropna(subset="concurrency")
    held = rows["output_tokens_per_s"] * (rows["ttft_ms"] / rows["output_tokens"] + rows["tpot_ms"]) / 1000
    measured = rows["basis"] == "measured"
    assert np.log(held / rows["concurrency"])[measured].abs().quantile(0.99) < 0.1
    assert np.log(held / rows["concurrency"]).abs().median() < 0.1


def test_a_request_of_a_points_own_lengths_is_that_points_alone():
    # By hand: between two points a factor of e and of e squared away in both lengths: 1 / 2 against 1 / 8, so 0.8
    points = np.array([[[0.0, 0.0], [3.0, 3.0], [np.nan, np.nan]]])
    found = throughput.nearness(points, np.array([[0.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_allclose(found[0], [[1, 0, 0], [0.8, 0.2, 0]], atol=1e-6)


def test_requests_at_once_are_as_many_as_get_their_token_in_time():
    # By hand: fixed 1 ms, weights 5 ms, 0.1 ms each and a prompt of 40 ms over 100 tokens, 0.4 ms: (20 - 6) / 0.5 = 28
    roofline = throughput.Roofline(0.040, 0.001, 0.0001, 0.005, 0.0, 0.0, 100)
    assert roofline.within(0.020, 256) == pytest.approx(28)
    assert roofline.within(0.020, 16) == 16
    assert roofline.within(0.00651, 256) == pytest.approx(1.02)
    assert roofline.within(0.00649, 256) == 0
    assert roofline.within(np.inf, 256) == 256


def test_a_mixture_reads_the_experts_that_so_many_requests_at_once_touch():
    # By hand: half of 8 ms in experts, half of them a token's: two at once read 8 x (1 - 0.5 x 0.25) = 7 ms, and with
    # 1 ms fixed and 0.5 ms each take 9 ms a token; one alone 6 + 1 + 0.5 = 7.5
    mixture = throughput.Roofline(0.0, 0.001, 0.0005, 0.008, 0.5, 0.5, 100)
    assert mixture.within(0.009, 256) == pytest.approx(2, rel=0.02)
    assert mixture.within(0.0075001, 256) == pytest.approx(1, rel=0.02)
    assert mixture.within(0.0074, 256) == 0
    assert mixture.within(np.inf, 256) == 256
