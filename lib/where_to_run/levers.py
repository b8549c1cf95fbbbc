"""Levers: what a draw multiplies facts by, scenario by scenario; where nothing is drawn a lever is 1."""

from collections.abc import Mapping

import numpy as np

from .scenario import ScenarioError
from .units import Array

LEVERS = {
    "volume_drift": "volume, to the power of the square root of the month",
    "api_price": "prices of APIs, to the power of the years since the decision",
    "cloud_price": "what a cloud charges for machines, disks and egress",
    "throughput": "throughput, to the power of its spread (`throughput_sigma` of data/assumptions.csv)",
    "server_price": "prices of servers, and with them of their network, spare parts, maintenance and resale",
    "residual": "what servers fetch in the end",
    "pue": "power of the data centre over power of the computers",
    "electricity": "price of electricity",
    "wages": "wages of all roles",
    "ramp": "months from a first day at work to full output",
    "lead": "weeks from order to delivery of a server",
}
"""What each multiplies."""


class Levers(dict[str, Array]):
    """Levers drawn, by name: one value a scenario, 1 for those that are not."""

    def __missing__(self, name: str) -> float:
        return 1.0

    def column(self, name: str) -> Array | float:
        """A lever over (scenario, 1)."""
        return self[name][:, None] if name in self else 1.0

    def take(self, rows: Array) -> "Levers":
        """The levers of some of the scenarios."""
        return Levers({name: values[rows] for name, values in self.items()})


def levers(drawn: Mapping[str, Array], number: int) -> Levers:
    """Levers as given; refuses unknown names, and anything but one number above zero for each of some scenarios."""
    found = Levers({name: np.asarray(values, float) for name, values in drawn.items()})
    for name, values in found.items():
        if name not in LEVERS:
            raise ScenarioError(f"no lever {name!r}; there are: {', '.join(LEVERS)}")
        if values.shape != (number,) or not (np.isfinite(values) & (values > 0)).all():
            raise ScenarioError(f"{name}: give {number:,} numbers above 0, one a scenario")
    return found
