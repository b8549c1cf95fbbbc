"""Simple rules: what running by a rule of thumb would cost on the same paths of volume as the roadmap."""

import numpy as np
import pandas as pd

from .journey import Journey
from .programme import STAY, Decide, follow
from .roadmap import QUARTER, Roadmap
from .units import Array

DATES = (0, 6, 12, 24)
"""Months at which a rule orders that goes by the date."""


def compare(roadmap: Roadmap, paths: int, seed: int) -> pd.DataFrame:
    """Mean cost of each rule over drawn paths of volume, the plan first: rule, usd, more_usd, error [USD today].

    `more_usd` is the mean difference to the plan on the same paths, `error` its standard error, for the plan that of
    its own mean. Rules move to the stage the plan is likeliest to move to first. The same seed, the same figures.
    """
    programme = roadmap.plan.programme
    ups = np.random.default_rng(seed).random((paths, programme.months)) < programme.up
    cost = {name: follow(programme, rule, ups, roadmap.state) for name, rule in rules(roadmap).items()}
    cost = {name: usd + roadmap.journey.price[roadmap.first] for name, usd in cost.items()}
    plan = cost["the plan"]
    more = {name: usd - plan for name, usd in cost.items()}
    error = {name: np.std(plan if usd is plan else more[name], ddof=1) / np.sqrt(paths) for name, usd in cost.items()}
    rows = [(name, usd.mean(), more[name].mean(), error[name]) for name, usd in cost.items()]
    return pd.DataFrame(rows, columns=["rule", "usd", "more_usd", "error"])


def rules(roadmap: Roadmap) -> dict[str, Decide]:
    """The plan and the simple rules by name."""
    way, plan = roadmap.journey, roadmap.plan
    there = _next_stage(roadmap)
    cheaper = _cheaper(way, roadmap.first, there)
    move = _moves(way)

    def never(month: int, levels: Array, state: Array) -> Array:
        return np.full(len(state), STAY)

    def on(date: int) -> Decide:
        return lambda month, levels, state: move[state, there] if month == date else never(month, levels, state)

    def at_once(month: int, levels: Array, state: Array) -> Array:
        return np.where(cheaper[month, levels[:, -1]], move[state, there], STAY)

    def back_too(month: int, levels: Array, state: Array) -> Array:
        return move[state, np.where(cheaper[month, levels[:, -1]], there, roadmap.first)]

    def in_a_row(month: int, levels: Array, state: Array) -> Array:
        months = range(max(0, month + 1 - QUARTER), month + 1)
        so = np.all([cheaper[m, levels[:, m]] for m in months], axis=0) & (len(months) == QUARTER)
        return np.where(so, move[state, there], STAY)

    def on_average(month: int, levels: Array, state: Array) -> Array:
        months = range(max(0, month + 1 - QUARTER), month + 1)
        mean = np.mean([way.volumes[m, levels[:, m]] for m in months], axis=0)
        here = way.volumes[month, : plan.programme.levels(month)]
        nearest = np.abs(np.log(here)[:, None] - np.log(mean)).argmin(axis=0)
        return np.asarray(plan.move[month, nearest, state])

    return {
        "the plan": plan.decide,
        "its triggers on the three-month average": on_average,
        "never move": never,
        **{f"move in month {date}": on(date) for date in DATES if date < way.horizon},
        "move when a month would cost less": at_once,
        "move when three months in a row would": in_a_row,
        "move to and fro when a month would": back_too,
    }


def _next_stage(roadmap: Roadmap) -> int:
    """The stage the plan is likeliest to move to first; where it never moves, the cheapest to move to at once."""
    way, p = roadmap.journey, roadmap.plan.programme
    if len(roadmap.first_move) > 1:
        return [stage.words for stage in way.stages].index(roadmap.first_move["to"].iloc[1])
    moves = np.flatnonzero((p.start == roadmap.state) & np.isfinite(p.price[0]))
    if not len(moves):
        return roadmap.first
    usd = p.price[0, moves] + roadmap.plan.value[0, way.middle, p.to[0, moves]]
    return int(way.to_stage[moves[usd.argmin()]])


def _moves(way: Journey) -> Array:
    """The move from every state to every stage, STAY where there is none."""
    found = np.full((len(way.stage), len(way.stages)), STAY)
    found[way.programme.start, way.to_stage] = np.arange(len(way.to_stage))
    return found


def _cheaper(way: Journey, first: int, there: int) -> Array:
    """Whether a month costs less at the next stage, over (month, level), the price of going there spread evenly.

    The static break-even: running cost, and what the move costs less what servers fetch at the end, by month.
    """
    p, here, then = way.programme, way.state(first), way.state(there)
    move = _moves(way)[here, there]
    price = (p.price[0, move] + p.end[0, then] - p.end[0, here]) / p.months
    return np.asarray(p.running[:, :, then] + price < p.running[:, :, here])
