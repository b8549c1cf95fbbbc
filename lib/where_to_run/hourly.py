"""Machines by the hour: rented for what comes above a base, started late and held a while."""

from dataclasses import dataclass

import numpy as np

from .bills import Bill, Machines, offers
from .bursts import Overflow, Passed
from .curves import CV_NODES
from .facts import Facts
from .rented_gpus import egress, spot_price, storage_usd
from .replicas import Load, Need
from .units import HOURS_PER_MONTH, SECONDS_PER_HOUR, SECONDS_PER_MONTH, Array

STRETCH_CVS = (0.38, 0.71, 1.34)
"""Where data/assumptions.csv knows how much autoscaling stretches GPU hours, by cv of the hourly load."""

LAGS = (10.0, 60.0)
"""Delays of a start for which it knows that of a steady load [minute]."""


def stretch(facts: Facts, cv: Array) -> Array:
    """GPU hours of a fleet that follows the load, over those of machines that were there when needed [ratio].

    By the cv of the hourly load, between the points of data/assumptions.csv on log scales, 1 for a load that never
    moves; longer for a later start. Measured by replaying public traces with a hold of half an hour (methods 2.5).
    """
    known = np.array([facts.value(f"autoscale.stretch.cv_{at}") for at in STRETCH_CVS])
    late = facts.value("autoscale.stretch_at_one_hour.cv_0.38") / known[0]
    delay = (facts.value("autoscale.start_minutes") - LAGS[0]) / (LAGS[1] - LAGS[0])
    above = np.exp(np.interp(np.log(np.maximum(cv, STRETCH_CVS[0])), np.log(STRETCH_CVS), np.log(known)))
    part = np.minimum(1.0, cv / STRETCH_CVS[0])
    at_ten_minutes = np.where(part < 1, 1 + (known[0] - 1) * part, above)
    return np.maximum(1.0, at_ten_minutes * late ** (delay * part))


@dataclass(frozen=True)
class Burst:
    """Machines rented by the hour for what comes above a base, over (pair): their offer, the request rate one carries
    [request/s], what it costs with its storage [USD/hour], what a request that can wait costs on spot [USD], and how
    much higher than the load they stand [ratio].
    """

    offer: Array
    rate: Array
    usd_per_hour: Array
    usd_waiting: Array
    stretch: Array

    def take(self, pair: Array) -> "Burst":
        """Some of the pairs."""
        return Burst(*(getattr(self, name)[pair] for name in self.__dataclass_fields__))

    def overflow(self, may: Array) -> Overflow:
        """Prices of passing work on to them. On average half of the last machine is idle while any is needed."""
        # machines that cannot hold a request carry none, and have no price for it
        usd = np.where(self.rate > 0, self.usd_per_hour / np.maximum(self.rate, 1e-12) / SECONDS_PER_HOUR, 0.0)
        return Overflow(may, usd, self.usd_waiting, self.usd_per_hour / 2, self.stretch)

    def machines(self, passed: Passed) -> Array:
        """Machines that run on average, over (pair, month)."""
        rate = np.where(self.rate > 0, self.rate, np.inf)[:, None]
        return passed.ready / rate + passed.hours / 2


def burst(facts: Facts, load: Load, need: Need, offer: Array, scenario: Array) -> Burst:
    """What machines on demand of an offer carry and cost for bursts, over the pairs of offer and scenario asked."""
    choice = offers(facts, "machines", need.model)
    each, kind = choice.each[offer], choice.kind[offer]
    rate = need.carried(kind, scenario, each[:, None])[:, 0]
    usd = choice.columns["on_demand_usd_per_h"][offer] + each * storage_usd(facts) / HOURS_PER_MONTH
    seconds = need.seconds[kind, scenario] * (1 + facts.value("rented.spot_overhead_share"))
    waiting = spot_price(choice.columns)[offer] * seconds / each / SECONDS_PER_HOUR
    by_scenario = stretch(facts, np.broadcast_to(load.curve.cv, (len(need.spare), 1)))
    load.curve.tabulate(by_scenario, facts.cached("stretch at nodes", lambda: stretch(facts, CV_NODES)))
    return Burst(offer, rate, usd, waiting, by_scenario[scenario, 0])


def cheapest_burst(facts: Facts, load: Load, need: Need, gpu: Array, factors: Array) -> Burst:
    """For every scenario the machines that cost least for what comes above the mean of the mean month."""
    choice = offers(facts, "machines", need.model)
    holds = need.possible[choice.kind] & ~choice.barred(gpu)
    holds[0] |= ~holds.any(axis=0)
    scenario, offer = np.nonzero(holds.T)
    found = burst(facts, load, need, offer, scenario)
    mean = need.mean(factors * load.live).prompt[scenario]
    ready, hours = load.curve.following(np.ones((len(offer), 1)), scenario)
    passed = Passed(mean * 0, np.zeros((1, 1)), mean * ready, hours)
    usd = passed.usd(found.overflow(np.ones(len(offer))))[:, 0]
    best = np.lexsort((usd, scenario))
    return found.take(best[np.searchsorted(scenario[best], np.arange(len(gpu)))])


def burst_bill(facts: Facts, load: Load, need: Need, hourly: Burst, passed: Passed) -> Bill:
    """Bill of machines by the hour that take what a base elsewhere passes on [USD by month], over (scenario, month)."""
    choice, offer = offers(facts, "machines", need.model), hourly.offer
    running = hourly.machines(passed)
    spot = np.broadcast_to(passed.waiting * hourly.usd_waiting[:, None] * SECONDS_PER_MONTH, running.shape)
    lines = {
        "burst machines": running * choice.columns["on_demand_usd_per_h"][offer][:, None] * HOURS_PER_MONTH,
        "spot machines": spot,
        "storage": running * choice.each[offer][:, None] * storage_usd(facts),
        "egress": egress(facts, load, (passed.prompt + passed.waiting) * SECONDS_PER_MONTH),
    }
    in_one = choice.columns["gpus"][offer][:, None]
    on_spot = spot / (spot_price(choice.columns)[offer][:, None] * HOURS_PER_MONTH) * in_one
    busy = (
        need.seconds[choice.kind[offer], np.arange(len(offer))][:, None] * passed.prompt / choice.each[offer][:, None]
    )
    words = {name: column[offer] for name, column in choice.words.items()}
    by_the_hour = np.full(len(offer), "by the hour", dtype=object)
    machines = Machines(
        running * 0,
        running * in_one + on_spot,
        busy * in_one + on_spot,
        load.live,
        running[:, 0] * 0,
        by_the_hour,
        **words,
    )
    return Bill(lines, choice.columns["key"][offer], need.possible[choice.kind[offer], np.arange(len(offer))], machines)
