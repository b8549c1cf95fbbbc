"""Break-even: where along a field the winner changes, and what would make two options cost the same."""

from typing import Literal

import numpy as np
import pandas as pd

from .bills import CAPITAL
from .evaluate import Answer, evaluate
from .facts import Facts
from .finance import discount_factors, monthly_rate
from .scenario import BY_NAME, ScenarioError
from .units import Array

By = Literal["cheapest", "recommended"]
NONE = "none"
"""The winner where nothing is allowed."""

SCAN_POINTS = 400
"""Points of the first scan; a winner that holds on less than the gap between two of them can be missed."""

HALVINGS = 30
"""Bisections of each change found: they place it to a billionth of the gap."""

CLOSE = 0.10
"""A runner-up within this share of the winner's cost is near."""


def axis(field: str, low: float | None = None, high: float | None = None, points: int = SCAN_POINTS) -> Array:
    """Values along a numeric field from low to high (default: its slider), even on its scale; whole where it is.

    Refuses a field without numbers, and ends outside its range.
    """
    asked = BY_NAME.get(field)
    if asked is None or asked.kind not in ("number", "whole"):
        numeric = [f.name for f in BY_NAME.values() if f.kind in ("number", "whole")]
        raise ScenarioError(f"break-even goes along a numeric field, not {field!r}: one of {', '.join(numeric)}")
    first, last = asked.slider or (asked.low, asked.high)
    first, last = first if low is None else low, last if high is None else high
    if not asked.low <= first < last <= asked.high:
        raise ScenarioError(
            f"{field}: from {first:g} to {last:g} asked; allowed: {asked.allowed}, the first below the last"
        )
    values = np.geomspace(first, last, points) if asked.log and first > 0 else np.linspace(first, last, points)
    return np.unique(np.round(values)) if asked.kind == "whole" else values


def winners(answer: Answer, by: By = "cheapest") -> Array:
    """Name of the winning option of every scenario: the least present value or the best score among what is allowed."""
    rows = answer.options[answer.options["verdict"] != "blocked"]
    best = rows.sort_values("npv_usd" if by == "cheapest" else "rank", kind="stable").drop_duplicates("scenario")
    found = pd.Series(best["option"].astype(str).to_numpy(), index=best["scenario"].to_numpy())
    return found.reindex(range(len(answer.scenarios)), fill_value=NONE).to_numpy(dtype=object)


def _vary(scenario: pd.DataFrame, values: dict[str, Array]) -> pd.DataFrame:
    number = len(next(iter(values.values())))
    rows = pd.DataFrame({name: np.repeat(scenario[name].to_numpy()[:1], number) for name in scenario.columns})
    return rows.assign(**values)


def intervals(
    scenario: pd.DataFrame,
    facts: Facts,
    field: str,
    by: By = "cheapest",
    low: float | None = None,
    high: float | None = None,
) -> pd.DataFrame:
    """Intervals of a field on which each option wins, everything else as in the one-row scenario.

    Columns: option, start, end, in the field's unit, in order; `none` where nothing is allowed. All crossings are
    kept: whole machines make cost curves cross back. An option without a row never wins within the range.
    """
    values = axis(field, low, high)
    found = winners(evaluate(_vary(scenario, {field: values}), facts), by)
    change = np.flatnonzero(found[1:] != found[:-1])
    left, right = values[change], values[change + 1]
    before = found[change]
    for _ in range(HALVINGS if len(change) and BY_NAME[field].kind == "number" else 0):
        middle = (left + right) / 2
        same = winners(evaluate(_vary(scenario, {field: middle}), facts), by) == before
        left, right = np.where(same, middle, left), np.where(same, right, middle)
    starts, ends = np.append(values[0], right), np.append(right, values[-1])
    return pd.DataFrame({"option": found[np.append(0, change + 1)], "start": starts, "end": ends})


def decision_map(
    scenario: pd.DataFrame,
    facts: Facts,
    x: str = "requests_per_month",
    y: str = "spikiness",
    points: int = 80,
    by: By = "cheapest",
) -> pd.DataFrame:
    """Winner over a grid of two fields, everything else as in the one-row scenario.

    Columns: x and y under their names, option, runner_up, near (whether it costs at most a tenth more), because (what
    strikes everything out where nothing is allowed).
    """
    grid = np.meshgrid(axis(x, points=points), axis(y, points=points))
    answer = evaluate(_vary(scenario, {x: grid[0].ravel(), y: grid[1].ravel()}), facts)
    found = winners(answer, by)
    shape = (len(answer.scenarios), -1)
    cost = answer.options["npv_usd"].to_numpy().reshape(shape)
    cost = np.where((answer.options["verdict"] == "blocked").to_numpy().reshape(shape), np.inf, cost)
    names = answer.options["option"].astype(str).to_numpy().reshape(shape)
    won = names == found[:, None]
    least = np.where(won, cost, np.inf).min(axis=1)
    others = np.where(won | np.isclose(cost, least[:, None], rtol=1e-9), np.inf, cost)
    second = others.argmin(axis=1)
    rows = np.arange(len(found))
    runner_up = np.where(np.isfinite(others[rows, second]), names[rows, second], NONE)
    near = (runner_up != NONE) & (others[rows, second] <= least * (1 + CLOSE))
    because = answer.options["because"].to_numpy(dtype=object).reshape(shape)[:, 0]
    return pd.DataFrame(
        {
            x: grid[0].ravel(),
            y: grid[1].ravel(),
            "option": found,
            "runner_up": runner_up,
            "near": near,
            "because": np.where(found == NONE, because, ""),
        }
    )


def payback(answer: Answer, option: str, against: str) -> dict[str, float]:
    """Month from which an option has cost no more in all than another, plain and discounted; NaN for never.

    The month is the first after which it stays so to the end of the horizon, on cash lines.
    """
    cash = answer.lines[answer.lines["line"] != CAPITAL]
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


SET_UP = ("set-up project", "platform services")
MACHINES = ("machines", "spot machines", "contract past the horizon")


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
    months = float(answer.scenarios["horizon_months"].iloc[0])
    usd = answer.lines.groupby(["option", "line"], observed=True)["usd"].sum() / months
    place = answer.lines.groupby(["option", "place"], observed=True)["usd"].sum() / months
    api = usd["api"].sum()
    tokens = place["api"]["vendor_api"] - usd["api"].reindex(SET_UP).sum()
    rows = []
    for option in comparable(answer):
        mine = usd[option].sum()
        rents = usd[option].reindex(MACHINES).fillna(0.0).sum()
        people = place[option].get("people", 0.0)
        row = answer.options.set_index("option").loc[option]
        rows.append((option, "API token prices", _factor(mine - (api - tokens), tokens), np.nan, "times today's"))
        if rents > 0:
            rows.append((option, "GPU rents", _factor(api - (mine - rents), rents), np.nan, "times today's"))
        rows.append((option, "people", _factor(api - (mine - people), people), np.nan, "times today's"))
        rows.append((option, "utilisation", mine / api, row["utilisation"] * mine / api, "share"))
    return pd.DataFrame(rows, columns=columns)


def _factor(needed: float, today: float) -> float:
    return needed / today if today > 0 and needed > 0 else np.nan
