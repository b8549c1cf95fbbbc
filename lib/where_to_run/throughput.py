"""Throughput: three coefficients fitted to published measurements, and how far off a held-out point is."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from .serving import seconds_per_request
from .units import Array

REPLICA = ["model", "gpu", "gpus", "precision"]
"""What makes two measurements speak of the same kind of replica."""

FEWEST_POINTS = 5
"""A fit needs this many points, so that one can be held out and more than three remain."""


def _terms(points: pd.DataFrame) -> Array:
    isl, osl = points["input_tokens"].to_numpy(float), points["output_tokens"].to_numpy(float)
    return np.stack([isl, osl, osl * (isl + osl)], axis=1)


def _coefficients(points: pd.DataFrame) -> Array:
    """alpha, beta, gamma of `seconds_per_request`, none negative, by least squares of the relative error."""
    measured = (points["output_tokens"] / points["output_tokens_per_s"]).to_numpy(float)
    solution: Array = nnls(_terms(points) / measured[:, None], np.ones(len(points)))[0]
    return solution


def _groups(points: pd.DataFrame) -> Iterator[tuple[tuple[str, str, float, str], pd.DataFrame]]:
    for key, group in points.groupby(REPLICA, sort=True):
        if len(group) >= FEWEST_POINTS:
            yield key, group


def fit(points: pd.DataFrame) -> pd.DataFrame:
    """One row per replica measured at five shapes or more: alpha, beta, gamma [s], number of points.

    Non-negative least squares on relative errors, t = alpha ISL + beta OSL + gamma OSL (ISL + OSL), where
    t = OSL / (output tokens/s). Fewer points are left to the roofline.
    """
    rows = [(*key, *_coefficients(group), len(group)) for key, group in _groups(points)]
    return pd.DataFrame(rows, columns=[*REPLICA, "alpha", "beta", "gamma", "points"])


def held_out_errors(points: pd.DataFrame) -> pd.DataFrame:
    """Each point predicted by a fit to the others of its replica: REPLICA, the shape, relative error [share]."""
    rows = []
    for key, group in _groups(points):
        for label, point in group.iterrows():
            alpha, beta, gamma = _coefficients(group.drop(index=label))
            isl, osl = point["input_tokens"], point["output_tokens"]
            predicted = osl / seconds_per_request((alpha, beta, gamma), isl, osl)
            rows.append((*key, isl, osl, predicted / point["output_tokens_per_s"] - 1))
    return pd.DataFrame(rows, columns=[*REPLICA, "input_tokens", "output_tokens", "error"])


def accuracy(points: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error of held-out points [share] and their number, by GPU and over all (`all`)."""
    errors = held_out_errors(points).assign(error=lambda e: e["error"].abs())
    by_gpu = errors.groupby("gpu")["error"].agg(["mean", "count"])
    by_gpu.loc["all"] = [errors["error"].mean(), len(errors)]
    return by_gpu.rename(columns={"mean": "mean_error", "count": "points"})
