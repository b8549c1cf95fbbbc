"""Workload: the demand on a place by scenario and month, and the curve that its spikiness gives it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..formulas import demand, load_curve, queueing
from ..formulas.load_curve import Curve
from ..inputs.facts import Facts, of_tables
from ..inputs.question import AROUND_THE_CLOCK, BY_NAME
from ..units import HOURS_PER_WEEK, SECONDS_PER_HOUR, SECONDS_PER_MINUTE, SECONDS_PER_MS, Array

STEPS = 24
"""Levels of the known load that machines follow, even parts of its highest; between two they stand for the upper."""


@dataclass(frozen=True)
class Clock:
    """Machines that are started ahead of the hours in which a load is known to come, and off in the others.

    The known load is at or above each of some `levels`, over its highest (level), in a share `on` of the hours, and
    `paid` is that share with the starts, over (scenario or 1, level). `curve` is the law of the load without the known
    part, and `peak` its busiest hours over the mean load (scenario, 1). `may` says where any machine may be off,
    `always` where somebody must answer then, by scenario.
    """

    curve: Curve
    peak: Array
    levels: Array
    on: Array
    paid: Array
    may: Array
    always: Array

    def take(self, rows: Array) -> "Clock":
        """The same in some of the scenarios."""
        by_row = {name: getattr(self, name)[rows] for name in ("peak", "may", "always")}
        some = {name: getattr(self, name)[rows % len(getattr(self, name))] for name in ("on", "paid")}
        return replace(self, curve=self.curve.take(rows), **by_row, **some)

    @property
    def running(self) -> Array:
        """Share of the hours in which a machine runs on average, over (scenario, 1)."""
        mean = (np.diff(self.levels, prepend=0.0) * self.on).sum(axis=1, keepdims=True)
        return np.broadcast_to(mean, self.peak.shape)


def clock_of(facts: Facts, rows: Mapping[str, Array], curve: Curve, spikiness: Array) -> Clock | None:
    """By the hours in use that are asked, or by what the hour of the week tells of a measured curve; None where no
    machine may be off.
    """
    if curve.in_use is None and isinstance(curve, load_curve.Gamma):
        return None
    ahead = facts.value("autoscale.start_minutes") * SECONDS_PER_MINUTE / SECONDS_PER_HOUR
    if isinstance(curve, load_curve.Gamma):
        levels, peak = np.ones(1), spikiness
        hours = np.asarray(rows["hours_per_week"], float)[:, None]
        starts: Array | float = facts.value("clock.starts_per_week")
    else:
        week = curve.week
        step = np.ceil(week.known / week.known.max() * STEPS - 1e-9)
        kept = np.unique(step[step > 0])
        over = step >= kept[:, None]
        levels, hours = kept / STEPS, over.sum(axis=1)[None]
        starts = (over & ~np.roll(over, 1, axis=1)).sum(axis=1)[None]
        peak = np.broadcast_to(week.peak, spikiness.shape)
        curve = load_curve.Gamma(
            np.broadcast_to(week.cv, spikiness.shape), np.full(spikiness.shape, week.known.mean() / week.known.max())
        )
    on, paid = hours / HOURS_PER_WEEK, np.minimum(1.0, (hours + starts * ahead) / HOURS_PER_WEEK)
    may = np.broadcast_to((on < 1).any(axis=1), len(spikiness))
    return Clock(curve, peak, levels, on, paid, may, rows["availability"] == AROUND_THE_CLOCK)


@dataclass(frozen=True)
class Load:
    """Demand on one place. Arrays over (scenario, month 0..H), or (scenario, 1) for what stays the same all along.

    `requests` counts all requests of a month [request/month]; `live` is 1 in the months of the horizon and 0 in
    month 0, the day of the decision, and after the horizon. Where it is 0 there are no requests. `curve` tells how
    the hours of a month spread about their mean, `level` is the service level, `engine` the serving software,
    `availability` its position among those that can be asked, and `clock`, if machines may be off by it, what is known
    of them.
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
    level: Array
    engine: Array
    availability: Array
    clock: Clock | None = None

    def take(self, rows: Array) -> "Load":
        """The same demand in some of the scenarios."""
        columns = [name for name in self.__dataclass_fields__ if name not in ("curve", "clock")]
        some = {name: getattr(self, name)[rows] for name in columns}
        return replace(self, curve=self.curve.take(rows), clock=self.clock and self.clock.take(rows), **some)

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
        in_use = np.asarray(rows["hours_per_week"], float)[:, None] / HOURS_PER_WEEK
        curve = load_curve.Gamma(load_curve.cv_in_use(column["spikiness"], in_use), in_use)
    else:
        peak = curve.level(np.full((1, 1), 1 - load_curve.PEAK_QUANTILE), np.zeros(1, np.intp))
        column["spikiness"] = np.broadcast_to(peak, column["spikiness"].shape)
    return Load(
        requests=np.asarray(requests) * live,
        live=live,
        curve=curve,
        availability=availability(rows["availability"]),
        clock=clock_of(facts, rows, curve, column["spikiness"]),
        **service_levels(facts, rows["latency"]),
        level=np.asarray(rows["latency"], object)[:, None],
        engine=np.asarray(rows["engine"], object)[:, None],
        **{name: column[name] for name in AS_ASKED},
    )


AS_ASKED = ("input_tokens", "output_tokens", "cached_share", "batch_share", "spikiness")
MADE_INTO_MONTHS = ("requests_per_month", "growth_per_month", "horizon_months")


def availability(asked: Array) -> Array:
    """Position of the availability each scenario asks for among those there are, over (scenario, 1)."""
    return np.array([BY_NAME["availability"].choices.index(level) for level in asked], np.intp)[:, None]


def service_levels(facts: Facts, latency: Array) -> dict[str, Array]:
    """Headroom of the service level each scenario asks for, over (scenario, 1)."""
    known = _service_levels(facts)
    return {name: np.array([of[level] for level in latency])[:, None] for name, of in known.items()}


@of_tables
def _service_levels(facts: Facts) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {"headroom_beta": {}}
    for level in BY_NAME["latency"].choices:
        found["headroom_beta"][level] = float(queueing.headroom_beta(facts.value(f"service.{level}.wait_probability")))
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
