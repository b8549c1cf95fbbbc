"""Order: what makes the order of the options, as differences to the recommended one, and at which premium it turns."""

from html import escape
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..decision.answer import Answer
from ..formulas import scoring
from ..inputs.question import BY_NAME, CRITERIA
from ..units import Array
from . import charts
from .panel import Fold, Pieces
from .table import Cell, money, numbers, table, usd
from .titles import distinct, titles

Row = dict[str, Any]


def best_first(answer: Answer) -> list[Row]:
    """The options of a one-row answer with their titles, each once: by rank, then by cost, what has none last."""
    named, here = titles(answer), set(distinct(answer))

    def place(row: Row) -> list[float]:
        return [np.inf if np.isnan(row[name]) else row[name] for name in ("rank", "npv_usd")]

    return [row | {"title": named[row["option"]]} for row in sorted(answer.rows, key=place) if row["option"] in here]


def allowed(answer: Answer) -> list[Row]:
    """Those of `best_first` that have a rank."""
    return [row for row in best_first(answer) if not np.isnan(row["rank"])]


def conditions(answer: Answer, option: str) -> list[str]:
    """On what an option of a one-row answer is allowed, a sentence each."""
    spoken = zip(*(answer.verdicts[name] for name in ("option", "verdict", "because")), strict=True)
    return [*dict.fromkeys(because for *about, because in spoken if about == [option, "conditional"])]


def differences(answer: Answer) -> pd.DataFrame:
    """What each allowed option comes to more than the recommended one [USD/month]: an option a row, best first.

    Columns: `level_usd_per_month`, every criterion, what its drawback is worth, and `together`, their sum: the
    difference of the generalised costs.
    """
    rows = allowed(answer)
    names, level = [row["option"] for row in rows], [row["level_usd_per_month"] for row in rows]
    found = pd.DataFrame(_by_criterion(answer, "usd_per_month", names), names, list(CRITERIA))
    found.insert(0, "level_usd_per_month", level)
    found = found - found.iloc[:1].to_numpy()
    return found.assign(together=found.sum(axis=1))


def _by_criterion(answer: Answer, column: str, names: list[str]) -> Array:
    """A column of the drawbacks of a one-row answer over (option, criterion)."""
    # they stand option by option in the order of the answer, and in each criterion by criterion
    found = answer.drawbacks[column].to_numpy(float).reshape(-1, len(CRITERIA))
    return found[[answer.names.index(name) for name in names]]


def explained(answer: Answer) -> Pieces:
    """A panel: level cost and what drawbacks are worth, by option; as differences to the recommended option."""
    rows = allowed(answer)
    if not rows:
        return Pieces(["<p>No option is allowed, so there is none to be recommended.</p>"])
    named, found, first = titles(answer), differences(answer), rows[0]
    moved = [criterion for criterion in CRITERIA if found[criterion].abs().max() >= 0.5]
    shown: dict[str, Any] = {
        "Option": [row["title"] for row in rows],
        "Level cost": money(row["level_usd_per_month"] for row in rows),
        "More level cost": more(found["level_usd_per_month"]),
        **{spoken(criterion).capitalize(): more(found[criterion]) for criterion in moved},
        "More in all": more(found["together"]),
    }
    caption = f"What each option comes to more than {first['title']} [USD/month]"
    premiums = Fold("premiums", "Premiums, and the value of each option on each criterion", lambda: _values(answer))
    return Pieces([charts.order_by_option(_parts(answer, rows), named), table(shown, caption), premiums])


def more(amounts: pd.Series) -> list[Cell]:
    """Differences as cells: +$1,234 or -$56."""
    return [Cell(("+" if amount >= 0.5 else "") + usd(amount), amount) for amount in amounts]


def spoken(criterion: str) -> str:
    """A criterion in words."""
    return criterion.replace("_", " ")


def _parts(answer: Answer, rows: list[Row]) -> pd.DataFrame:
    """What the bars of the order are made of: option, group, usd."""
    names, groups = [row["option"] for row in rows], [charts.LEVEL, *map(spoken, CRITERIA)]
    level = np.array([[row["level_usd_per_month"]] for row in rows])
    every = np.hstack([level, _by_criterion(answer, "usd_per_month", names)])
    return pd.DataFrame({"option": np.repeat(names, len(groups)), "group": groups * len(names), "usd": every.ravel()})


def _values(answer: Answer) -> str:
    """Premium of each criterion and the value of every allowed option on it, as HTML."""
    rows = allowed(answer)
    names = [row["option"] for row in rows]
    value, premium = (_by_criterion(answer, column, names) for column in ("value", "premium"))
    shown: dict[str, Any] = {
        "Criterion": [*map(spoken, CRITERIA)],
        "Premium, share of the cost": numbers(premium[0], "{:.1%}"),
        **{row["title"]: numbers(of_it, "{:.2f}") for row, of_it in zip(rows, value, strict=True)},
    }
    return table(
        shown, "Value from 0, the worst, to 1, the best; a drawback is worth premium x (1 - value) x level cost"
    )


# At which premium the order turns


class Turn(NamedTuple):
    """A premium at which a second option overtakes the first: `now` and `then` as shares, on a criterion by position;
    `usd` is that share of the level cost of the option that has the drawback [USD/month].
    """

    criterion: int
    now: float
    then: float
    usd: float


HIGHEST = BY_NAME["premium"].high
"""The most a premium may be."""


def turn(cost: Array, values: Array, premiums: Array) -> Turn | None:
    """The least change of one premium that makes the second of two options win; none where none up to HIGHEST does.

    `cost` is the level cost of the two [USD/month], `values` over (option, criterion) and `premiums` of the criteria
    [share].
    """
    found = list[Turn]()
    for at, now in enumerate(premiums.tolist()):
        others = np.delete(premiums * (1 - values), at, axis=1).sum(axis=1)
        then = float(scoring.switching_premium(cost, others, values[:, at]))
        loses = cost * (1 - values[:, at])
        # a higher premium speaks for the option that loses less by it
        bearer = 0 if loses[0] > loses[1] else 1
        if not np.isnan(then) and 0 <= then <= HIGHEST and (then >= now) == (bearer == 0):
            found.append(Turn(at, now, then, then * float(cost[bearer])))
    return min(found, key=lambda one: abs(one.then - one.now), default=None)


def switching(answer: Answer) -> str:
    """In a sentence, the premium at which the best other option overtakes the recommended one; empty where none is."""
    if len(rows := allowed(answer)[:2]) < 2:
        return ""
    names = [row["option"] for row in rows]
    value, premium = (_by_criterion(answer, column, names) for column in ("value", "premium"))
    found = turn(np.array([row["level_usd_per_month"] for row in rows]), value, premium[0])
    return told(found, "the recommended option", rows[1]["title"])


def told(found: Turn | None, first: str, second: str) -> str:
    """A turn in words, or that there is none."""
    first, second = escape(first), escape(second)
    if found is None:
        return f"No premium up to {HIGHEST * 100:.0f} % on a single criterion would make {second} win."
    criterion = spoken(CRITERIA[found.criterion])
    now, then = _percents(found.now, found.then)
    if found.then >= found.now:
        return (
            f"{second} wins if you would pay {then} of the bill of {first} ({usd(found.usd)} a month) for {criterion}; "
            f"your priorities say {now}."
        )
    return (
        f"{second} wins if {criterion} is worth less than {then} of its bill to you ({usd(found.usd)} a month); "
        f"your priorities say {now}."
    )


def _percents(*shares: float) -> list[str]:
    """Shares with as many decimals as tell them apart, two at most."""
    for decimals in (0, 1, 2):
        written = [f"{share:.{decimals}%}".replace("%", " %") for share in shares]
        if len(set(written)) == len(written):
            return written
    return written
