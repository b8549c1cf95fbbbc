"""Sources: the facts behind an answer, each with its source, its date and its range, and how far fits are off."""

from datetime import date
from html import escape
from typing import Any

import pandas as pd

from ..analysis import provenance
from ..analysis.provenance import Fact, rests_on, sizing, used
from ..decision.answer import Answer
from ..formulas import throughput
from ..inputs.facts import Facts, of_tables, rows_of, stale
from ..places.bill import line
from ..places.replicas import measured_points
from .panel import Pieces
from .table import Cell, link, numbers, plain, table, usd
from .titles import titles


def freshness(answer: Answer, today: str = "") -> Pieces:
    """How fresh the facts behind the answer are: the day they hold on, when they were read, what is stale, overrides.

    Stale is what by `today`, the day of the clock unless given, was read longer ago than data/assumptions.csv allows.
    """
    facts, today = answer.facts, today or date.today().isoformat()
    facts_used = used(answer, answer.names)
    days = sorted(rows_of(facts, name)[key]["read_on"] for name, key in facts_used)
    old = of_tables(stale)(facts, today)
    late = [(name, key) for name, key in zip(old["table"], old["key"], strict=True) if (name, key) in facts_used]
    read = f"on {days[0]}" if days[0] == days[-1] else f"from {days[0]} to {days[-1]}"
    says = f"Facts in force on {facts.as_of}. This answer rests on {len(facts_used)} of them, read {read}; "
    listed = f" ({'; '.join(f'{name} {key}' for name, key in late)})" if late else ""
    count = f"{len(late)} of them are" if len(late) > 1 else f"{len(late) or 'none'} of them is"
    says += f"{count} stale by {today}{listed}."
    own = len(facts.overrides)
    says += f" {own} {'figure' if own == 1 else 'figures'} of your own laid over them." if own else ""
    return Pieces([f"<p>{escape(says)}</p>"])


def sources(answer: Answer) -> Pieces:
    """Every fact behind the answer: the rows it used of each table, and all single figures, with source and dates."""
    facts, keys = answer.facts, dict[str, list[str]]()
    for name, key in sorted(used(answer, answer.names)):
        keys.setdefault(name, []).append(key)
    keys.pop("assumptions", None)
    parts = [
        table(_sourced(facts, name, named), f"Rows of {name}.csv behind this answer", left=6)
        for name, named in keys.items()
    ]
    figures = facts.table("assumptions")
    estimates = zip(figures["source"], figures["note"], strict=True)
    shown = {
        "Figure": figures.index,
        "Value": numbers(figures["value"], "{:g}"),
        "Low": numbers(figures["low"], "{:g}"),
        "High": numbers(figures["high"], "{:g}"),
        "Unit": figures["unit"],
        "Meaning": figures["meaning"],
        "Source": [f"estimate: {note}" if source == "estimate" else source for source, note in estimates],
        "Holds from": figures["effective_from"],
        "Read on": figures["read_on"],
    }
    overrides = table(facts.overrides, "Overrides laid over the shipped facts", left=6) if len(facts.overrides) else ""
    return Pieces([overrides + "".join(parts) + table(shown, f"All single figures, in force on {facts.as_of}", left=9)])


DULL = {"source", "read_on", "note", "effective_from", "low", "high"}
"""Columns told in a place of their own, or not at all."""


def _sourced(facts: Facts, name: str, keys: list[str]) -> dict[str, list[Any]]:
    rows = [rows_of(facts, name)[key] for key in keys]

    def figures(row: dict[str, Any]) -> str:
        # only a value that is not a number differs from itself
        told = ((column, value) for column, value in row.items() if column not in DULL and value == value != "")
        return "; ".join(f"{column} {plain(value)}" for column, value in told)

    titles = {"effective_from": "Holds from", "source": "Source", "read_on": "Read on", "note": "Note"}
    told = {"Key": keys, "Figures": [figures(row) for row in rows]}
    return told | {title: [row[column] for row in rows] for column, title in titles.items()}


MOST = 12
"""Facts listed by what an error in them changes; beyond them only those that turn the answer."""


def at_stake(answer: Answer) -> Pieces:
    """What an error in a fact, as large as its range, would change: the dozen that matter most, and what turns."""
    names = provenance.leading(answer)
    found = provenance.at_stake(answer)
    ends = found[["option_at_low", "option_at_high"]]
    turns = (ends != names[0]).any(axis=1) if names else ends.any(axis=1)
    matter = turns | (found[["usd_at_low", "usd_at_high"]].round(0) != 0).any(axis=1)
    rows = found[matter & (turns | (matter.cumsum() <= MOST))]
    if rows.empty:
        return Pieces(["<p>No fact changes this answer within its range.</p>"])
    named = titles(answer)
    shown = {
        "Fact": [f"{name.replace('_', ' ')} {key}" for name, key in zip(rows["table"], rows["key"], strict=True)],
        "Known by": rows["source"],
        "Holds from": rows["effective_from"],
        "Unit": rows["unit"],
        **{title: numbers(rows[title.lower()], "{:,.10g}") for title in ("Value", "Low", "High")},
    }
    for end in ("low", "high"):
        amounts = rows[f"usd_at_{end}"]
        shown[f"At its {end}"] = [Cell(("+" if amount >= 0.5 else "") + usd(amount), amount) for amount in amounts]
        then = (named.get(option, "nothing is allowed") for option in rows[f"option_at_{end}"])
        shown[f"Ahead at its {end}"] = ["the same" if title == named[names[0]] else title for title in then]
    about = f"What an error in a fact would change: monthly cost of {named[names[0]]} [USD/month], one fact at a time"
    return Pieces([table(shown, about, left=4)])


def small_print(answer: Answer) -> Pieces:
    """How far off throughput is on points it has not seen: fitted by GPU type, modelled by engine and model."""
    found = accuracy(answer.facts)
    rows = found.reset_index(names="gpu")
    shown = {
        "GPU": rows["gpu"],
        "Mean error": numbers(rows["mean_error"], "{:.1%}"),
        "Points": numbers(rows["points"], "{:.0f}"),
    }
    fitted = table(shown, "Throughput at full load against measured points held out one at a time", left=1)
    known = modelled(answer.facts).reset_index()
    titles = {"median": "median error", "ninth_decile": "ninth decile", "points": "points"}
    ways = {"with_anchor": "Held to others", "without": "Not held"}
    shown = {"Engine": known["engine"], "Model": known["model"]} | {
        f"{way}, {title}": numbers(known[f"{name}_{what}"], "{:.0f}" if what == "points" else "{:.0%}")
        for name, way in ways.items()
        for what, title in titles.items()
    }
    about = (
        "Throughput modelled at a service level against measurements, each left out with the size and shape it is of"
    )
    return Pieces([fitted, table(shown, f"{about}; not held: with its whole GPU type", left=2)])


@of_tables
def accuracy(facts: Facts) -> pd.DataFrame:
    """`throughput.accuracy` of all that was measured."""
    return throughput.accuracy(measured_points(facts))


@of_tables
def modelled(facts: Facts) -> pd.DataFrame:
    """`throughput.modelled_accuracy` of the measurements at a service level, by engine and model."""
    return throughput.modelled_accuracy(facts.table("throughput"), "engine", "model")


@of_tables
def told(facts: Facts, fact: Fact) -> str:
    """A fact in HTML: its key, a single figure with its unit, its source and the day that was read."""
    row, single = rows_of(facts, fact.table)[fact.key], fact.table == "assumptions"
    name = f"{fact.key} {plain(row['value'])} {row['unit']}" if single else f"{fact.table.replace('_', ' ')} {fact.key}"
    return f"{escape(name)} ({link(row['source'])}, read {escape(row['read_on'])})"


def lines(answer: Answer, option: str) -> str:
    """The lines of an option's monthly cost in a one-row answer as HTML: what each pays for and rests on; their sum."""
    means = answer.means
    mine = means[means["option"] == option]
    behind, items = rests_on(answer, option), ""
    for place, name, mean in mine[["place", "line", "usd_per_month"]].itertuples(index=False):
        facts = "; ".join([told(answer.facts, fact) for fact in behind[place, name]])
        items += f"<li><b>{escape(place.replace('_', ' '))}, {escape(name)}: {usd(mean)}</b> "
        items += f"{escape(line(name).meaning)}. {facts}</li>"
    return f"<ul>{items}<li><b>together: {usd(mine['usd_per_month'].sum())}</b></li></ul>"


def sizes(answer: Answer) -> str:
    """What the number of machines rests on, as HTML."""
    return f"<ul>{''.join(f'<li>{told(answer.facts, fact)}</li>' for fact in sizing(answer))}</ul>"
