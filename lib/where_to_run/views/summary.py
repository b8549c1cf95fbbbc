"""Summary: how sure the answer is, in a sentence, and the options that matter side by side."""

from html import escape
from math import ceil

from ..analysis import uncertainty
from ..decision.answer import Answer
from ..decision.routing import API
from ..inputs.question import GOOD_ENOUGH
from . import order
from .figure import records
from .order import Row
from .panel import Pieces
from .table import about, money, table, usd
from .titles import titles


def sure(answer: Answer) -> Pieces:
    """What the recommended option comes to in nine draws of ten, and how often it comes first; nothing to tell where
    nothing is allowed.
    """
    if not (ranked := order.allowed(answer)):
        return Pieces([])
    found, named = uncertainty.odds(uncertainty.run(answer)), titles(answer)
    chosen = answer.option(ranked[0]["option"]).comes_to
    mine = next(row for row in records(found) if answer.option(row["option"]).comes_to == chosen)
    says = f"In nine draws of ten its level cost is {about(mine['p5'])} to {about(mine['p95'])} a month. "
    if len(found) == 1:
        return Pieces([f"<p class='sure'>{says}Nothing else is allowed.</p>"])
    says += f"It comes first in {_share(mine['best'])} of the draws"
    first = max(records(found), key=lambda row: row["best"])
    if first["option"] != mine["option"]:
        says += f"; {escape(named[first['option']])} in {_share(first['best'])}, so it is close: see Uncertainty"
    return Pieces([f"<p class='sure'>{says}.</p>"])


def _share(share: float) -> str:
    """A share of draws in words: all of them is never said of what was drawn."""
    return "more than 99 %" if share > 0.99 else "fewer than 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def cards(answer: Answer) -> Pieces:
    """The recommended option, an API and what one runs oneself, each once: cost, weeks, people, verdict, bill."""
    rows = [row for row in order.best_first(answer) if answer.option(row["option"]).fits]
    # best first, so that of each kind the first is the one to show
    shown: dict[str, list[str]] = {}
    for label, here in (
        ("Recommended", [row for row in rows if row["recommended"]]),
        (_api(answer), [row for row in rows if answer.option(row["option"]).places == {API}]),
        ("Best to run yourself", [row for row in rows if _own(answer, row["option"])]),
    ):
        if here:
            shown.setdefault(here[0]["option"], []).append(label)
    by_option = {row["option"]: row for row in rows}
    means = records(answer.means)
    made = "".join(_card(answer, by_option[option], labels, means) for option, labels in shown.items())
    return Pieces([f"<div class='cards'>{made}</div>"])


def _api(answer: Answer) -> str:
    return "Best API" if answer.asked["api_model"] == GOOD_ENOUGH else "The API you asked for"


def _own(answer: Answer, option: str) -> bool:
    """Whether no request of an option goes to an API."""
    parts = [part for part in answer.option(option).parts if part.share[0] > 0]
    return not any(part.place == API or (part.second == API and part.may[0]) for part in parts)


def _card(answer: Answer, row: Row, labels: list[str], means: list[Row]) -> str:
    weeks = ceil(row["launch_weeks"])
    people = f"{row['hires']:.1f} FTE to add" if row["hires"] >= 0.05 else "nobody to add"
    label = labels[0] + "".join(f", and {other[0].lower()}{other[1:]}" for other in labels[1:])
    today = float(answer.asked["today_usd_per_month"])
    more = row["usd_per_month"] - today
    against = f"<p>{about(abs(more))} a month {'more' if more > 0 else 'less'} than today</p>" if today else ""
    return (
        f"<section class='card{' struck' if row['verdict'] == 'blocked' else ''}'><h3>{escape(label)}</h3>"
        f"<p><strong>{escape(row['title'])}</strong></p>"
        f"<p class='figure'>{about(row['usd_per_month'])} <small>a month</small></p>{against}"
        f"<p>{weeks} week{'s' * (weeks != 1)}, {people}</p><p>{escape(_verdict(answer, row))}</p>"
        f'<details data-key="bill {escape(row["option"])}"><summary>The bill, {usd(row["usd_per_month"])}</summary>'
        f"{_bill(answer, [line for line in means if line['option'] == row['option']])}</details></section>"
    )


def _verdict(answer: Answer, row: Row) -> str:
    """Why an option is recommended, what it costs more, or what strikes it out, in a sentence."""
    if row["verdict"] == "blocked":
        return f"Struck out: {row['because']}"
    first = order.allowed(answer)[0]
    more = row["generalised_usd_per_month"] - first["generalised_usd_per_month"]
    says = f"{about(more)} a month more, drawbacks counted." if row is not first else ""
    if row["recommended"]:
        says = "Least cost, drawbacks counted."
    return f"{says} On a condition." if order.conditions(answer, row["option"]) else says


def _bill(answer: Answer, lines: list[Row]) -> str:
    """The lines of an option, the largest first."""
    lines = sorted(lines, key=lambda line: -line["usd_per_month"])
    amounts = [line["usd_per_month"] for line in lines]
    shown = {"Line": [*(line["line"] for line in lines), "Together"], "USD a month": money([*amounts, sum(amounts)])}
    return table(shown, f"Mean of {answer.asked['horizon_months']} months")
