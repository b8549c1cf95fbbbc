"""Throughput: what published measurements of a replica say, and how far off a held-out point is."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from .serving import seconds_per_request
from .units import Array

REPLICA = ["model", "gpu", "gpus", "precision"]
"""What makes two measurements speak of the same kind of replica."""

COEFFICIENTS = ["alpha", "beta", "gamma"]

FITTED, SCALED = "fitted", "scaled"
"""How throughput is known: fitted to five measured points or more, a roofline scaled to fewer."""

FEWEST_POINTS = 5
"""Three coefficients are fitted to this many points or more, so that one can be held out and more than three remain."""


def _coefficients(points: pd.DataFrame) -> Array:
    """alpha, beta, gamma of `seconds_per_request`, none negative, by least squares of the relative error."""
    isl, osl = points["input_tokens"].to_numpy(float), points["output_tokens"].to_numpy(float)
    measured = osl / points["output_tokens_per_s"].to_numpy(float)
    terms = np.stack([isl, osl, osl * (isl + osl)], axis=1)
    solution: Array = nnls(terms / measured[:, None], np.ones(len(points)))[0]
    return solution


def _scale(points: pd.DataFrame) -> float:
    """Geometric mean of measured over roofline throughput."""
    return float(np.exp(np.log(points["output_tokens_per_s"] / points["roofline_tokens_per_s"]).mean()))


def _groups(points: pd.DataFrame) -> Iterator[tuple[tuple[str, str, float, str], pd.DataFrame]]:
    yield from points.groupby(REPLICA, sort=True)


def fits(points: pd.DataFrame) -> pd.DataFrame:
    """One row per replica measured: REPLICA, basis, alpha, beta, gamma [s], scale [ratio].

    With five points or more t = alpha ISL + beta OSL + gamma OSL (ISL + OSL), t = OSL / (output tokens/s), by
    non-negative least squares on relative errors (`fitted`). With fewer the roofline times one factor, the geometric
    mean of measured over `roofline_tokens_per_s` (`scaled`).
    """
    rows = []
    for key, group in _groups(points):
        enough = len(group) >= FEWEST_POINTS
        found = (FITTED, *_coefficients(group), np.nan) if enough else (SCALED, *[np.nan] * 3, _scale(group))
        rows.append((*key, *found))
    return pd.DataFrame(rows, columns=[*REPLICA, "basis", *COEFFICIENTS, "scale"])


def held_out_errors(points: pd.DataFrame) -> pd.DataFrame:
    """Each point predicted from the others of its replica: the points, `predicted` [token/s] and `error` [share].

    A replica measured once is left out: nothing remains to predict its point from.
    """
    predicted = {}
    for _, group in _groups(points):
        for label, point in group.iterrows() if len(group) > 1 else ():
            isl, osl, others = point["input_tokens"], point["output_tokens"], group.drop(index=label)
            if len(group) >= FEWEST_POINTS:
                alpha, beta, gamma = _coefficients(others)
                predicted[label] = osl / seconds_per_request((alpha, beta, gamma), isl, osl)
            else:
                predicted[label] = _scale(others) * point["roofline_tokens_per_s"]
    found = points.loc[list(predicted)].assign(predicted=list(predicted.values()))
    return found.assign(error=found["predicted"] / found["output_tokens_per_s"] - 1)


def accuracy(points: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error of held-out points [share] and their number, by GPU and over all (`all`)."""
    errors = held_out_errors(points).assign(error=lambda e: e["error"].abs())
    by_gpu = errors.groupby("gpu")["error"].agg(["mean", "count"])
    by_gpu.loc["all"] = [errors["error"].mean(), len(errors)]
    return by_gpu.rename(columns={"mean": "mean_error", "count": "points"})
