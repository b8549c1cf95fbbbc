"""Crossings: the panels of break-even, an answer of one scenario in, a piece of HTML out."""

from collections.abc import Callable
from html import escape

import pandas as pd

from . import breakeven, charts, maps
from .breakeven import By
from .evaluate import Answer
from .frontier import frontier
from .panels import table, usd
from .routings import TITLES
from .scenario import BY_NAME

Panel = Callable[[Answer], str]

WORDS = {"cheapest": "costs least", "recommended": "is recommended"}


def along(field: str, by: By = "cheapest") -> Panel:
    """A panel: the intervals of a field on which each option wins, drawn and listed; who never wins is named."""

    def panel(answer: Answer) -> str:
        found = breakeven.intervals(answer.scenarios, answer.facts, field, by)
        shown = pd.DataFrame(
            {
                "Option": found["option"].map(lambda name: TITLES.get(name, "nothing is allowed")),
                "From": found["start"].map(_short),
                "To": found["end"].map(_short),
            }
        )
        left_out = {breakeven.MIX} if by == "cheapest" else set()
        never = [title for name, title in TITLES.items() if name not in {*found["option"], *left_out}]
        words = f"<p>Never within the range: {', '.join(never)}.</p>" if never else ""
        words += _left_out(found["option"]) if left_out else ""
        caption = f"Which option {WORDS[by]} along {field} [{BY_NAME[field].unit}], all else as asked"
        return charts.figure(charts.winning_intervals(found, BY_NAME[field])) + table(shown, caption) + words

    return panel


def decision_map(answer: Answer) -> str:
    """A panel: who costs least over volume and spikiness, the scenario marked, and what is struck out where."""
    x, y = BY_NAME["requests_per_month"], BY_NAME["spikiness"]
    grid = breakeven.grid(answer.scenarios, answer.facts, x.name, y.name)
    cells = breakeven.cells(grid, x.name, y.name)
    line = frontier(answer.scenarios, answer.facts, cells[y.name].unique())
    line = line[(cells["option"] != breakeven.NONE).any() & line[x.name].notna()]
    row = answer.scenarios.iloc[0]
    picture = charts.figure(maps.decision_map(cells, x, y, (row[x.name], row[y.name]), line))
    share = cells["option"].value_counts(normalize=True)
    shown = pd.DataFrame(
        {
            "Option": [TITLES.get(name, "nothing is allowed") for name in share.index],
            "Share of the map": share.map(maps.percent).to_numpy(),
        }
    )
    told = (HATCHED if cells["near"].any() else "") + (FRONTIER if len(line) else "")
    return picture + table(shown, "Who costs least where") + told + _left_out(cells["option"]) + _struck_out(grid)


HATCHED = "<p>Hatched: the runner-up costs at most a tenth more.</p>"
"""What is said where something is near."""

FRONTIER = (
    "<p>Dashed: from this volume on a base of rented machines with bursts at the API can cost less than the API alone, "
    "by the closed form for machines of any size. Whole machines move it to the right.</p>"
)
"""What is said of the frontier where it is drawn."""


def _left_out(found: pd.Series) -> str:
    """What is said of best mix, which does not compete."""
    alone = " It shows where nothing else is allowed." if breakeven.MIX in set(found) else ""
    return f"<p>{TITLES[breakeven.MIX]} is the cheapest of all by construction and left out.{alone}</p>"


def _struck_out(grid: Answer) -> str:
    """A list of the rules and limits, and of the options each strikes out over some or all of the map."""
    found = breakeven.struck_out(grid)
    found = found[found["option"] != breakeven.MIX]
    items = ""
    for rule, rows in found.groupby("rule", sort=False):
        words = rows["share"].map(lambda share: "all of the map" if share == 1 else maps.percent(share))
        titles = rows["option"].map(TITLES).groupby(words, sort=False).agg(", ".join)
        over = "; ".join(f"{names} on {share}" for share, names in titles.items())
        because = escape(rows["because"].iloc[0]).rstrip(".")
        items += f"<li><strong>{escape(str(rule))}</strong> strikes out {over}. For instance: {because}.</li>"
    return f"<p>Struck out on the map, each by the first reason there is:</p><ul>{items}</ul>" if items else ""


def what_would_it_take(answer: Answer) -> str:
    """A panel: month of payback against the API, and the factor on one figure at which both cost the same."""
    if not breakeven.comparable(answer):
        return "<p>Nothing to compare: the API, or every self-hosted option, cannot run this as asked.</p>"
    factors = breakeven.break_even(answer)
    shown = pd.DataFrame(
        {
            "Option": factors["option"].map(TITLES),
            "What": factors["what"],
            "Factor at which it costs what the API costs": factors["factor"].map(_factor),
        }
    )
    rows, cost = [], answer.options.set_index("option")["usd_per_month"]
    for option in breakeven.comparable(answer):
        found = breakeven.payback(answer, option, "api")
        rows.append((TITLES[option], usd(cost[option]), _month(found["month"]), _month(found["discounted_month"])))
    months = pd.DataFrame(rows, columns=["Option", "USD a month", "Ahead from month", "The same, discounted"])
    return table(months, "Payback against the vendor's API") + table(shown, "What would have to change, alone", left=2)


def _short(value: float) -> str:
    return f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}"


def _factor(value: float) -> str:
    return "no factor will do" if pd.isna(value) else f"{value:.2f} x today's"


def _month(value: float) -> str:
    return "never within the horizon" if pd.isna(value) else f"{value:.0f}"
