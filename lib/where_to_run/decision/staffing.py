"""Staffing: the skills and the people the places in use ask for, and the weeks of their set-up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..formulas import people
from ..inputs.facts import Facts, remembered
from ..inputs.question import PLACES, SKILLS
from ..units import Array

ROUTING = "routing"
"""What comes on top of two places or more, as a row of data/skills.csv and of data/assumptions.csv."""

NAMED = (*PLACES, ROUTING)


@dataclass(frozen=True)
class Staff:
    """What places ask of people: levels needed and least people by area over (place or routing, area), the share of the
    least people that two places together take; people at a full gap [FTE], wage [USD/year] and cost of a person
    [USD/month] by area, and how gaps are filled. By place and routing: weeks of set-up, over (scenario, place) where
    they are drawn, cost of set-up [USD] and of platforms [USD/month].
    """

    level: Array
    floor: Array
    shared: float
    full: Array
    wages: Array
    pay: Array
    hiring: people.Hiring
    weeks: Array
    setup_usd: Array
    platform_usd: Array


@remembered
def staff(facts: Facts) -> Staff:
    """What data/skills.csv, data/roles.csv and data/assumptions.csv say of people."""
    level, floor = (
        facts.table("skills").pivot(index="place", columns="area", values=column).loc[list(NAMED), list(SKILLS)]
        for column in ("level_needed", "floor_fte")
    )
    roles = facts.table("roles").loc[list(SKILLS)]
    wages = roles["wage_usd_per_year"].to_numpy(float) * facts.factor("wages")
    weeks = [facts.value(f"setup_weeks.{name}") for name in NAMED]
    weeks[PLACES.index("own_gpus")] = weeks[PLACES.index("own_gpus")] + facts.value("own.delivery_weeks")
    return Staff(
        level.to_numpy(float),
        floor.to_numpy(float),
        facts.value("people.mixed_staff_share"),
        roles["fte_at_full_gap"].to_numpy(float),
        wages,
        np.asarray(people.loaded_monthly_wage(wages, facts.value("people.benefits_share"))),
        people.Hiring(*(facts.value(f"people.{name}") for name in people.Hiring.__dataclass_fields__)),
        np.concatenate(np.broadcast_arrays(*(np.atleast_2d(week) for week in weeks)), axis=1),
        *(np.array([facts.value(f"{name}.{place}") for place in NAMED]) for name in ("setup_usd", "platform_usd")),
    )


def skills_needed(staff: Staff, used: Array, rows: Mapping[str, Array]) -> tuple[Array, Array]:
    """Levels needed and least people by area over (scenario, area), for the places in use over (scenario, place).

    Levels are the highest over the places, routing included where two or more are used, one more in ML where an own
    model is changed; `rows` are the scenarios, or one for all. People add up over places; with two or more the sum is
    shared and routing comes on top.
    """
    mixed = used.sum(axis=1, keepdims=True) > 1
    here = np.concatenate([used, mixed], axis=1)
    needed = (here[:, :, None] * staff.level).max(axis=1)
    self_hosted = used[:, 1:].any(axis=1)
    needed[:, SKILLS.index("ml")] += (
        self_hosted & (rows["customisation"] != "prompting") & (rows["specialised_share"] > 0)
    )
    together = (used[:, :, None] * staff.floor[:-1]).sum(axis=1)
    shared = np.where(mixed, staff.shared, 1.0)
    return np.minimum(needed, people.HIGHEST_LEVEL), together * shared + mixed * staff.floor[-1]


def weeks_to_set_up(staff: Staff, used: Array) -> Array:
    """Weeks of set-up of the slowest place in use, delivery of own servers before it, routing after it."""
    slowest: Array = (used * staff.weeks[:, :-1]).max(axis=1)
    return slowest + (used.sum(axis=1) > 1) * staff.weeks[:, -1]


@dataclass
class Team:
    """The people and the set-up that places in use take: lines in USD over (scenario, month) by place and name.

    By scenario: the weeks until people and machines are ready [week], and the people to add [FTE].
    """

    lines: dict[tuple[str, str], Array] = field(default_factory=dict)
    people_weeks: Array = field(default_factory=lambda: np.zeros(0))
    setup_weeks: Array = field(default_factory=lambda: np.zeros(0))
    hires: Array = field(default_factory=lambda: np.zeros(0))


def team(staff: Staff, rows: Mapping[str, Array], live: Array, used: Array) -> Team:
    """The team of the places in use over (scenario, place), for the months that are `live` over (scenario, month)."""
    needed, floor = skills_needed(staff, used, rows)
    have = np.stack([rows[f"skill_{area}"] for area in SKILLS], axis=1)
    gap, full, hiring = people.gaps(needed, have), staff.full, staff.hiring
    added = people.monthly_payroll(gap / people.HIGHEST_LEVEL * full, staff.pay)
    joining = people.cost_of_joining(gap, full, staff.wages, staff.pay, hiring)
    lines = _set_up(staff, live, used)
    lines["people", "least staff"] = live * np.asarray(people.monthly_payroll(floor, staff.pay))[:, None]
    lines["people", "people to add"] = live * np.asarray(added)[:, None]
    lines["people", "recruiting and ramp-up"] = on_day_one(np.asarray(joining), live)
    weeks = np.asarray(people.weeks_to_fill(gap, hiring)), weeks_to_set_up(staff, used)
    return Team(lines, *weeks, np.asarray(people.people_to_add(gap, full)))


def _set_up(staff: Staff, live: Array, used: Array) -> dict[tuple[str, str], Array]:
    """Set-up and platform services of each place in use, and of the routing where there are two or more."""
    lines = {}
    for number, name in enumerate(NAMED):
        here = used[:, number] if name != ROUTING else used.sum(axis=1) > 1
        if here.any():
            lines[name, "set-up project"] = on_day_one(here * staff.setup_usd[number], live)
            lines[name, "platform services"] = live * here[:, None] * staff.platform_usd[number]
    return lines


def on_day_one(usd: Array, live: Array) -> Array:
    """A line that falls due on the day of the decision alone."""
    line = np.zeros(live.shape)
    line[:, 0] = usd
    return line
