"""The recommendation: the allowed option whose generalised cost is least."""

from collections.abc import Mapping

import numpy as np

from ..formulas import scoring
from ..inputs.question import CRITERIA
from ..units import Array
from . import criteria
from .block import Question, team
from .option import least_cost
from .routing import Routing
from .rules import BLOCKED


def compared(question: Question, routing: Routing, figures: Mapping[str, Array]) -> dict[str, Array]:
    """What a routing is compared by: its `values` over (scenario, criterion) [share], its generalised cost [USD/month].

    The value of quality is that of the figures its streams are served with, by their traffic.
    """
    weeks, hires, spilled = (figures[name] for name in ("launch_weeks", "hires", "overflow_share"))
    values = _values(question, routing, weeks, hires, spilled)
    cost = scoring.generalised_cost(figures["level_usd_per_month"], question.premiums, values)
    return {"values": values, "generalised_usd_per_month": cost}


def at_least(question: Question, routing: Routing) -> tuple[Array, Array]:
    """The least generalised cost that a routing could have [USD/month], and weeks until it can start, by scenario."""
    hands = team(question, routing.uses(question.shares > 0))
    weeks = np.maximum(hands.people_weeks, hands.setup_weeks)
    # machines take more people, and what overflows may be anything up to all
    ends = [_values(question, routing, weeks, hands.hires, spilled) for spilled in (0.0, 1.0)]
    level = least_cost(question, routing) / question.annuity
    return scoring.generalised_cost(level, question.premiums, np.maximum(*ends)), weeks


def _values(question: Question, routing: Routing, weeks: Array, hires: Array, spilled: Array | float) -> Array:
    """Values over (scenario, criterion) [share]."""
    found = criteria.values(question.scales, question.shares, routing, weeks, hires, spilled)
    served = question.served(routing)
    found["quality"] = (question.shares * question.figures.points(question.families, served)).sum(axis=1)
    return np.stack([found[name] for name in CRITERIA], axis=1)


def ranked(columns: dict[str, Array]) -> None:
    """Rank by generalised cost and the recommendation; blocked ones get none. Of equals the first listed is first."""
    blocked = columns["verdict"] == BLOCKED
    cost = np.where(blocked, np.inf, np.nan_to_num(columns["generalised_usd_per_month"], nan=np.inf, posinf=np.inf))
    order = np.lexsort((_without_noise(columns["npv_usd"]), _without_noise(cost)), axis=1)
    columns["rank"] = np.where(blocked, np.nan, np.argsort(order, axis=1) + 1.0)
    columns["recommended"] = columns["rank"] == 1


def _without_noise(usd: Array) -> Array:
    """Amounts to some ten digits: the same routing, worked out twice, may differ in the last."""
    part, power = np.frexp(np.where(np.isinf(usd), 0.0, usd))
    return np.where(np.isinf(usd), usd, np.ldexp(np.round(part, 10), power))
