"""Staffing: the skills and the people the places in use ask for, and the weeks of their set-up."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from ..formulas import people
from ..inputs.facts import Facts
from ..inputs.question import PLACES, SKILLS
from ..places.workload import Levers
from ..units import Array

ROUTING = "routing"
"""What comes on top of two places or more, as a row of data/skills.csv and of data/assumptions.csv."""


def skills_needed(facts: Facts, used: Array, rows: Mapping[str, Array]) -> tuple[Array, Array]:
    """Levels needed and least people by area over (scenario, area), for the places in use over (scenario, place).

    Levels are the highest over the places, routing included where two or more are used, one more in ML where an own
    model is changed; `rows` are the scenarios, or one for all. People add up over places; with two or more the sum is
    shared and routing comes on top.
    """
    level, floor = (facts.cached(("skills", c), lambda c=c: _by_place(facts, c)) for c in ("level_needed", "floor_fte"))
    mixed = used.sum(axis=1, keepdims=True) > 1
    here = np.concatenate([used, mixed], axis=1)
    needed = (here[:, :, None] * level).max(axis=1)
    self_hosted = used[:, 1:].any(axis=1)
    needed[:, SKILLS.index("ml")] += (
        self_hosted & (rows["customisation"] != "prompting") & (rows["specialised_share"] > 0)
    )
    together = (used[:, :, None] * floor[:-1]).sum(axis=1)
    shared = np.where(mixed, facts.value("people.mixed_staff_share"), 1.0)
    return np.minimum(needed, people.HIGHEST_LEVEL), together * shared + mixed * floor[-1]


def _by_place(facts: Facts, column: str) -> Array:
    table: pd.DataFrame = facts.table("skills").pivot(index="place", columns="area", values=column)
    return table.loc[[*PLACES, ROUTING], list(SKILLS)].to_numpy(float)


def roles(facts: Facts) -> tuple[Array, Array, Array, people.Hiring]:
    """People at a full gap [FTE], wage [USD/year] and cost of a person [USD/month] by area, and how gaps are filled."""
    return facts.cached("roles", lambda: _read_roles(facts))


def _read_roles(facts: Facts) -> tuple[Array, Array, Array, people.Hiring]:
    roles = facts.table("roles").loc[list(SKILLS)]
    wages = roles["wage_usd_per_year"].to_numpy(float)
    pay = np.asarray(people.loaded_monthly_wage(wages, facts.value("people.benefits_share")))
    hiring = people.Hiring(*(facts.value(f"people.{name}") for name in people.Hiring.__dataclass_fields__))
    return roles["fte_at_full_gap"].to_numpy(float), wages, pay, hiring


def weeks_to_set_up(facts: Facts, used: Array, lead: Array | float = 1.0) -> Array:
    """Weeks of set-up of the slowest place in use, delivery of own servers before it, routing after it.

    `lead` is a factor on the delivery, by scenario.
    """
    slowest: Array = (used * place_weeks(facts, lead)).max(axis=1)
    return slowest + (used.sum(axis=1) > 1) * facts.value("setup_weeks.routing")


def place_weeks(facts: Facts, lead: Array | float = 1.0) -> Array:
    """Weeks until each of PLACES can serve once it is ordered [week], over (place) or (scenario, place)."""
    weeks = np.tile([facts.value(f"setup_weeks.{place}") for place in PLACES], (*np.shape(lead), 1))
    weeks[..., PLACES.index("own_gpus")] += facts.value("own.delivery_weeks") * lead
    return weeks


@dataclass
class Team:
    """The people and the set-up that places in use take: lines in USD over (scenario, month) by place and name.

    By scenario: the weeks until people and machines are ready [week], and the people to add [FTE].
    """

    lines: dict[tuple[str, str], Array] = field(default_factory=dict)
    people_weeks: Array = field(default_factory=lambda: np.zeros(0))
    setup_weeks: Array = field(default_factory=lambda: np.zeros(0))
    hires: Array = field(default_factory=lambda: np.zeros(0))


def team(facts: Facts, rows: Mapping[str, Array], live: Array, levers: Levers, used: Array) -> Team:
    """The team of the places in use over (scenario, place), for the months that are `live` over (scenario, month)."""
    needed, floor = skills_needed(facts, used, rows)
    have = np.stack([rows[f"skill_{area}"] for area in SKILLS], axis=1)
    gap = people.gaps(needed, have)
    full, wages, pay, hiring = roles(facts)
    hiring = replace(hiring, ramp_months=hiring.ramp_months * levers.column("ramp"))
    paid = live * levers.column("wages")
    added = people.monthly_payroll(gap / people.HIGHEST_LEVEL * full, pay)
    joining = people.cost_of_joining(gap, full, wages, pay, hiring)
    return Team(
        {
            **_set_up(facts, live, used),
            ("people", "least staff"): paid * np.asarray(people.monthly_payroll(floor, pay))[:, None],
            ("people", "people to add"): paid * np.asarray(added)[:, None],
            ("people", "recruiting and ramp-up"): on_day_one(np.asarray(joining) * levers["wages"], live),
        },
        people_weeks=np.asarray(people.weeks_to_fill(gap, hiring)),
        setup_weeks=weeks_to_set_up(facts, used, levers["lead"]),
        hires=np.asarray(people.people_to_add(gap, full)),
    )


def _set_up(facts: Facts, live: Array, used: Array) -> dict[tuple[str, str], Array]:
    """Set-up and platform services of each place in use, and of the routing where there are two or more."""
    mixed, lines = used.sum(axis=1) > 1, {}
    for name, here in [*((PLACES[p], used[:, p]) for p in range(len(PLACES))), (ROUTING, mixed)]:
        if here.any():
            lines[name, "set-up project"] = on_day_one(here * facts.value(f"setup_usd.{name}"), live)
            lines[name, "platform services"] = live * here[:, None] * facts.value(f"platform_usd.{name}")
    return lines


def on_day_one(usd: Array, live: Array) -> Array:
    """A line that falls due on the day of the decision alone."""
    line = np.zeros(live.shape)
    line[:, 0] = usd
    return line
