"""What your rules cost: what the answer would be without a rule, a limit or a demand of the scenario."""

from html import escape
from typing import Any

import pandas as pd

from ..decision.answer import Answer
from ..decision.evaluate import evaluate
from ..decision.prices import ENOUGH, Without, prices, without_vendors
from ..inputs.facts import remembered
from .panel import Fold, Pieces, aside
from .table import about, money, table, usd
from .titles import titles

SHOWN, LEAST = 8, 0.01
"""Rows of the table, and the share of the cost that a row must save to stand in it."""


@remembered
def otherwise(answer: Answer, fields: tuple[tuple[str, Any], ...]) -> Answer:
    """The answer once the fields have other values."""
    return evaluate(answer.scenarios.assign(**dict(fields)), answer.facts, answer.hours, ENOUGH)


def _there(answer: Answer, fields: tuple[tuple[str, Any], ...], option: str) -> str:
    """Title of the option that is recommended once the fields have other values."""
    return titles(otherwise(answer, fields))[option]


def _destinations(answer: Answer, rows: pd.DataFrame) -> list[str]:
    pairs = zip(rows["fields"], rows["option"], strict=True)
    return [_there(answer, tuple(fields.items()), option) for fields, option in pairs]


def opened(answer: Answer) -> list[tuple[str, str]]:
    """What would open an option where nothing is allowed, in words, with the title of that option."""
    rows = prices(answer)
    few = rows[rows["bars"] == rows["bars"].min()].head(SHOWN)
    return list(zip(few["lifted"], _destinations(answer, few), strict=True))


def _without_vendors(answer: Answer) -> str:
    """A sentence for each firm behind the recommendation: the answer without it, and whether that is another place."""
    return "".join(f"<p>{escape(_without(answer, one))}</p>" for one in without_vendors(answer))


def _without(answer: Answer, one: Without) -> str:
    if not one.option:
        return f"Without {one.firm} nothing is allowed: the recommendation hangs on what this one firm offers."
    says = f"Without {one.firm} the answer would be {_there(answer, tuple(one.fields.items()), one.option)}, "
    says += f"{usd(one.more_usd_per_month)} a month more, drawbacks counted"
    now = answer.option(str(answer.figures.loc[answer.figures["recommended"], "option"].iloc[0]))
    then = otherwise(answer, tuple(one.fields.items())).option(one.option)
    hangs = ": where to run hangs on the prices of this one firm." if now.places != then.places else "."
    return says + hangs


@aside
def price_of_rules(answer: Answer) -> Pieces:
    """A panel: one row a rule, limit or demand that costs something, and pairs that only together open more."""
    rows, now = prices(answer), answer.figures[answer.figures["recommended"]]
    least = LEAST * now["level_usd_per_month"].sum()
    each = rows[(rows["bars"] <= 2) & ~(rows["saves_usd_per_month"] < least)].head(SHOWN)
    firms = _without_vendors(answer)
    if each.empty:
        nothing = "<p>Your rules, limits and demands cost nothing: without any of them the answer is the same.</p>"
        return Pieces([nothing + firms])
    together, alone = rows[rows["bars"] > 2], rows[rows["bars"] == 1]
    says = ""
    if len(together) and together["saves_usd_per_month"].notna().all():
        all_of_it, by_one = together["saves_usd_per_month"].iloc[0], alone["saves_usd_per_month"].sum()
        says = (
            f"<p>All your rules, limits and demands together cost {usd(all_of_it)} a month; one by one they explain "
            f"{usd(by_one) if by_one < all_of_it else 'all of it'}.</p>"
        )
    shown = {
        "With": [words[0].upper() + words[1:] for words in each["lifted"]],
        "Lifts": ["a rule or limit" if filters else "a demand" for filters in each["filters"]],
        "the answer would be": _destinations(answer, each),
        "USD a month": money(each["usd_per_month"]),
        "Saves, drawbacks counted": money(each["saves_usd_per_month"]),
        "Changes the level cost by": money(each["bill_usd_per_month"]),
    }
    caption = "What the answer would be without a rule, a limit or a demand"
    told = zip(shown["With"], shown["the answer would be"], each["saves_usd_per_month"], strict=True)
    listed = "".join(f"<li>{escape(_saving(*one))}</li>" for one in list(told)[:LISTED])
    summary = "Every rule, limit and demand that costs something"
    every = Fold("rules", summary, lambda: says + table(shown, caption, left=3))
    return Pieces([f"<ul>{listed}</ul>", every, firms])


LISTED = 4
"""Rows that are told in a sentence."""


def _saving(lifted: str, title: str, saves: float) -> str:
    """A rule that is lifted, in a sentence; where nothing is allowed now there is nothing to compare with."""
    return f"{lifted}: {title}" + ("." if pd.isna(saves) else f", {about(saves)} a month less, drawbacks counted.")
