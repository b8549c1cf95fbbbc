"""Moves: what going from one way of running to another takes, in weeks, people, set-up and hardware."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Server:
    """The server a scenario would buy: its name, its price with all that comes with it, and that its resale goes by
    [USD].
    """

    name: str = ""
    bought_usd: float = 0.0
    price_usd: float = 0.0

    def fetches(self, facts: Facts, month: Number, lot: Array) -> Array:
        """What one of a lot, or part of a lot, is sold for in a month [USD]."""
        age = np.maximum(0, month - LOT * lot)
        return self.price_usd * np.asarray(finance.share_left(age, *residual_curve(facts)))


def lots(months: Number) -> Array:
    """The lot that servers bought in a month belong to: that of the nearest multiple of its months."""
    return np.floor(np.asarray(months) / LOT + 0.5).astype(int)


def hardware(
    facts: Facts, server: Server, fleet: tuple[Array, Array, Array], discount: float, months: int
) -> tuple[Array, Array]:
    """What it costs to go from some servers of a lot to others in each month, over (month, move) [USD], and their lot.

    `fleet` is, over (move), how many there were, their lot, and how many there are then. They count as bought in their
    mean month; what rounding it to a lot adds to their worth at the end is paid here, so no month is better to buy in.
    """
    owned, lot, owns = fleet
    month, fresh = np.arange(months)[:, None], np.maximum(owns - owned, 0)
    mean = np.where(owns > 0, (owned * LOT * lot + fresh * month) / np.maximum(owned + fresh, 1), 0.0)
    rounded = server.fetches(facts, months, lots(mean)) - server.fetches(facts, months, mean / LOT)
    sold = np.maximum(owned - owns, 0) * server.fetches(facts, month, lot)
    return fresh * server.bought_usd - sold + owns * rounded * discount ** (months - month), lots(mean)
