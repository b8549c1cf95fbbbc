"""Spares: the machines that stand at a place beside those at work, against failures."""

from dataclasses import dataclass

import numpy as np

from ..formulas.availability import seen_through, unavailability
from ..inputs.facts import Facts, of_tables
from ..inputs.question import BY_NAME
from ..units import Array

NONE, BUSINESS_HOURS, AROUND_THE_CLOCK = range(len(BY_NAME["availability"].choices))
"""Positions of the availability asked."""

STAND_FROM = {"own_gpus": BUSINESS_HOURS, "rented_gpus": AROUND_THE_CLOCK}
"""From which availability on spares stand at a place; in business hours a cloud has a fresh machine."""

MOST = 4096
"""Spares that are counted at most, those of half a million machines."""


@dataclass(frozen=True)
class Spares:
    """What stands at a place from an availability on: `enough`, over (spare), are the most machines at work that so
    many spares see through; a machine is `unavailable` in that share of the time.
    """

    stand_from: int
    enough: Array
    unavailable: float

    def beside(self, machines: Array) -> Array:
        """Spare machines beside so many at work."""
        return np.searchsorted(self.enough, machines)


@of_tables
def spares(facts: Facts, place: str) -> Spares:
    """What data/assumptions.csv says of failures and repairs at a place."""
    failures, days = facts.value("spare.failures_per_machine"), facts.value(f"spare.repair_days.{place}")
    unavailable = unavailability(failures, days)
    enough = seen_through(np.arange(MOST), unavailable, facts.value("spare.availability"))
    return Spares(STAND_FROM[place], enough, unavailable)
