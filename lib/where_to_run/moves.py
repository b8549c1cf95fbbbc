"""Moves: what going from one way of running to another takes, in weeks, people, set-up and hardware."""

import numpy as np
import pandas as pd

from . import finance, people, staffing
from .facts import Facts
from .own_gpus import residual_curve
from .scenario import PLACES, SKILLS
from .staffing import ROUTING
from .units import Array, Number


def takes(scenario: pd.DataFrame, facts: Facts, before: Array, after: Array) -> tuple[Array, Array]:
    """Weeks until the places after serve, and what that costs besides hardware, over (before, after) [week], [USD].

    Both are whether each of PLACES is used, over (way, place), for a one-row scenario. Skills that were needed before
    are there; the others are trained or hired. A place is set up where it is new, routing where two are.
    """
    full, wages, pay, hiring = staffing.roles(facts)
    have = np.maximum(levels(scenario, facts, before), [scenario[f"skill_{area}"].iloc[0] for area in SKILLS])
    gap = people.gaps(levels(scenario, facts, after), have[:, None])
    new, mixed = after & ~before[:, None], (after.sum(axis=1) > 1) & (before.sum(axis=1) < 2)[:, None]
    weeks = (new * staffing.place_weeks(facts)).max(axis=-1) + mixed * facts.value(f"setup_weeks.{ROUTING}")
    usd = new @ np.array([facts.value(f"setup_usd.{place}") for place in PLACES])
    usd = usd + mixed * facts.value(f"setup_usd.{ROUTING}")
    usd = usd + people.cost_of_joining(gap, full, wages, pay, hiring)
    return np.maximum(weeks, people.weeks_to_fill(gap, hiring)), usd


def levels(scenario: pd.DataFrame, facts: Facts, used: Array) -> Array:
    """Levels of skill needed over (way, area) where places are used, over (way, place), for a one-row scenario."""
    row = scenario.iloc[0]
    deep = row["customisation"] != "prompting" and row["specialised_share"] > 0
    return staffing.needed(facts, used, np.full(len(used), deep))[0]


LOT = 6
"""Servers bought within so many months of each other count as of one age [month]."""


def lots(months: Array) -> Array:
    """The lot that servers bought in a month belong to: that of the nearest multiple of its months."""
    return np.floor(months / LOT + 0.5).astype(int)


def resale(facts: Facts, month: Number, lot: Array) -> Array:
    """Share of its price that a server of a lot, or of part of one, fetches in a month [share]."""
    return np.asarray(finance.share_left(np.maximum(0, month - LOT * lot), *residual_curve(facts)))


def bought_in(month: Array, owned: Array, lot: Array, owns: Array) -> Array:
    """The mean month in which servers were bought once a fleet of some has become one of others; 0 for none."""
    fresh = np.maximum(owns - owned, 0)
    mean = (owned * LOT * lot + fresh * month) / np.maximum(owned + fresh, 1)
    return np.where(owns > 0, mean, 0.0)
