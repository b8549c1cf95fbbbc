"""Workload: the demand on a place by scenario and month, and the curve that its spikiness gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..formulas import demand, load_curve, queueing
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts, of_tables
from ..inputs.question import BY_NAME
from ..units import SECONDS_PER_MS, Array


@dataclass(frozen=True)
class Load:
    """Demand on one place. Arrays over (scenario, month 0..H), or (scenario, 1) for what stays the same all along.

    `requests` counts all requests of a month [request/month]; `live` is 1 in the months of the horizon and 0 in
    month 0, the day of the decision, and after the horizon. Where it is 0 there are no requests. `curve` tells how
    the hours of a month spread about their mean; `level` is the service level, `engine` the serving software.
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
    spare_replicas: Array
    level: Array
    engine: Array

    def take(self, rows: Array) -> "Load":
        """The same demand in some of the scenarios."""
        columns = [name for name in self.__dataclass_fields__ if name != "curve"]
        return replace(self, curve=self.curve.take(rows), **{name: getattr(self, name)[rows] for name in columns})

    def at(self, months: Array) -> "Load":
        """The same demand in some of the months."""
        return replace(self, requests=self.requests[:, months], live=self.live[:, months])

    def part(self, share: Array) -> "Load":
        """The same demand thinned to a share of its requests, one share a scenario."""
        return replace(self, requests=self.requests * share[:, None])


def load_of(facts: Facts, rows: Mapping[str, Array], curve: Curve | None) -> Load:
    """Demand of scenarios given as columns, with a curve in place of the Gamma laws of their spikiness."""
    months = np.arange(int(rows["horizon_months"].max()) + 1)
    column = {name: np.asarray(rows[name], float)[:, None] for name in (*AS_ASKED, *MADE_INTO_MONTHS)}
    live = ((months >= 1) & (months <= column["horizon_months"])).astype(float)
    requests = demand.monthly_requests(column["requests_per_month"], column["growth_per_month"], months)
    requests = requests * facts.factor("volume_drift") ** np.sqrt(months)
    if curve is None:
        curve = load_curve.Gamma(np.asarray(load_curve.cv_from_spikiness(column["spikiness"])))
    else:
        peak = curve.level(np.full((1, 1), 1 - load_curve.PEAK_QUANTILE), np.zeros(1, np.intp))
        column["spikiness"] = np.broadcast_to(peak, column["spikiness"].shape)
    return Load(
        requests=np.asarray(requests) * live,
        live=live,
        curve=curve,
        **service_levels(facts, rows["latency"]),
        level=np.asarray(rows["latency"], object)[:, None],
        engine=np.asarray(rows["engine"], object)[:, None],
        **{name: column[name] for name in AS_ASKED},
    )


AS_ASKED = ("input_tokens", "output_tokens", "cached_share", "batch_share", "spikiness")
MADE_INTO_MONTHS = ("requests_per_month", "growth_per_month", "horizon_months")


def service_levels(facts: Facts, latency: Array) -> dict[str, Array]:
    """Headroom and spare replicas of the service level each scenario asks for, over (scenario, 1)."""
    known = _service_levels(facts)
    return {name: np.array([of[level] for level in latency])[:, None] for name, of in known.items()}


@of_tables
def _service_levels(facts: Facts) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {"headroom_beta": {}, "spare_replicas": {}}
    for level in BY_NAME["latency"].choices:
        found["headroom_beta"][level] = float(queueing.headroom_beta(facts.value(f"service.{level}.wait_probability")))
        found["spare_replicas"][level] = facts.value(f"service.{level}.spare_replicas")
    return found


def limits(facts: Facts, level: str) -> tuple[float, float]:
    """Longest time to the first token and per token after it that a service level allows [ms]; batch has none."""
    ttft, tpot = (facts.values.get(f"service.{level}.{name}_ms", np.inf) for name in ("ttft", "tpot"))
    return ttft, tpot


def level_words(facts: Facts, level: str) -> str:
    """A service level with the times it allows, in words."""
    ttft, tpot = limits(facts, level)
    if np.isinf(tpot):
        return f"{level}: no limit on time"
    return f"{level}: first token within {ttft * SECONDS_PER_MS:g} s, then {tpot:g} ms a token"
