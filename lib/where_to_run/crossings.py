"""Crossings: the panels of break-even, an answer of one scenario in, a piece of HTML out."""

from collections.abc import Callable
from html import escape

import pandas as pd

from . import breakeven, charts
from .breakeven import By
from .evaluate import Answer
from .options import TITLES
from .panels import table, usd
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
        never = [title for name, title in TITLES.items() if name not in set(found["option"])]
        words = f"<p>Never within the range: {', '.join(never)}.</p>" if never else ""
        caption = f"Which option {WORDS[by]} along {field} [{BY_NAME[field].unit}], all else as asked"
        return charts.figure(charts.winning_intervals(found, BY_NAME[field])) + table(shown, caption) + words

    return panel


def decision_map(answer: Answer) -> str:
    """A panel: who costs least over volume and spikiness, the scenario marked."""
    x, y = BY_NAME["requests_per_month"], BY_NAME["spikiness"]
    cells = breakeven.decision_map(answer.scenarios, answer.facts, x.name, y.name)
    row = answer.scenarios.iloc[0]
    picture = charts.figure(charts.decision_map(cells, x, y, (row[x.name], row[y.name])))
    share = cells["option"].value_counts(normalize=True)
    shown = pd.DataFrame(
        {
            "Option": [TITLES.get(name, "nothing is allowed") for name in share.index],
            "Share of the map": share.map("{:.0%}".format).to_numpy(),
        }
    )
    reasons = [reason for reason in cells["because"].unique() if reason]
    barred = "".join(f"<p>Grey: {escape(str(reason)).rstrip('.')}.</p>" for reason in reasons[:1])
    return picture + table(shown, "Who costs least where") + barred


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
