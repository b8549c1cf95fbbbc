"""Staffing: the skills and the people the places in use ask for, and the weeks of their set-up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..formulas import people
from ..inputs.facts import Facts, remembered
from ..inputs.question import AROUND_THE_CLOCK, BY_NAME, PLACES, SKILLS
from ..units import Array

ROUTING = "routing"
"""What comes on top of two places or more, as a row of data/skills.csv and of data/assumptions.csv."""

NAMED = (*PLACES, ROUTING)


PEOPLE_OF = {"rented_gpus": "cloud", "own_gpus": "hardware"}
"""The area of the people that every machine takes a part of."""


@dataclass(frozen=True)
class Staff:
    """What places ask of people: levels needed and least people by area over (place or routing, area), the share of
    them that each availability takes, and the share that two places together take; FTE for each machine by place;
    people at a full gap [FTE] and cost of a person [USD/month] by area, benefits in it as a share, and how gaps are
    filled. By place and routing: weeks of set-up, cost of set-up [USD] and of platforms [USD/month].
    """

    level: Array
    floor: Array
    by_availability: Mapping[str, float]
    shared: float
    per_machine: Mapping[str, float]
    full: Array
    pay: Array
    benefits: float
    hiring: people.Hiring
    weeks: Array
    setup_usd: Array
    platform_usd: Array


AT_PLACES = ("setup_weeks", "setup_usd", "platform_usd")
"""Figures of data/assumptions.csv by place and routing, in the order of `Staff`."""


@remembered
def staff(facts: Facts) -> Staff:
    """What data/skills.csv, data/roles.csv and data/assumptions.csv say of people."""
    level, floor = (
        facts.table("skills").pivot(index="place", columns="area", values=column).loc[list(NAMED), list(SKILLS)]
        for column in ("level_needed", "floor_fte")
    )
    roles, benefits = facts.table("roles").loc[list(SKILLS)], facts.value("people.benefits_share")
    wages = roles["wage_usd_per_year"].to_numpy(float) * facts.factor("wages")
    kept = BY_NAME["availability"].choices
    return Staff(
        level.to_numpy(float),
        floor.to_numpy(float),
        {name: facts.value(f"people.availability_share.{name}") for name in kept},
        facts.value("people.mixed_staff_share"),
        {place: facts.value(f"people.fte_per_machine.{place}") for place in PEOPLE_OF},
        roles["fte_at_full_gap"].to_numpy(float),
        np.asarray(people.loaded_monthly_wage(wages, benefits)),
        benefits,
        people.Hiring(*(facts.value(f"people.{name}") for name in people.Hiring.__dataclass_fields__)),
        *(np.array([facts.value(f"{of}.{place}") for place in NAMED]) for of in AT_PLACES),
    )


def skills_needed(staff: Staff, used: Array, rows: Mapping[str, Array]) -> tuple[Array, Array]:
    """Levels needed and least people by area over (scenario, area), for the places in use over (scenario, place).

    Levels are the highest over the places, routing included where two or more are used, one more in ML where an own
    model is changed; nobody is on call but around the clock, and there for machines at least. `rows` are the scenarios,
    or one for all. People add up over places; with two or more the sum is shared and routing comes on top.
    """
    mixed = used.sum(axis=1, keepdims=True) > 1
    here = np.concatenate([used, mixed], axis=1)
    needed = (here[:, :, None] * staff.level).max(axis=1)
    self_hosted, clock = used[:, 1:].any(axis=1), rows["availability"] == AROUND_THE_CLOCK
    needed = np.where(clock[:, None], needed, np.minimum(needed, people.IN_HOURS))
    needed[:, SKILLS.index("operations")] = np.maximum(needed[:, SKILLS.index("operations")], on_call(used, rows))
    needed[:, SKILLS.index("ml")] += (
        self_hosted & (rows["customisation"] != "prompting") & (rows["specialised_share"] > 0)
    )
    together = (used[:, :, None] * staff.floor[:-1]).sum(axis=1)
    shared = np.where(mixed, staff.shared, 1.0)
    share = np.array([staff.by_availability[name] for name in rows["availability"]])[:, None]
    return np.minimum(needed, people.HIGHEST_LEVEL), (together * shared + mixed * staff.floor[-1]) * share


def on_call(used: Array, rows: Mapping[str, Array]) -> Array:
    """Level of operations that machines around the clock take at the least, by scenario; 0 where none do."""
    clock = rows["availability"] == AROUND_THE_CLOCK
    return np.where(used[:, 1:].any(axis=1) & clock, people.ON_CALL, 0)


def weeks_to_set_up(staff: Staff, used: Array, delivery: Array) -> Array:
    """Weeks of set-up of the slowest place in use, routing last; own servers take their `delivery` by scenario."""
    own = np.arange(len(PLACES)) == PLACES.index("own_gpus")
    slowest: Array = (used * np.where(own, delivery[:, None], staff.weeks[:-1])).max(axis=1)
    return slowest + (used.sum(axis=1) > 1) * staff.weeks[-1]


@dataclass
class Team:
    """The people and the set-up that places in use take: lines in USD over (scenario, month) by place and name.

    By scenario: the weeks until people and machines are ready [week], the people to add [FTE], and the level of
    operations that being on call takes, 0 where nobody is.
    """

    lines: dict[tuple[str, str], Array] = field(default_factory=dict)
    people_weeks: Array = field(default_factory=lambda: np.zeros(0))
    setup_weeks: Array = field(default_factory=lambda: np.zeros(0))
    hires: Array = field(default_factory=lambda: np.zeros(0))
    on_call: Array = field(default_factory=lambda: np.zeros(0))


def team(
    staff: Staff,
    rows: Mapping[str, Array],
    live: Array,
    used: Array,
    delivery: Array,
    machines: Mapping[str, Array] | None = None,
) -> Team:
    """The team of the places in use over (scenario, place), for the months that are `live` over (scenario, month).

    `delivery` are the weeks until own servers serve by scenario, `machines` how many stand at a place over (scenario,
    month). Gaps in skills are trained or hired for. Those hired work too, and up to `people_available` those who are
    there do the rest; what is left takes people to add.
    """
    needed, floor = skills_needed(staff, used, rows)
    have, hiring = np.stack([rows[f"skill_{area}"] for area in SKILLS], axis=1), staff.hiring
    gap, available = people.gaps(needed, have), np.asarray(rows["people_available"], float)[:, None]
    hire = people.hired(gap, available, rows["weeks_to_launch"][:, None], hiring)
    joins = hire * np.maximum(floor, gap / people.HIGHEST_LEVEL * staff.full)
    fte, usd = ((~hire * floor * of).sum(axis=1, keepdims=True) for of in (1.0, staff.pay))
    for place, count in (machines or {}).items():
        pay = staff.pay[..., [SKILLS.index(PEOPLE_OF[place])]]
        fte, usd = fte + count * staff.per_machine[place], usd + count * staff.per_machine[place] * pay
    there = np.minimum(1.0, available / np.maximum(fte, 1e-12))
    added = np.asarray(people.monthly_payroll(joins, staff.pay))[:, None] + usd * (1 - there)
    most = np.broadcast_to(added, live.shape).max(axis=1)
    lines = _set_up(staff, live, used)
    lines["people", "people there"] = live * usd * there
    lines["people", "people to add"] = live * added
    joining = np.ravel(people.cost_of_joining(most[:, None], staff.benefits, hiring))
    lines["people", "recruiting and ramp-up"] = on_day_one(joining, live)
    lines["people", "training"] = on_day_one(np.asarray(people.cost_of_training(gap, hire, staff.pay, hiring)), live)
    return Team(
        lines,
        np.asarray(people.weeks_to_fill(gap, hire, hiring)),
        weeks_to_set_up(staff, used, delivery),
        joins.sum(axis=1) + np.maximum(0.0, fte - available).max(axis=1),
        on_call(used, rows),
    )


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
