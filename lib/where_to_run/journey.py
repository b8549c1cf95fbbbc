"""Journey: the programme of a scenario, its stages on the lattice of its volume and what moving between them takes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from . import demand, finance, moves, staffing
from .curves import Curve
from .facts import Facts
from .moves import NOTHING, WAITING, Server, Stage
from .programme import Programme
from .routings import OWN
from .scenario import BY_NAME, ScenarioError, check
from .stages import stages
from .units import MONTHS_PER_YEAR, WEEKS_PER_MONTH, Array

EARLY = 16
"""Months by which the lattice begins before month 0, so that a trigger can be read off its first months too."""

POINTS = 97
"""Volumes at which stages are costed; between them cost runs straight."""

TAILS, LIKELY = 4.0, 1.2816
"""Standard deviations within which volumes are costed, and within which 8 in 10 lie, which set the sizes of fleets."""

NEVER = 1e12
"""Cost of a month of waiting past the deadline [USD]."""


@dataclass(frozen=True)
class Journey:
    """The programme of a scenario with its names.

    A state is a stage and, with own servers, the lot they were bought in: `stage` and `lot` of every state,
    `to_stage` of every move. `volumes` are over (month, level) and `likely` over (month, low and high) between which
    8 paths in 10 lie [request/month]. From nothing, `weeks` and `price` lead to each stage [week], [USD].
    """

    scenario: pd.DataFrame
    programme: Programme
    stages: tuple[Stage, ...]
    server: Server
    stage: Array
    lot: Array
    to_stage: Array
    volumes: Array
    likely: Array
    weeks: Array
    price: Array

    @property
    def horizon(self) -> int:
        """Months of the scenario; the programme looks further."""
        return int(self.scenario["horizon_months"].iloc[0])

    def state(self, stage: int) -> int:
        """The first state of a stage."""
        return int(np.flatnonzero(self.stage == stage)[0])


def journey(scenario: pd.DataFrame, facts: Facts, curve: Curve | None = None) -> Journey:
    """The programme of a one-row scenario over its horizon and the months beyond that facts say.

    Every month's volume is what growth makes of the first times a multiple with mean 1, which goes up by u = e^sigma
    with the chance 1 / (1 + u) and else down by it (methods 8).
    """
    row = check(scenario.iloc[:1], facts.keys())
    volumes, grid, likely = _lattice(row, facts)
    costed, server = stages(row, facts, grid, (float(likely.min()), float(likely.max())), curve)
    if not costed:
        raise ScenarioError("no roadmap: nothing is allowed in any month. See what would lift the rules, on Decide.")
    ways, usd, rent = zip(*costed, strict=True)
    cost = np.array([[np.interp(volumes, grid, line) for line in part] for part in (usd, rent)])
    cost = np.moveaxis(cost, 1, -1)
    deadline = int(np.ceil(row["weeks_to_launch"].iloc[0] / WEEKS_PER_MONTH))
    cost[0, deadline:, :, [way.option == WAITING for way in ways]] += NEVER
    weeks, price, _ = moves.takes(row, facts, [NOTHING], ways)
    every = int(moves.lots(len(volumes) - 1)) + 1
    stage, lot = np.array([(s, n) for s, way in enumerate(ways) for n in range(every if way.servers else 1)]).T
    programme, to_stage = _programme(row, facts, ways, server, (stage, lot), cost)
    return Journey(row, programme, ways, server, stage, lot, to_stage, volumes, likely, weeks[0], price[0])


def spread(scenario: pd.DataFrame, facts: Facts) -> float:
    """Standard deviation of the log volume that each month adds [ratio].

    Such that at the horizon it comes to  volume + volume_drift x sqrt(horizon)  of data/assumptions.csv, rows
    `spread.*`, which the draws of `draws` have too (methods 7).
    """
    start, month = facts.value("spread.volume"), facts.value("spread.volume_drift")
    return month + start / float(np.sqrt(scenario["horizon_months"].iloc[0]))


def _lattice(row: pd.DataFrame, facts: Facts) -> tuple[Array, Array, Array]:
    """Volumes over (month, level), those to cost stages at, and the likely ones of each month [request/month]."""
    horizon, field = int(row["horizon_months"].iloc[0]), BY_NAME["requests_per_month"]
    month = np.arange(horizon + int(facts.value("roadmap.months_beyond_horizon")) + 1)[:, None]
    sigma, level = spread(row, facts), np.arange(EARLY + len(month))
    # month 0 of the lattice is the first that is served
    mean = np.asarray(demand.monthly_requests(row[field.name].iloc[0], row["growth_per_month"].iloc[0], month + 1))
    tails, likely = (mean * np.exp(sigma * np.sqrt(month) * [-reach, reach]) for reach in (TAILS, LIKELY))
    first, last = np.clip([tails.min(), tails.max()], field.low, field.high)
    grid = np.geomspace(min(first, 0.5 * field.high), last, POINTS)
    volumes = mean * np.exp(sigma * (2 * level - month - EARLY))
    return volumes, grid, likely[: horizon + 1]


def _moves(stage: Array, ways: Sequence[Stage]) -> tuple[Array, Array]:
    """Every move: the state it leaves and the stage it leads to. Waiting leads to own servers, and nothing to it."""
    start, to_stage = (part.ravel() for part in np.indices((len(stage), len(ways))))
    waits, owns = (np.array(part) for part in zip(*((w.option == WAITING, w.servers > 0) for w in ways), strict=True))
    open_ = (stage[start] != to_stage) & ~waits[to_stage] & (~waits[stage[start]] | owns[to_stage])
    return start[open_], to_stage[open_]


def _programme(
    row: pd.DataFrame, facts: Facts, ways: Sequence[Stage], server: Server, states: tuple[Array, Array], usd: Array
) -> tuple[Programme, Array]:
    """The programme, and the stage each move leads to; `usd` is running cost and rent over (2, month, level, stage)."""
    (stage, lot), months = states, usd.shape[1] - 1
    start, to_stage = _moves(stage, ways)
    servers = np.array([way.servers for way in ways])
    before, more = stage[start], servers[to_stage] > servers[stage[start]]
    weeks, paid, new = (part[before, to_stage] for part in moves.takes(row, facts, ways, ways))
    weeks = np.maximum(weeks, more * staffing.place_weeks(facts)[OWN])
    lead = np.maximum(1, np.ceil(weeks / WEEKS_PER_MONTH - 1e-9)).astype(int)
    discount = 1 / (1 + float(finance.monthly_rate(row["discount_rate"].iloc[0])))
    fleet = servers[before], lot[start], servers[to_stage]
    bought, to_lot = moves.hardware(facts, server, fleet, discount, months)
    there = moves.lots(np.arange(months))[:, None] >= lot[start]
    # as in `evaluate`, the limit is on the first servers, not on those a fleet grows by
    there &= (fleet[0] > 0) | (fleet[2] * server.bought_usd <= row["capex_limit_usd"].iloc[0])
    left = -servers[stage] * server.fetches(facts, months, lot)
    running, bound = usd[:, :-1, :, stage]
    programme = Programme(
        running=running,
        end=np.tile(left, (running.shape[1], 1)),
        bound=bound,
        start=start,
        to=np.searchsorted(stage, to_stage) + to_lot,
        price=np.where(there, paid + bought, np.inf),
        lead=lead,
        beside=new * facts.value("roadmap.double_running_months"),
        # a contract ends anywhere in its year: what the lead leaves of it on average
        left=np.maximum(0, MONTHS_PER_YEAR - lead) ** 2 / (2 * MONTHS_PER_YEAR),
        up=float(1 / (1 + np.exp(spread(row, facts)))),
        discount=discount,
        early=EARLY,
    )
    return programme, to_stage
