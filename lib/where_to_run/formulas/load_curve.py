"""The load-duration curve, from a spikiness by the Gamma law or as measured; machines that follow it."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy.special import expit, gammaincc, gammaincinv

from ..units import HOURS_PER_WEEK, Array, Number

PEAK_QUANTILE = 0.99
"""Spikiness is this quantile of the hours of a month over their mean."""


@lru_cache(maxsize=1)
def _cv_curve() -> tuple[Array, Array]:
    """Log spikiness, from the Gamma quantile, and log cv on a fine grid of cv 0.01 to 6."""
    cv = np.geomspace(0.01, 6, 8_000)
    return np.log(load_quantile(PEAK_QUANTILE, 1.0, cv)), np.log(cv)


def cv_from_spikiness(spikiness: Number) -> Number:
    """Coefficient of variation of the hourly load [ratio] whose p99 over mean is `spikiness` (1.03 to 23).

    Inverse of the Gamma quantile, interpolated; within 1e-6 of root finding.
    """
    return np.exp(np.interp(np.log(np.asarray(spikiness, float)), *_cv_curve()))


STEADIEST, HALVINGS = 0.01, 36
"""Least coefficient of variation there is, and steps by which one is found, to a billionth."""


def cv_in_use(spikiness: Array, in_use: Array) -> Array:
    """Coefficient of variation in the hours in use [ratio], a share `in_use` of all (0.05 to 1); arrays of one shape.

    The smaller root of quantile((0.99 - idle) / in_use) / in_use = spikiness, idle = 1 - in_use; the least there is
    where the spikiness is below 1 / in_use.
    """
    cv = np.array(cv_from_spikiness(spikiness))
    if (some := in_use < 1).any():
        load, above = (spikiness * in_use)[some], (1 - PEAK_QUANTILE) / in_use[some]
        low, high = np.full(load.shape, STEADIEST), spikiest_cv(in_use[some])
        for _ in range(HALVINGS):
            middle = np.sqrt(low * high)
            short = load_duration(load, 1.0, middle) < above
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        cv[some] = high
    return cv


def peak_in_use(cv: Number, in_use: Number) -> Number:
    """Spikiness [ratio] of a load with a cv in a share of the hours, none in the others: the inverse of `cv_in_use`."""
    return load_quantile(1 - (1 - PEAK_QUANTILE) / np.asarray(in_use), 1 / np.asarray(in_use), cv)


def spikiest_cv(in_use: Number) -> Number:
    """The cv in a share of the hours at which the spikiness is greatest; above it busy hours are too rare to count."""
    return np.exp(np.interp(np.log(in_use), *_spikiest()))


@lru_cache(maxsize=1)
def _spikiest() -> tuple[Array, Array]:
    share, cv = np.geomspace(0.05, 1, 60), np.geomspace(STEADIEST, 8, 1_000)
    greatest = np.asarray(peak_in_use(cv, share[:, None])).argmax(axis=1)
    return np.log(share), np.log(cv[greatest])


def load_duration(load: Number, mean: Number, cv: Number) -> Number:
    """Share of the hours of a month with more than `load` [share]: the load-duration curve of a Gamma law.

    P(L > x) = Q(k, x / theta), k = 1/cv^2, theta = mean cv^2; Q the upper incomplete gamma function, regularised.
    """
    shape = 1 / np.square(cv)
    return gammaincc(shape, np.asarray(load) / np.asarray(mean) * shape)


def load_quantile(share: Number, mean: Number, cv: Number) -> Number:
    """Load not exceeded in `share` of the hours, in the unit of `mean`: theta gammaincinv(k, share)."""
    shape = 1 / np.square(cv)
    return mean * gammaincinv(shape, share) / shape


def spill(capacity: Number, mean: Number, cv: Number) -> Number:
    """Mean load above a capacity, in the unit of `mean`: E[(L - K)+] = mean Q(k + 1, K/theta) - K Q(k, K/theta)."""
    shape = 1 / np.square(cv)
    scaled = np.asarray(capacity) / np.asarray(mean) * shape
    return mean * gammaincc(shape + 1, scaled) - capacity * gammaincc(shape, scaled)


CV_NODES = np.geomspace(0.01, 7.0, 200)
"""Coefficients of variation at which the Gamma law is tabulated."""

Z_NODES = np.linspace(-6.5, 9.0, 220)
"""Loads at which it is tabulated, in standard deviations of their cube root (Wilson and Hilferty 1931)."""


def _root(cv: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of the cube root of a Gamma load over its mean: 1 - cv^2/9 and cv/3."""
    return 1 - np.square(cv) / 9, cv / 3


DUST = 1e-9
"""A share of the load or of the hours that is none."""

LOGITS = np.linspace(-14.0, 9.0, 100)
"""Shares of the hours, as log odds, at which the level exceeded in them is tabulated."""


@lru_cache(maxsize=1)
def _tables() -> tuple[Array, Array, Array]:
    """Spill and exceedance over (cv, z) and level over (cv, log odds), all in multiples of the mean."""
    cv = CV_NODES[:, None]
    mean, deviation = _root(cv)
    load = np.maximum(0.0, mean + Z_NODES * deviation) ** 3
    tail, above = (np.asarray(curve(load, 1.0, cv)) for curve in (spill, load_duration))
    return (
        np.where(tail > DUST, tail, 0.0),
        np.where(above > DUST, above, 0.0),
        np.asarray(load_quantile(expit(-LOGITS), 1.0, cv)),
    )


def following(stretch: Array, above: Array, far_above: Array, often: Array) -> Array:
    """What machines that follow the load stand ready for above a base of K, over the mean load [ratio].

    They stand for s times the load: E[(s L - K)+] where there is no base. A base spares them the hours below it:
    s E[(L - K)+] where it is hardly ever passed. Between the two by the root of P(L > K), as replays of reactive
    scaling above a base have it (a test repeats one). `above` is the spill at K, `far_above` at K/s, `often` the root.
    """
    ready: Array = stretch * between(above, far_above, often)
    return ready


def between(near: Array, far: Array, share: Array) -> Array:
    """The way from one to another that a share makes."""
    found: Array = near + share * (far - near)
    return found


@dataclass(frozen=True, eq=False)
class Follower:
    """Machines that follow the load a little late, so that they stand for one `stretch` times as high [ratio].

    The stretch is given for a law of every cv of `CV_NODES`.
    """

    stretch: Array

    def at(self, cv: Array) -> Array:
        """The stretch at some coefficients of variation [ratio]."""
        return np.asarray(np.interp(np.log(np.maximum(cv, CV_NODES[0])), np.log(CV_NODES), self.stretch))

    @cached_property
    def tables(self) -> tuple[Array, Array]:
        """`following` and the share of the hours in which anything runs, over (cv, z)."""
        above, over, _ = _tables()
        law, stretch, rows = Gamma(CV_NODES[:, None]), self.stretch[:, None], np.arange(len(CV_NODES))
        mean, deviation = _root(law.cv)
        far, often = np.maximum(0.0, mean + Z_NODES * deviation) ** 3 / stretch, np.sqrt(over)
        ready = following(stretch, above, law.spill(far, rows), often)
        return ready, between(over, law.exceedance(far, rows), often)


class Gamma:
    """Gamma laws, one a scenario, by their coefficient of variation over (scenario, 1), in a share `in_use` of the
    hours over (scenario, 1); in the others there is no load.

    They read tables of the closed forms of `demand`, because they are asked for every month of every plan: the spill
    within 0.001 of the mean load.
    """

    def __init__(self, cv: Array, in_use: Array | None = None) -> None:
        self.cv = np.asarray(cv, float)
        self.in_use = None if in_use is None or (in_use == 1).all() else in_use
        self._made: dict[int, tuple[Array, Array]] = {}

    @property
    def surprise(self) -> Array:
        """Coefficient of variation of what is not known beforehand, over (scenario, 1): idle hours are."""
        return self.cv

    def take(self, rows: Array) -> "Gamma":
        """The laws of some of the scenarios, with the tables made so far."""
        some = Gamma(self.cv[rows], None if self.in_use is None else self.in_use[rows])
        some._made = {k: (t, own.reshape(len(self.cv), -1)[rows].ravel()) for k, (t, own) in self._made.items()}
        return some

    @cached_property
    def _between(self) -> tuple[Array, Array]:
        """Node below the cv of each scenario, and how far beyond it."""
        cv = np.log(np.clip(self.cv[:, 0], CV_NODES[0], CV_NODES[-1]) / CV_NODES[0])
        at = cv / np.log(CV_NODES[1] / CV_NODES[0])
        low = np.minimum(at.astype(np.intp), len(CV_NODES) - 2)
        return low, (at - low)[:, None]

    def _own(self, table: Array) -> Array:
        """A table at the cv of each scenario, flat, one row after the other; made when first asked for.

        Beside each value, as its imaginary part, the step to the next: so both are found at once.
        """
        if id(table) not in self._made:
            low, part = self._between
            own = between(table[low], table[low + 1], part)
            self._made[id(table)] = table, (own + 1j * np.diff(own, append=0.0)).ravel()
        return self._made[id(table)][1]

    def _find(self, load: Array, scenario: Array) -> tuple[Array, Array, Array]:
        """Node below a load over (scenarios asked, ...), how far beyond it, and where even the table ends."""
        mean, deviation = (part[scenario, 0].reshape(-1, *[1] * (load.ndim - 1)) for part in _root(self.cv))
        step = Z_NODES[1] - Z_NODES[0]
        z = np.cbrt(load)
        z -= mean + Z_NODES[0] * deviation
        z /= deviation * step
        below = (z < 0) | (load <= 0)
        np.clip(z, 0, len(Z_NODES) - 1.000001, out=z)
        node = z.astype(np.intp)
        z -= node
        node += scenario.reshape(below.shape[:1] + (1,) * (load.ndim - 1)) * len(Z_NODES)
        return node, z, below

    def _in_use(self, values: Array, scenario: Array) -> Array:
        """Values over (scenarios asked, ...) times the share of the hours in use, where all the load is."""
        if self.in_use is None:
            return values
        return np.asarray(values * self.in_use[scenario].reshape(-1, *[1] * (values.ndim - 1)))

    def _read(self, table: Array, node: Array, part: Array) -> Array:
        found = self._own(table).take(node)
        return np.asarray(found.real + part * found.imag)

    def spill(self, load: Array, scenario: Array) -> Array:
        """Mean load above a load, both in multiples of the mean, for the scenarios asked along the first axis."""
        load = self._in_use(load, scenario)
        node, part, below = self._find(load, scenario)
        return np.where(below, 1 - load, self._read(_tables()[0], node, part))

    def exceedance(self, load: Array, scenario: Array) -> Array:
        """Share of the hours above a load in multiples of the mean, for the scenarios asked along the first axis."""
        node, part, below = self._find(self._in_use(load, scenario), scenario)
        return self._in_use(np.where(below, 1.0, self._read(_tables()[1], node, part)), scenario)

    def following(self, load: Array, scenario: Array, follower: Follower) -> tuple[Array, Array]:
        """`following` above a base that carries a load, and the share of the hours in which anything runs."""
        load = self._in_use(load, scenario)
        node, part, below = self._find(load, scenario)
        ready, hours = (self._read(table, node, part) for table in follower.tables)
        hours = self._in_use(np.where(below, 1.0, hours), scenario)
        return np.where(below, follower.at(self.cv)[scenario] - load, ready), hours

    def level(self, share: Array, scenario: Array) -> Array:
        """Load exceeded in a share of the hours, in multiples of the mean; shares over (scenarios asked, month)."""
        if self.in_use is not None:
            share = share / self.in_use[scenario]
        inside = np.maximum(np.fmin(share, 1 - DUST), DUST)  # fmin passes over what is not a number
        odds = np.log(inside / (1 - inside))
        at = np.clip((odds - LOGITS[0]) / (LOGITS[1] - LOGITS[0]), 0, len(LOGITS) - 1.000001)
        node = at.astype(np.intp)
        found = self._read(_tables()[2], node + scenario[:, None] * len(LOGITS), at - node)
        return found if self.in_use is None else np.where(share < 1, found / self.in_use[scenario], 0.0)


@dataclass(frozen=True)
class Week:
    """What is known of a load by the hour of the week, in multiples of the mean, over (hour of the week); and the rest:
    `peak`, what its busiest hours make of the busiest hour of the week, and its `cv`, over (1, 1) [ratio].
    """

    known: Array
    peak: Array
    cv: Array


class Measured:
    """One measured series for all scenarios: hourly loads in any unit, taken relative to their mean.

    Its spill is exactly the mean over the hours of what lies above, for any load. Refuses a series that is empty,
    negative, not finite or zero throughout.
    """

    in_use = None

    def __init__(self, hours: Array) -> None:
        series = np.asarray(hours, float).ravel()
        hours = np.sort(series)
        if not len(hours) or not np.isfinite(hours).all() or hours[0] < 0 or hours[-1] == 0:
            raise ValueError(
                f"hourly loads: got {len(hours)} values; give a number of 0 or more for every hour, not all of them 0"
            )
        self.hours, self.series = hours / hours.mean(), series / hours.mean()

    @cached_property
    def week(self) -> "Week":
        """What the hour of the week tells of the series beforehand; nothing where it has no whole week.

        The means of the hours of the week, drawn to the mean of those in use by the part of their variance that chance
        alone would make (James and Stein 1961): all of it in a series of one week. Hours silent in every week are known
        to be idle. The rest is each hour over what was known of it.
        """
        load, slot = self.series, np.arange(len(self.series)) % HOURS_PER_WEEK
        if len(load) < HOURS_PER_WEEK:
            return Week(np.ones(HOURS_PER_WEEK), np.quantile(load, [[PEAK_QUANTILE]]), self.cv)
        count, total = np.bincount(slot), np.bincount(slot, load)
        mean, used = total / count, total > 0
        here, weeks = used[slot], count[used].mean()
        middle = load[here].mean()
        between, chance = mean[used].var(), 0.0
        if weeks > 1:
            chance = np.square(load - mean[slot])[here].sum() / (here.sum() - used.sum()) / weeks
        known = max(0.0, 1 - chance / between) if between > 0 and weeks > 1 else 0.0
        profile = used * (middle + known * (mean - middle))
        rest, part = load / np.where(here, profile[slot], 1.0), np.full((1, 1), here.mean())
        peak = np.quantile(rest, PEAK_QUANTILE)
        cv = cv_in_use(np.full((1, 1), peak / rest.mean()), part)
        return Week(profile / profile.mean(), np.full((1, 1), peak * profile.max() / profile.mean()), cv)

    def take(self, rows: Array) -> "Measured":
        """The series itself: it is that of every scenario."""
        return self

    @cached_property
    def cv(self) -> Array:
        """Coefficient of variation over (scenario, 1), the same for all."""
        return np.full((1, 1), self.hours.std())

    @property
    def surprise(self) -> Array:
        """Coefficient of variation of what the hour of the week does not tell, over (scenario, 1)."""
        return self.week.cv

    @cached_property
    def _spilled(self) -> Array:
        """Spill at every hour's load: sum of what the higher hours have more, over their number."""
        higher = np.append(np.cumsum(self.hours[::-1])[::-1][1:], 0.0)
        count = np.arange(len(self.hours) - 1, -1, -1)
        return (higher - count * self.hours) / len(self.hours)

    def spill(self, load: Array, scenario: Array) -> Array:
        """Mean load above a load, both in multiples of the mean; straight between the hours, so exact."""
        knots, spilled = np.append(0.0, self.hours), np.append(1.0, self._spilled)
        return np.asarray(np.interp(load, knots, spilled))

    def exceedance(self, load: Array, scenario: Array) -> Array:
        """Share of the hours above a load in multiples of the mean."""
        return 1 - np.searchsorted(self.hours, load, side="right") / len(self.hours)

    def following(self, load: Array, scenario: Array, follower: Follower) -> tuple[Array, Array]:
        """`following` above a base that carries a load, and the share of the hours in which anything runs."""
        stretch = follower.at(self.surprise)
        far, over = load / stretch, self.exceedance(load, scenario)
        ready = following(stretch, self.spill(load, scenario), self.spill(far, scenario), np.sqrt(over))
        return ready, between(over, self.exceedance(far, scenario), np.sqrt(over))

    def level(self, share: Array, scenario: Array) -> Array:
        """Load that is exceeded in a share of the hours, in multiples of the mean."""
        return np.asarray(np.quantile(self.hours, 1 - share, method="inverted_cdf"))


Curve = Gamma | Measured
