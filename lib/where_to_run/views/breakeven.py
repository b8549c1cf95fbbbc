"""Break-even: its panels, an answer of one scenario in, pieces of a page out."""

from collections.abc import Callable
from html import escape

import pandas as pd

from ..analysis import breakeven
from ..analysis.breakeven import By
from ..decision.answer import Answer
from ..decision.routing import TITLES
from ..inputs.question import BY_NAME, busiest
from ..units import HOURS_PER_WEEK
from . import charts
from .decision_map import map_chart, percent
from .figure import of
from .panel import Pieces
from .table import Cell, money, table
from .titles import distinct, titles

Panel = Callable[[Answer], Pieces]

WORDS: dict[By, str] = {"recommended": "is recommended", "cheapest": "costs least"}


def along(field: str, by: By = "recommended") -> Panel:
    """A panel: the intervals of a field on which each option wins, drawn and listed; who never wins is named."""

    def panel(answer: Answer) -> Pieces:
        found = breakeven.intervals(answer.scenarios, answer.facts, field, by, hours=answer.hours)
        shown = {
            "Option": [TITLES.get(name, "nothing is allowed") for name in found["option"]],
            "From": [Cell(_short(value), value) for value in found["start"]],
            "To": [Cell(_short(value), value) for value in found["end"]],
        }
        never = [title for name, title in TITLES.items() if name not in {*found["option"], SEARCH}]
        words = f"<p>Never within the range: {', '.join(never)}.</p>" if never else ""
        words += _searched(answer, found["option"])
        words += _by_the_law(answer) if field == breakeven.SPIKINESS else ""
        caption = (
            f"Which option {WORDS[by]} along {BY_NAME[field].label.lower()} [{BY_NAME[field].unit}], all else as asked"
        )
        return Pieces([charts.winning_intervals(found, BY_NAME[field]), table(shown, caption) + words])

    return panel


def decision_map(answer: Answer) -> Pieces:
    """A panel: what is recommended over volume and spikiness, the scenario marked, and what is struck out where."""
    x, y = BY_NAME["requests_per_month"], BY_NAME[breakeven.SPIKINESS]
    cells = breakeven.decision_map(answer.scenarios, answer.facts, x.name, y.name, breakeven.FINE)
    coarse = breakeven.grid(answer.scenarios, answer.facts, x.name, y.name, breakeven.COARSE)
    row = answer.scenarios.iloc[0]
    picture = of(map_chart(cells, x, y, (row[x.name], row[y.name])))
    share = cells["option"].value_counts(normalize=True)
    shown = {
        "Option": [TITLES.get(name, "nothing is allowed") for name in share.index],
        "Share of the map": [Cell(percent(part), part) for part in share],
    }
    told = HATCHED if cells["near"].any() else ""
    told += _by_the_law(answer) + _searched(answer, cells["option"]) + _struck_out(coarse)
    return Pieces([picture, table(shown, "What is recommended where") + told])


HATCHED = "<p>Hatched: the runner-up comes to at most a tenth more.</p>"
"""What is said where something is near."""


def _by_the_law(answer: Answer) -> str:
    """What is said where spikiness varies while measured hours are in use, or some hours of the week are idle."""
    hours = float(answer.asked["hours_per_week"])
    cut = f"<p>{busiest(hours)}, so nothing is shown below.</p>" if hours < HOURS_PER_WEEK else ""
    if answer.hours is None:
        return cut
    return f"<p>Where the spikiness varies, hours follow the Gamma law, not your log.</p>{cut}"


SEARCH = "free_search"
"""The option that is whatever a search over all routings finds."""


def _searched(answer: Answer, found: pd.Series) -> str:
    """What is said of the option found by search, where it wins."""
    if SEARCH not in set(found):
        return ""
    here = f"; as asked it is {escape(titles(answer)[SEARCH])}" if SEARCH in distinct(answer) else ""
    return f"<p>{TITLES[SEARCH]}: a routing that is none of the others{here}.</p>"


def _struck_out(grid: Answer) -> str:
    """A list of the rules and limits, and of the options each strikes out over some or all of the map."""
    found = breakeven.struck_out(grid)
    found = found[found["option"] != SEARCH]
    items = ""
    for rule, rows in found.groupby("rule", sort=False):
        words = rows["share"].map(lambda share: "all of the map" if share == 1 else percent(share))
        titles = rows["option"].map(TITLES).groupby(words, sort=False).agg(", ".join)
        over = "; ".join(f"{names} on {share}" for share, names in titles.items())
        because = escape(rows["because"].iloc[0]).rstrip(".")
        items += f"<li><strong>{escape(str(rule))}</strong> strikes out {over}. For instance: {because}.</li>"
    return f"<p>Struck out on the map, each by the first reason there is:</p><ul>{items}</ul>" if items else ""


def what_would_it_take(answer: Answer) -> Pieces:
    """A panel: month of payback against the API, and the factor on one figure at which both cost the same."""
    if not breakeven.comparable(answer):
        return Pieces(["<p>Nothing to compare: the API, or every self-hosted option, cannot run this as asked.</p>"])
    named, factors = titles(answer), breakeven.break_even(answer)
    shown = {
        "Option": factors["option"].map(named),
        "What": factors["what"],
        "Factor at which it costs what the API costs": [Cell(_factor(factor), factor) for factor in factors["factor"]],
    }
    cost = answer.options.set_index("option")["usd_per_month"]
    options = breakeven.comparable(answer)
    paid = [breakeven.payback(answer, option, "api") for option in options]
    months = {
        "Option": [named[option] for option in options],
        "USD a month": money(cost[option] for option in options),
        "Ahead from month": [Cell(_month(found["month"]), found["month"]) for found in paid],
        "The same, discounted": [Cell(_month(found["discounted_month"]), found["discounted_month"]) for found in paid],
    }
    tables = table(months, "Payback against the vendor's API"), table(shown, "What would have to change, alone", left=2)
    return Pieces(tables)


def _short(value: float) -> str:
    return f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}"


def _factor(value: float) -> str:
    return "no factor will do" if pd.isna(value) else f"{value:.2f} x today's"


def _month(value: float) -> str:
    return "never within the horizon" if pd.isna(value) else f"{value:.0f}"
