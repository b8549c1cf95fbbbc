"""Roadmap: what to do now, and at which volumes to move on or back, month by month."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..decision import staffing
from ..decision.staffing import ROUTING
from ..formulas.lattice import STAY, Course, Plan, course, edge, solve, wait
from ..formulas.load_curve import Measured
from ..inputs.facts import Facts
from ..inputs.question import PLACES, SKILLS, ScenarioError, columns
from ..units import Array
from . import stages
from .stages import NEVER, WAITING, Journey, journey

QUARTER = 3
"""Months of a quarter."""

SHORTEST = 2 * QUARTER
"""Months a project must have: a quarter until a trigger on the three-month average is read, and one to gain by it."""

WAITS = (6, 12, 24)
"""Months of waiting that are priced."""

LIKELY = 0.01
"""Chance above which a stage is worth a word."""

TRIGGER = ["month", "stage", "option", "when", "requests_per_month", "to", "to_option", "servers", "lead_months"]
EDGE = ["stage", "month", "when"]
"""What a row of the triggers tells, and what tells one from another."""

SURE = 0.95
"""Chance from which a preparation counts as right on every path."""


def roadmap(scenario: pd.DataFrame, facts: Facts, hours: Array | None = None) -> "Roadmap":
    """The plan of least expected cost for a one-row scenario, from the first stage that keeps its deadline.

    `hours`, a measured series of hourly loads, takes the place of `spikiness`. Refuses a scenario in which the rules
    leave no place, or none in time, and a project too short to move in.
    """
    if (months := int(scenario["horizon_months"].iloc[0])) < SHORTEST:
        raise ScenarioError(
            f"no roadmap: a project of {months} month{'s' * (months > 1)} has none, since it ends before a move pays. "
            f"Stay with what Decide recommends; from {SHORTEST} months on there is one."
        )
    way = journey(scenario, facts, None if hours is None else Measured(hours))
    return Roadmap(way, solve(way.programme), facts)


@dataclass(frozen=True)
class Roadmap:
    """A plan in tidy frames, each made when it is asked for. Months count from 0, the first month of service."""

    journey: Journey
    plan: Plan
    facts: Facts

    @cached_property
    def now(self) -> pd.DataFrame:
        """What to begin with: stage, option, launch_weeks [week], in_time, usd, then, more_usd [USD today], best.

        `usd` is what all of the roadmap is expected to cost from there, what servers still fetch in the end taken off,
        NaN for what misses the deadline and may come second; `then` what the plan orders at once. Own servers are
        first behind `waiting`, where that keeps the deadline. Indexed by the stage's number.
        """
        way, deadline = self.journey, self.journey.scenario["weeks_to_launch"].iloc[0]
        servers = np.array([stage.servers for stage in way.stages])
        number = np.flatnonzero(servers == 0)
        state = np.searchsorted(way.stage, number)
        move = self.plan.move[0, way.programme.middle, state]
        found = pd.DataFrame({"stage": [way.stages[n].words for n in number]}, number)
        found = found.assign(option=[way.stages[n].option for n in number], launch_weeks=way.weeks[number])
        found.loc[found["option"] == WAITING, "launch_weeks"] = way.weeks[servers > 0].min(initial=np.inf)
        found["usd"] = way.price[number] + self.plan.value[0, way.programme.middle, state]
        found["in_time"] = (found["launch_weeks"] <= deadline) & (found["usd"] < NEVER)
        found["then"] = [way.stages[way.to_stage[m]].words if m != STAY else "" for m in move]
        if not found["in_time"].any():
            soonest = int(np.ceil(found["launch_weeks"].min()))
            raise ScenarioError(f"no roadmap: nothing is ready in {deadline:g} weeks. Ask for {soonest} or more.")
        found.loc[~found["in_time"], ["usd", "then"]] = np.nan, ""
        return found.assign(more_usd=found["usd"] - found["usd"].min(), best=found["usd"] == found["usd"].min())

    @cached_property
    def first(self) -> int:
        """The stage to begin with."""
        return int(self.now["usd"].idxmin())

    @property
    def state(self) -> int:
        """The state to begin in."""
        return self.journey.state(self.first)

    @cached_property
    def course(self) -> Course:
        """Where the plan leads from there."""
        return course(self.plan, self.state)

    @cached_property
    def by_quarter(self) -> pd.DataFrame:
        """Probability that a stage runs at the start of a quarter: month, stage, option, probability."""
        way = self.journey
        by_stage = _summed(self.course.runs[: way.horizon], way.stage, len(way.stages))
        found = [
            pd.DataFrame(
                {"month": np.arange(way.horizon), "stage": stage.words, "option": stage.option, "probability": chance}
            )
            for stage, chance in zip(way.stages, by_stage.T, strict=True)
            if chance.max() >= LIKELY
        ]
        return pd.concat([part[::QUARTER] for part in found], ignore_index=True)

    @cached_property
    def first_move(self) -> pd.DataFrame:
        """The first order that is placed: to, option, probability (within the horizon), and p10, p50 and p90 of its
        month, over all paths, NaN where so many never move. `any` stands for all of them together.
        """
        way = self.journey
        ordered = course(self.plan, self.state, np.ones(len(way.stage), bool)).ordered[: way.horizon]
        by_stage = _summed(ordered, way.to_stage, len(way.stages))
        rows = [("any", "", *_when(ordered.sum(axis=1)))]
        for n in np.argsort(-by_stage.sum(axis=0), kind="stable"):
            if by_stage[:, n].sum() >= LIKELY:
                rows.append((way.stages[n].words, way.stages[n].option, *_when(by_stage[:, n])))
        return pd.DataFrame(rows, columns=["to", "option", "probability", "p10", "p50", "p90"])

    @cached_property
    def triggers(self) -> pd.DataFrame:
        """The volumes between which a stage stays as it is, quarter by quarter, and what to order beyond them.

        Columns: month, stage, option, when (`above` or `below`), requests_per_month [request/month], to, to_option,
        servers (to buy, negative to sell), lead_months [month]. Of stages that are not unlikely to run and those the
        first may lead to, with servers as old as they most likely are.
        """
        way, months = self.journey, range(self.journey.horizon)
        chance = _summed(self.course.runs[: way.horizon], way.stage, len(way.stages)).max(axis=0)
        after = {row[4] for row in self._edges(0, self.first, self.state)}
        seen = [n for n, stage in enumerate(way.stages) if chance[n] >= LIKELY or stage.words in after]
        rows = [
            (m // QUARTER * QUARTER, *e) for n in seen for m in months for e in self._edges(m, n, self._likeliest(n, m))
        ]
        found = pd.DataFrame(rows, columns=TRIGGER).astype({"requests_per_month": float})
        # the edges of a quarter are those of its first month, at the mean of the volumes of its months
        volume = found.groupby(EDGE, sort=False)["requests_per_month"]
        found["requests_per_month"] = volume.transform(lambda some: np.exp(np.log(some).mean()))
        return found.drop_duplicates(EDGE, ignore_index=True)

    def _likeliest(self, stage: int, month: int) -> int:
        """The state of a stage that is likeliest by a month; where none is, its servers are new."""
        states = np.flatnonzero(self.journey.stage == stage)
        states = states[self.journey.lot[states] <= stages.lots(month)]
        mass = self.course.runs[: month + 1, states].sum(axis=0)
        return int(states[mass.argmax() if mass.any() else -1])

    def _edges(self, month: int, stage: int, state: int) -> Iterator[tuple[Any, ...]]:
        """The ends of the volumes, about the expected one, at which a state stays: of TRIGGER all but the month."""
        way, p = self.journey, self.plan.programme
        move, gain = (part[month, : p.levels(month), state] for part in (self.plan.move, self.plan.gain))
        volume, stays = np.log(way.volumes[month, : p.levels(month)]), np.flatnonzero(move == STAY)
        if not len(stays):
            return
        zones = np.split(stays, np.flatnonzero(np.diff(stays) > 1) + 1)
        zone = min(zones, key=lambda z: np.abs(z - (p.early + month) / 2).min())
        for when, end, step in (("below", zone[0], -1), ("above", zone[-1], 1)):
            if 0 <= end + step < len(move):
                at = [end - step if len(zone) > 1 else end, end, end + step]
                to, here = way.stages[way.to_stage[move[at[2]]]], way.stages[stage]
                leaves = here.words, here.option, when, float(np.exp(edge(volume[at], gain[at])))
                yield *leaves, to.words, to.option, to.servers - here.servers, int(p.lead[move[at[2]]])

    @cached_property
    def waiting(self) -> pd.DataFrame:
        """What it costs to move now, or to wait and then follow the plan, against the plan: what, usd, more_usd [USD].

        `now` is the best move there is in month 0, be it good or not; NaN for what is not open.
        """
        way, best = self.journey, float(self.plan.value[0, self.journey.programme.middle, self.state])
        moving = wait(self.plan, self.state, 1) - self.plan.gain[0, way.programme.middle, self.state]
        rows = [("the plan", best), ("move now", moving if np.isfinite(moving) else np.nan)]
        rows += [
            (f"wait {months} months", wait(self.plan, self.state, months)) for months in WAITS if months < way.horizon
        ]
        found = pd.DataFrame(rows, columns=["what", "usd"])
        found.loc[found["usd"] >= NEVER, "usd"] = np.nan
        return found.assign(usd=found["usd"] + way.price[self.first], more_usd=found["usd"] - best)

    @cached_property
    def preparations(self) -> pd.DataFrame:
        """What the plan asks for sooner or later: what, probability (within the horizon), month (by which half of the
        paths that need it have ordered it), no_regret (needed on all but one path in twenty).
        """
        way = self.journey
        used = np.array([stage.used for stage in way.stages])
        level = staffing.skills_needed(staffing.staff(self.facts), used, columns(way.scenario))[0]
        asked = {f"{place} set up": used[:, n] for n, place in enumerate(PLACES)}
        asked[f"{ROUTING} set up"] = used.sum(axis=1) > 1
        for n, area in enumerate(SKILLS):
            for grade in np.unique(level[:, n][level[:, n] > way.scenario[f"skill_{area}"].iloc[0]]):
                asked[f"{area} skill {grade:.0f}"] = level[:, n] >= grade
        rows = [(what, *self._reach(wanted)) for what, wanted in asked.items()]
        found = pd.DataFrame(rows, columns=["what", "probability", "month"])
        found = found[found["probability"] >= LIKELY].sort_values("probability", ascending=False, kind="stable")
        return found.assign(no_regret=found["probability"] >= SURE).reset_index(drop=True)

    def _reach(self, wanted: Array) -> tuple[float, float]:
        """Chance that one of some stages is ordered within the horizon, and the middle month of that."""
        way = self.journey
        if wanted[self.first]:
            return 1.0, 0.0
        until = wanted[way.stage]
        ordered = course(self.plan, self.state, until).ordered[: way.horizon, wanted[way.to_stage]].sum(axis=1)
        chance = float(ordered.sum())
        return chance, _when(ordered / chance)[2] if chance > 0 else np.nan


def _summed(by_month: Array, label: Array, number: int) -> Array:
    """A probability over (month, ...) added up by label, over (month, label)."""
    return np.stack([by_month[:, label == n].sum(axis=1) for n in range(number)], axis=1)


def _when(by_month: Array) -> tuple[float, float, float, float]:
    """The whole of a probability by month, and the months by which 1, 5 and 9 in 10 of all paths have come to it."""
    so_far = by_month.cumsum()
    at = (float(np.argmax(so_far >= share)) if so_far[-1] >= share else np.nan for share in (0.1, 0.5, 0.9))
    return (float(so_far[-1]), *at)  # type: ignore[return-value]
