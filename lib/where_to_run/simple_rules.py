"""Simple rules: what running by a rule of thumb would cost on the same paths of volume as the roadmap."""

import numpy as np
import pandas as pd

from .journey import NEVER
from .programme import STAY, Decide, follow
from .roadmap import QUARTER, Roadmap
from .units import Array

DATES = (0, 6, 12, 24)
"""Months at which a rule orders that goes by the date."""


def compare(roadmap: Roadmap, paths: int, seed: int) -> pd.DataFrame:
    """Mean cost of each rule over drawn paths of volume, the plan first: rule, usd, more_usd, error [USD today].

    `more_usd` is the mean difference to the plan on the same paths and `error` its standard error, for the plan that
    of its own mean; NaN for a rule that misses the deadline on some path. Rules move to the stage the plan is likeliest
    to move to first. The same seed, the same figures.
    """
    p = roadmap.plan.programme
    ups = np.random.default_rng(seed).random((paths, p.months)) < p.up
    cost = {name: follow(p, rule, ups, roadmap.state) for name, rule in rules(roadmap).items()}
    usd = np.array(list(cost.values())) + roadmap.journey.price[roadmap.first]
    usd[(usd >= NEVER).any(axis=1)] = np.nan
    spread = np.concatenate([usd[:1], usd[1:] - usd[0]]).std(axis=1, ddof=1)
    more, error = (usd - usd[0]).mean(axis=1), spread / np.sqrt(paths)
    return pd.DataFrame({"rule": list(cost), "usd": usd.mean(axis=1), "more_usd": more, "error": error})


def rules(roadmap: Roadmap) -> dict[str, Decide]:
    """The plan and the simple rules by name."""
    way, plan = roadmap.journey, roadmap.plan
    move, cheaper = _move(roadmap)

    def on(date: int) -> Decide:
        return lambda month, levels, state: np.where(month == date, move[state], STAY)

    def in_a_row(number: int) -> Decide:
        def rule(month: int, levels: Array, state: Array) -> Array:
            months = range(month + 1 - number, month + 1)
            so = months[0] >= 0 and np.all([cheaper[m, levels[:, m]] for m in months], axis=0)
            return np.where(so, move[state], STAY)

        return rule

    def on_average(month: int, levels: Array, state: Array) -> Array:
        months = range(max(0, month + 1 - QUARTER), month + 1)
        mean = np.mean([way.volumes[m, levels[:, m]] for m in months], axis=0)
        here = np.log(way.volumes[month, : plan.programme.levels(month)])
        nearest = np.abs(here[:, None] - np.log(mean)).argmin(axis=0)
        return np.asarray(plan.move[month, nearest, state])

    return {
        "the plan": plan.decide,
        "its triggers on the three-month average": on_average,
        "never move": on(-1),
        **{f"move in month {date}": on(date) for date in DATES if date < way.horizon},
        "move when a month would cost less": in_a_row(1),
        "move when three months in a row would": in_a_row(QUARTER),
    }


def _move(roadmap: Roadmap) -> tuple[Array, Array]:
    """The move the rules make, by state, and whether a month would cost less after it, over (month, level).

    To the stage the plan is likeliest to move to first or, where it never moves, the cheapest to move to at once. A
    month costs less where running does with the price of the move, less what servers fetch in the end, spread evenly:
    the static break-even.
    """
    way, p, state = roadmap.journey, roadmap.plan.programme, roadmap.state
    found = np.full(len(way.stage), STAY)
    open_ = np.flatnonzero((p.start == state) & np.isfinite(p.price[0]))
    if not len(open_):
        return found, np.zeros(p.running.shape[:2], bool)
    usd = p.price[0, open_] + roadmap.plan.value[0, way.programme.middle, p.to[0, open_]]
    words, first = [way.stages[n].words for n in way.to_stage[open_]], roadmap.first_move["to"].tolist()
    chosen = open_[words.index(first[1]) if first[1:] and first[1] in words else usd.argmin()]
    found[state] = chosen
    then = p.to[0, chosen]
    price = (p.price[0, chosen] + p.end[0, then] - p.end[0, state]) / p.months
    return found, np.asarray(p.running[:, :, then] + price < p.running[:, :, state])
