"""Break-even: where along a field the winner changes, and what would make two options cost the same."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from ..decision.answer import Answer
from ..decision.evaluate import evaluate
from ..decision.routing import NAMES, ROUTINGS
from ..formulas.finance import discount_factors, monthly_rate
from ..inputs.facts import Facts, remembered
from ..inputs.question import BY_NAME, IN_USE, ScenarioError
from ..places.bill import NO_CASH, line
from ..units import HOURS_PER_WEEK, Array

By = Literal["recommended", "cheapest"]
MEASURE: dict[By, str] = {"recommended": "generalised_usd_per_month", "cheapest": "npv_usd"}
"""What is least where an option wins: the generalised cost, or the present value, which is cost alone."""

NONE = "none"
"""The winner where nothing is allowed."""

SPIKINESS = "spikiness"
"""The field that measured hours take the place of."""

SCAN_POINTS = 400
"""Points of the first scan; a winner that holds on less than the gap between two of them can be missed."""

PARTS, ROUNDS = 100, 3
"""Parts that the gap around each change is cut into, again and again: they place it to a millionth of the gap."""

FINE, COARSE = 80, 20
"""Points along a side of a map, and of the one on which what is struck out is counted."""

MAPS, SCANS = 4, 64
"""Maps and scans that are remembered: a map takes some ten megabytes."""

CLOSE = 0.10
"""A runner-up within this share of what the winner comes to is near."""

ROUNDING = 1e-9
"""Figures nearer than this share are the same."""


def axis(field: str, low: float | None = None, high: float | None = None, points: int = SCAN_POINTS) -> Array:
    """Values along a numeric field from low to high (default: its slider), even on its scale; whole where it is.

    Refuses a field without numbers, and ends outside its range.
    """
    asked = BY_NAME.get(field)
    if asked is None or not asked.numeric:
        numeric = [f.name for f in BY_NAME.values() if f.numeric]
        raise ScenarioError(f"break-even goes along a numeric field, not {field!r}: one of {', '.join(numeric)}")
    first, last = asked.slider or (asked.low, asked.high)
    first, last = first if low is None else low, last if high is None else high
    if not asked.low <= first < last <= asked.high:
        raise ScenarioError(
            f"{field}: from {first:g} to {last:g} asked; allowed: {asked.allowed}, the first below the last"
        )
    values = np.geomspace(first, last, points) if asked.log and first > 0 else np.linspace(first, last, points)
    return np.unique(np.round(values)) if asked.kind == "whole" else values


def _possible(values: Array, field: str, rest: Mapping[str, Any]) -> Array:
    """Values along a field that go with the rest of a scenario, cut off where the idle hours make it more spiky."""
    least = HOURS_PER_WEEK / float(rest[IN_USE[field]]) if field in IN_USE and IN_USE[field] in rest else values[0]
    return np.unique(np.maximum(values, least))


def winners(answer: Answer, by: By = "recommended") -> Array:
    """Name of the winning option of every scenario among what is allowed, `none` where nothing is.

    The recommended one, which has the least generalised cost, or the cheapest by present value alone. An option whose
    figures equal another's is that other: the search, which finds `rented`, is `rented`.
    """
    cost = _costs(answer, by)
    least = cost.min(axis=1, keepdims=True)
    found, best = _ties(cost, least), answer.figures["recommended"].to_numpy().reshape(cost.shape)
    if by == "recommended":
        found = np.where(best[:, [NAMES.index("free_search")]], found, best)
    return np.where(np.isfinite(least[:, 0]), np.array(NAMES, dtype=object)[found.argmax(axis=1)], NONE)


def _costs(answer: Answer, by: By) -> Array:
    """What options are compared by over (scenario, option), infinite for what is not allowed."""
    blocked = (answer.figures["verdict"] == "blocked").to_numpy()
    return np.where(blocked, np.inf, answer.figures[MEASURE[by]].to_numpy()).reshape(-1, len(NAMES))


def _ties(cost: Array, least: Array) -> Array:
    """What costs as little as the least, but for rounding."""
    return np.isfinite(cost) & np.isclose(cost, least, rtol=ROUNDING, atol=0)


class Change(NamedTuple):
    """A volume [request/month] from which another option is recommended, NONE where nothing is allowed; no option where
    that is the highest volume tried.
    """

    requests_per_month: float
    option: str | None


AHEAD, STEPS = 10.0, 12
"""How many times the volume asked is looked ahead, and the steps to there, and again between two of them."""


@remembered
def next_change(answer: Answer) -> Change:
    """The least volume above that of a one-row answer at which another option is recommended, to a hundredth or so."""
    now = str(winners(answer)[0])
    low = float(answer.asked["requests_per_month"])
    high = min(AHEAD * low, BY_NAME["requests_per_month"].high)
    found: str | None = None
    for _ in range(2):
        tried = np.geomspace(low, high, STEPS + 1)[1:]
        rows = answer.scenarios.loc[np.zeros(STEPS, int)].assign(requests_per_month=tried).reset_index(drop=True)
        won = winners(evaluate(rows, answer.facts, answer.hours))
        if not (other := won != now).any():
            return Change(high, found)
        at = int(other.argmax())
        low, high, found = (tried[at - 1] if at else low), tried[at], str(won[at])
    return Change(high, found)


Rest = tuple[tuple[str, Any], ...]
"""A scenario without the fields that vary: those that differ in nothing else are worked out once."""


def _rest(scenario: pd.DataFrame, *fields: str) -> Rest:
    return tuple(scenario.drop(columns=list(fields)).iloc[0].items())


def intervals(
    scenario: pd.DataFrame,
    facts: Facts,
    field: str,
    by: By = "recommended",
    low: float | None = None,
    high: float | None = None,
    hours: Array | None = None,
) -> pd.DataFrame:
    """Intervals of a field on which each option wins, everything else as in the one-row scenario.

    Where the idle hours alone make a load more spiky than asked, the field is cut off. Measured `hours` hold as in
    `evaluate`; along the spikiness and the hours in use they cannot, and the Gamma law takes their place.

    Columns: option, start, end, in the field's unit, in order; `none` where nothing is allowed. All crossings are
    kept: whole machines make cost curves cross back. An option without a row never wins within the range.
    """
    held = None if hours is None or field in IN_USE else tuple(hours)
    return _scan(_rest(scenario, field), facts, field, by, low, high, held)


@lru_cache(maxsize=SCANS)
def _scan(
    rest: Rest, facts: Facts, field: str, by: By, low: float | None, high: float | None, hours: tuple[float, ...] | None
) -> pd.DataFrame:
    def won(values: Array) -> Array:
        rows = pd.DataFrame({**dict(rest), field: values})
        return winners(evaluate(rows, facts, None if hours is None else np.array(hours), near=_near(by, 1.0)), by)

    values = _possible(axis(field, low, high), field, dict(rest))
    found = won(values)
    change = np.flatnonzero(found[1:] != found[:-1])
    left, right = values[change], values[change + 1]
    before = found[change]
    every = np.arange(len(change))
    for _ in range(ROUNDS if len(change) and BY_NAME[field].kind == "number" else 0):
        edges = np.linspace(left, right, PARTS + 1)
        inside = won(edges[1:-1].ravel()).reshape(-1, len(change))
        beyond = np.append(inside != before, [every >= 0], axis=0)
        first = beyond.argmax(axis=0)
        left, right = edges[first, every], edges[first + 1, every]
    starts, ends = np.append(values[0], right), np.append(right, values[-1])
    return pd.DataFrame({"option": found[np.append(0, change + 1)], "start": starts, "end": ends})


def decision_map(
    scenario: pd.DataFrame,
    facts: Facts,
    x: str = "requests_per_month",
    y: str = SPIKINESS,
    points: int = FINE,
    by: By = "recommended",
) -> pd.DataFrame:
    """Winner over a grid of two fields, everything else as in the one-row scenario: `cells` of `grid`."""
    return cells(grid(scenario, facts, x, y, points, _near(by, 1 + CLOSE)), x, y, by)


def _near(by: By, times: float) -> float | None:
    """What `evaluate` leaves out where the winner alone is asked for; nothing where cost alone decides."""
    return times if by == "recommended" else None


def grid(scenario: pd.DataFrame, facts: Facts, x: str, y: str, points: int = FINE, near: float | None = None) -> Answer:
    """Answer over a grid of two fields, everything else as in the one-row scenario; x goes fastest. With `near` as
    `evaluate` has it.
    """
    return _grid(_rest(scenario, x, y), facts, x, y, points, near)


@lru_cache(maxsize=MAPS)
def _grid(rest: Rest, facts: Facts, x: str, y: str, points: int, near: float | None) -> Answer:
    if {x, y} == {*IN_USE}:
        raise ScenarioError("spikiness and hours_per_week hang together; give a map over one of them")
    across, up = np.meshgrid(*(_possible(axis(name, points=points), name, dict(rest)) for name in (x, y)))
    return evaluate(pd.DataFrame({**dict(rest), x: across.ravel(), y: up.ravel()}), facts, near=near)


def cells(answer: Answer, x: str, y: str, by: By = "recommended") -> pd.DataFrame:
    """Winner of every cell of a grid.

    Columns: x and y under their names, option, near (whether the next best by the same measure as in `winners` that
    does not come to the same comes to at most a tenth more); where nothing is allowed, rule (ids of what
    bars there the options that are allowed elsewhere on the grid, all of them where none is, joined by commas) and
    because (the reason of the first). Options that search for a routing count last: their reason is that of one they
    tried.
    """
    found, cost = winners(answer, by), _costs(answer, by)
    least = cost.min(axis=1, keepdims=True)
    second = np.where(_ties(cost, least), np.inf, cost).min(axis=1)
    near = np.isfinite(second) & (second <= least[:, 0] * (1 + CLOSE))
    return answer.scenarios[[x, y]].assign(option=found, near=near, **_nothing(answer, found == NONE))


def _nothing(answer: Answer, nothing: Array) -> dict[str, Array]:
    """The rules and the reason where nothing is allowed, empty elsewhere."""
    barred = answer.figures["barred_by"].cat
    code = barred.codes.to_numpy().reshape(-1, len(NAMES))
    elsewhere, by_hand = (code < 0).any(axis=0), np.isin(NAMES, list(ROUTINGS))
    counts = next(np.flatnonzero(some) for some in (elsewhere & by_hand, elsewhere, by_hand) if some.any())
    rule, because = np.full((2, len(nothing)), "", dtype=object)
    at = np.flatnonzero(nothing)
    distinct, which = np.unique(code[at][:, counts], axis=0, return_inverse=True)
    rule[at] = np.array([", ".join(dict.fromkeys(barred.categories[row])) for row in distinct], object)[which]
    because[at] = answer.words(at * len(NAMES) + counts[0])[0]
    return {"rule": rule, "because": because}


def struck_out(answer: Answer) -> pd.DataFrame:
    """What is struck out in some of an answer's scenarios, and by what.

    Columns: rule (its id, or the name of the limit), option, share (of the scenarios), because (in the first of them).
    Of several reasons the one named in `options` counts.
    """
    rows = answer.figures.dropna(subset="barred_by").reset_index(names="at")
    found = rows.groupby(["barred_by", "option"], sort=False, observed=True)
    counted = found.agg(share=("scenario", "size"), at=("at", "first")).reset_index()
    counted = counted.astype({"barred_by": str, "option": str}).rename(columns={"barred_by": "rule"})
    because = answer.words(counted.pop("at").to_numpy())[0]
    return counted.assign(share=counted["share"] / len(answer.scenarios), because=because)


def payback(answer: Answer, option: str, against: str) -> dict[str, float]:
    """Month from which an option has cost no more in all than another, plain and discounted; NaN for never.

    The month is the first after which it stays so to the end of the horizon, on cash lines.
    """
    cash = answer.lines[~answer.lines["line"].isin(NO_CASH)]
    wide = cash.pivot_table(index="month", columns="option", values="usd", aggfunc="sum", observed=True)
    months = np.arange(int(answer.scenarios["horizon_months"].iloc[0]) + 1)
    saved = (wide[against] - wide[option]).reindex(months, fill_value=0.0).to_numpy()
    factors = discount_factors(monthly_rate(answer.scenarios["discount_rate"].iloc[0]), len(months))
    return {"month": _stays_ahead(saved.cumsum()), "discounted_month": _stays_ahead((saved * factors).cumsum())}


def _stays_ahead(saved_so_far: Array) -> float:
    """First month from which the sum saved is never negative again; NaN if it ends negative."""
    behind = np.flatnonzero(saved_so_far < 0)
    first = behind[-1] + 1 if len(behind) else 0
    return float(first) if first < len(saved_so_far) else np.nan


def comparable(answer: Answer) -> list[str]:
    """The self-hosted options of a one-row answer that can be costed; none where the API itself cannot."""
    cost = answer.options.set_index("option")["usd_per_month"].dropna()
    return [option for option in ("rented", "owned") if {"api", option} <= set(cost.index)]


def break_even(answer: Answer) -> pd.DataFrame:
    """What would have to change for each self-hosted option to cost what the API costs, one thing at a time.

    Columns: option, what, factor, value, unit. `factor` multiplies today's figure: all API token prices, all GPU
    rents, or the people of the option; `utilisation` is what the machines would have to reach at today's bill. NaN
    where no factor above zero will do. By mean monthly cost; exact while the same machines are chosen. An option
    that cannot be costed has no rows, and none has where the API cannot.
    """
    columns = ["option", "what", "factor", "value", "unit"]
    if not comparable(answer):
        return pd.DataFrame(columns=columns)
    means, figures = answer.means, answer.options.set_index("option")
    kind = means["line"].map(lambda name: line(name).kind)
    by_kind, by_place = (means.groupby(["option", by])["usd_per_month"].sum() for by in (kind, "place"))
    api, tokens = figures.at["api", "usd_per_month"], by_kind.get(("api", "token"), 0.0)
    rows = []
    for option in comparable(answer):
        row = figures.loc[option]
        mine = row["usd_per_month"]
        rents, people = by_kind.get((option, "rent"), 0.0), by_place.get((option, "people"), 0.0)
        rows.append((option, "API token prices", _factor(mine - (api - tokens), tokens), np.nan, "times today's"))
        if rents > 0:
            rows.append((option, "GPU rents", _factor(api - (mine - rents), rents), np.nan, "times today's"))
        rows.append((option, "people", _factor(api - (mine - people), people), np.nan, "times today's"))
        rows.append((option, "utilisation", mine / api, row["utilisation"] * mine / api, "share"))
    return pd.DataFrame(rows, columns=columns)


def _factor(needed: float, today: float) -> float:
    return needed / today if today > 0 and needed > 0 else np.nan
