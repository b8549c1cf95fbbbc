"""Moves: ways of running one after another, and what going from one to the next takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from . import finance, people, staffing
from .facts import Facts
from .own_gpus import residual_curve
from .routings import API, TITLES
from .scenario import PLACES, SKILLS, columns
from .staffing import ROUTING
from .units import Array, Number

WAITING = "waiting"
"""In place of an option: nothing of the team's own runs until its first servers are delivered."""

NAMED = TITLES | {WAITING: "Waiting for own servers"}
"""What a stage without own servers is, in words."""


class Stage(NamedTuple):
    """A way of running: the option it is, whether each of PLACES is used, the API offer called, and its own servers,
    whose bursts go to the other place.
    """

    option: str
    used: tuple[bool, ...]
    api: str = ""
    servers: int = 0

    @property
    def words(self) -> str:
        """The stage in words."""
        if not self.servers:
            return NAMED[self.option] + (f" ({self.api})" if self.api else "")
        to = f", bursts to {self.api or 'rented machines'}" if sum(self.used) > 1 else ""
        return f"{self.servers:,} own server{'s' * (self.servers > 1)}{to}"


NOTHING = Stage("", (False,) * len(PLACES))
"""Before anything runs."""


def takes(
    scenario: pd.DataFrame, facts: Facts, before: Sequence[Stage], after: Sequence[Stage]
) -> tuple[Array, Array, Array]:
    """Weeks until a stage after serves, what that costs besides hardware, and whether a place is new, over (before,
    after) [week], [USD], for a one-row scenario.

    Skills that were needed before are there; the others are trained or hired. A place is set up where it is new, and
    so is the API of another vendor; routing where two places are used and were not before.
    """
    full, wages, pay, hiring = staffing.roles(facts)
    rows, used = columns(scenario), [np.array([stage.used for stage in some]) for some in (before, after)]
    needed = [staffing.needed(facts, places, rows)[0] for places in used]
    have = np.maximum(needed[0], [rows[f"skill_{area}"][0] for area in SKILLS])
    gap = people.gaps(needed[1], have[:, None])
    new, mixed = used[1] & ~used[0][:, None], (used[1].sum(axis=1) > 1) & (used[0].sum(axis=1) < 2)[:, None]
    new[..., API] = [[there.api not in ("", here.api) for there in after] for here in before]
    weeks = (new * staffing.place_weeks(facts)).max(axis=-1) + mixed * facts.value(f"setup_weeks.{ROUTING}")
    usd = new @ np.array([facts.value(f"setup_usd.{place}") for place in PLACES])
    usd = usd + mixed * facts.value(f"setup_usd.{ROUTING}")
    usd = usd + people.cost_of_joining(gap, full, wages, pay, hiring)
    return np.maximum(weeks, people.weeks_to_fill(gap, hiring)), usd, new.any(axis=-1)


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
