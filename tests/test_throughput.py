import pandas as pd
import pytest

from where_to_run import facts, throughput

ALPHA, BETA, GAMMA = 2e-5, 3e-4, 4e-8
LENGTHS = [(128, 128), (1000, 1000), (128, 2048), (5000, 500), (2048, 128), (20000, 2000)]


def _points(lengths, gpu="h100"):
    """Points of a replica with known coefficients, tokens/s = OSL / seconds of a request."""
    rows = [
        ("synthetic", gpu, 1, "fp8", isl, osl, osl / (ALPHA * isl + BETA * osl + GAMMA * osl * (isl + osl)))
        for isl, osl in lengths
    ]
    return pd.DataFrame(rows, columns=[*throughput.REPLICA, "input_tokens", "output_tokens", "output_tokens_per_s"])


@pytest.fixture(scope="module")
def shipped():
    return facts.load().table("throughput")


def test_the_fit_recovers_known_coefficients():
    fitted = throughput.fit(_points(LENGTHS)).iloc[0]
    assert fitted["alpha"] == pytest.approx(ALPHA, rel=1e-6)
    assert fitted["beta"] == pytest.approx(BETA, rel=1e-6)
    assert fitted["gamma"] == pytest.approx(GAMMA, rel=1e-6)
    assert fitted["points"] == 6


def test_five_points_are_fitted_and_four_are_not():
    assert len(throughput.fit(_points(LENGTHS[:5]))) == 1
    assert throughput.fit(_points(LENGTHS[:4])).empty


def test_each_replica_is_fitted_on_its_own():
    # 5 points on one GPU type, 4 on another: nine points, one fit
    both = pd.concat([_points(LENGTHS[:5], "h100"), _points(LENGTHS[:4], "h200")], ignore_index=True)
    assert list(throughput.fit(both)["gpu"]) == ["h100"]


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
    fitted = throughput.fit(shipped)
    assert (fitted[["alpha", "beta", "gamma"]] >= 0).all(axis=None)


def test_held_out_points_are_predicted_within_15_per_cent_on_average(shipped):
    table = throughput.accuracy(shipped)
    print("\nerror of held-out points [%] by GPU\n", table.assign(mean_error=100 * table["mean_error"]).round(1))
    assert table.loc["all", "mean_error"] < 0.15
    assert table.loc["all", "points"] == table["points"].drop("all").sum()


def test_at_least_150_points_of_six_gpu_types_are_measured(shipped):
    assert len(shipped) >= 150
    assert shipped["gpu"].nunique() >= 6
