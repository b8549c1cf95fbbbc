"""Workload: the demand on a place by scenario and month, and what is drawn for each scenario."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..formulas import demand, load_curve, queueing
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts
from ..inputs.question import BY_NAME, ScenarioError
from ..units import Array

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


@dataclass(frozen=True)
class Load:
    """Demand on one place. Arrays over (scenario, month 0..H), or (scenario, 1) for what stays the same all along.

    `requests` counts all requests of a month [request/month]; `live` is 1 in the months of the horizon and 0 in
    month 0, the day of the decision, and after the horizon. Where it is 0 there are no requests. `curve` tells how
    the hours of a month spread about their mean, `levers` what is drawn for each scenario.
    """

    requests: Array
    live: Array
    input_tokens: Array
    output_tokens: Array
    cached_share: Array
    batch_share: Array
    spikiness: Array
    curve: Curve
    headroom_beta: Array
    derate: Array
    spare_replicas: Array
    levers: Levers = field(default_factory=Levers)

    def take(self, rows: Array) -> "Load":
        """The same demand in some of the scenarios."""
        own = {name: getattr(self, name).take(rows) for name in ("curve", "levers")}
        columns = [name for name in self.__dataclass_fields__ if name not in own]
        return replace(self, **own, **{name: getattr(self, name)[rows] for name in columns})

    def at(self, months: Array) -> "Load":
        """The same demand in some of the months."""
        return replace(self, requests=self.requests[:, months], live=self.live[:, months])

    def distinct(self) -> Array:
        """Positions of scenarios that between them have every size of request and service level there is."""
        asked = [self.input_tokens, self.output_tokens, self.cached_share, self.headroom_beta, self.derate]
        asked += [self.levers["throughput"][:, None]] if "throughput" in self.levers else []
        columns = np.concatenate([*asked, self.spare_replicas], axis=1)
        first: Array = np.unique(columns, axis=0, return_index=True)[1]
        return first

    def part(self, share: Array) -> "Load":
        """The same demand thinned to a share of its requests, one share a scenario."""
        return replace(self, requests=self.requests * share[:, None])


def load_of(facts: Facts, rows: Mapping[str, Array], curve: Curve | None, levers: Levers) -> Load:
    """Demand of scenarios given as columns, with a curve in place of the Gamma laws of their spikiness."""
    months = np.arange(int(rows["horizon_months"].max()) + 1)
    column = {name: np.asarray(rows[name], float)[:, None] for name in (*AS_ASKED, *MADE_INTO_MONTHS)}
    live = ((months >= 1) & (months <= column["horizon_months"])).astype(float)
    requests = demand.monthly_requests(column["requests_per_month"], column["growth_per_month"], months)
    if "volume_drift" in levers:
        requests = requests * levers.column("volume_drift") ** np.sqrt(months)
    if curve is None:
        curve = load_curve.Gamma(np.asarray(demand.cv_from_spikiness(column["spikiness"])))
    else:
        peak = curve.level(np.full((1, 1), 1 - demand.PEAK_QUANTILE), np.zeros(1, np.intp))
        column["spikiness"] = np.broadcast_to(peak, column["spikiness"].shape)
    return Load(
        requests=np.asarray(requests) * live,
        live=live,
        curve=curve,
        headroom_beta=_by_level(facts, rows["latency"], "wait_probability", queueing.headroom_beta),
        derate=_by_level(facts, rows["latency"], "derate"),
        spare_replicas=_by_level(facts, rows["latency"], "spare_replicas"),
        levers=levers,
        **{name: column[name] for name in AS_ASKED},
    )


AS_ASKED = ("input_tokens", "output_tokens", "cached_share", "batch_share", "spikiness")
MADE_INTO_MONTHS = ("requests_per_month", "growth_per_month", "horizon_months")

LEVELS = tuple(BY_NAME["latency"].choices)


def _by_level(facts: Facts, latency: Array, name: str, make: Callable[[float], Any] = float) -> Array:
    """A figure of the service level each scenario asks for, over (scenario, 1)."""
    values = facts.cached(("level", name), lambda: {v: make(facts.value(f"service.{v}.{name}")) for v in LEVELS})
    return np.array([values[level] for level in latency])[:, None]
