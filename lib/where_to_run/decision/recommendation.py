"""The recommendation: value on every criterion, weighted score and rank."""

from collections.abc import Mapping

import numpy as np

from ..formulas import scoring
from ..inputs.question import CRITERIA, PLACES, STREAMS
from ..units import Array
from .block import Question
from .rules import BLOCKED


def scored(question: Question, columns: dict[str, Array], place: Array, overflow: Array) -> None:
    """Value on every criterion, weighted score, rank and recommendation; what is blocked gets none."""
    facts, rows = question.facts, question.rows
    budget = np.maximum(1.0, rows["budget_usd_per_month"].astype(float))[:, None]
    deadline = np.maximum(1e-9, rows["weeks_to_launch"].astype(float))[:, None]
    values = {
        "cost": scoring.value(
            (columns["usd_per_month"] + columns["missed_usd_per_month"]) / budget,
            facts.value("anchor.cost.worst_share"),
            facts.value("anchor.cost.best_share"),
        ),
        "launch": scoring.value(columns["launch_weeks"], deadline, 0.0),
        "skills": scoring.value(columns["hires"], facts.value("anchor.hires.worst_fte"), 0.0),
    }
    for criterion in ("control", "elasticity", "freedom"):
        points = np.array([facts.value(f"{criterion}.{place}") for place in PLACES])
        weight = _what_counts(question, criterion)[:, None]
        values[criterion] = (weight * _points(points, criterion, question, columns, place, overflow)).sum(axis=2)
    columns["values"] = np.stack([np.asarray(values[c]) for c in CRITERIA], axis=2)
    orders = {
        order: scoring.weights([p for p in order.split(",") if p], CRITERIA)
        for order in dict.fromkeys(rows["priorities"])
    }
    columns["weights"] = np.repeat(
        np.stack([orders[order] for order in rows["priorities"]])[:, None], place.shape[1], axis=1
    )
    score = np.asarray(scoring.score(columns["values"], columns["weights"]))
    columns["score"] = np.where(columns["verdict"] == BLOCKED, np.nan, score)
    order = np.lexsort((columns["npv_usd"], -np.nan_to_num(columns["score"], nan=-1.0)), axis=1)
    rank = np.argsort(order, axis=1) + 1.0
    columns["rank"] = np.where(columns["verdict"] == BLOCKED, np.nan, rank)
    columns["recommended"] = columns["rank"] == 1


def _points(
    points: Array, criterion: str, question: Question, columns: Mapping[str, Array], place: Array, overflow: Array
) -> Array:
    """Points of every stream over (scenario, option, stream): those of its place, mixed with those of its overflow.

    A jump in demand goes to the overflow, so its elasticity counts; for the rest the share of the traffic that
    overflows does.
    """
    goes = overflow >= 0
    if criterion == "elasticity":
        return points[np.where(goes, overflow, place)]
    free = (question.shares[:, None] * goes).sum(axis=2)
    share = np.where(free > 0, columns["overflow_share"] / np.where(free > 0, free, 1.0), 0.0)
    mixed = np.clip(np.nan_to_num(share), 0, 1)[..., None] * goes
    return (1 - mixed) * points[place] + mixed * points[np.maximum(overflow, 0)]


def _what_counts(question: Question, criterion: str) -> Array:
    """Weight of each stream in a criterion: its share; for control the sensitive streams alone where there are any."""
    if criterion != "control":
        return question.shares
    sensitive = question.shares * np.array([data == "sensitive" for data, _ in STREAMS])
    some = sensitive.sum(axis=1, keepdims=True)
    return np.where(some > 0, sensitive / np.where(some > 0, some, 1.0), question.shares)
