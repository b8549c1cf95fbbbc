"""Assurance: the facts with most at stake and how each is known, and what the answer rests on in short."""

from collections.abc import Mapping
from html import escape
from importlib.metadata import version
from typing import Any

from ..analysis import provenance, published
from ..analysis.provenance import Fact
from ..decision.answer import Answer
from ..inputs.facts import Facts, rows_of
from ..paths import DATA, read_yaml
from . import order
from .figure import records
from .panel import Pieces, aside
from .table import about, link, plain
from .titles import titles

MOST = 3
"""Facts that are told."""


def rests_on(answer: Answer) -> Pieces:
    """The facts whose error, as large as their range, would change the bill most, and how each is known, as a list."""
    found = records(provenance.foremost(answer).head(MOST))
    first, *_ = [*provenance.leading(answer), ""]
    items = "".join(_fact(answer, row, first) for row in found)
    return Pieces([f"<ul>{items}</ul>" if items else "<p>No fact changes this answer within its range.</p>"])


def _fact(answer: Answer, row: Mapping[str, Any], first: str) -> str:
    fact = Fact(row["table"], row["key"])
    meaning = rows_of(answer.facts, fact.table)[fact.key].get("meaning") or f"{fact.table} {fact.key}"
    figures = [plain(row[name]) for name in ("value", "low", "high")]
    ends = [f"{'-' if usd < 0 else '+'}{about(abs(usd))}" for usd in (row["usd_at_low"], row["usd_at_high"])]
    others = {row["option_at_low"], row["option_at_high"]} - {first}
    then = titles(answer)
    turns = "; ".join(f"then {then[name]} is ahead" if name else "then nothing is allowed" for name in sorted(others))
    says = f"{meaning.rstrip('.')}: {figures[0]} {row['unit']}, {figures[1]} to {figures[2]}; "
    says += f"{ends[0]} to {ends[1]} a month"
    return f"<li>{escape(says)}{escape(f' ({turns})' if turns else '')}. {_known(answer.facts, fact)}.</li>"


LISTED = ("api_offers", "machines", "servers", "dedicated", "provisioned")
"""Tables of what is for sale."""


def _known(facts: Facts, fact: Fact) -> str:
    """How a fact is known: an estimate of ours, fitted, measured, or what a source states, with the source, as HTML."""
    row = rows_of(facts, fact.table)[fact.key]
    if _estimated(facts, fact):
        return "An estimate of ours"
    source = f"({link(row['source'])}, read {row['read_on']})"
    basis = str(row.get("basis", ""))
    # a figure of the throughput or of a model's quality says how it was come by
    if basis:
        return f"{escape(basis[0].upper() + basis[1:].replace('_', ' '))} {source}"
    return f"{'List price' if fact.table in LISTED else 'Published'} {source}"


def _estimated(facts: Facts, fact: Fact) -> bool:
    return bool(rows_of(facts, fact.table)[fact.key]["source"] == "estimate")


def estimated_share(answer: Answer, option: str) -> float:
    """Share of the bill of an option of a one-row answer in lines that rest on an estimate, be it one fact of many;
    what comes back, such as resale, counts like what is paid [share].
    """
    behind = provenance.rests_on(answer, option)
    mine = [line for line in records(answer.means) if line["option"] == option]
    by_line = {(line["place"], line["line"]): abs(line["usd_per_month"]) for line in mine}
    rough = [usd for key, usd in by_line.items() if any(_estimated(answer.facts, fact) for fact in behind[key])]
    return sum(rough) / max(sum(by_line.values()), 1e-12)


@aside
def box(answer: Answer) -> Pieces:
    """Version, days of the facts, the share that rests on estimates, what is not modelled, studies recomputed."""
    facts, ranked = answer.facts, order.allowed(answer)
    shown = {"Version": f"Where to Run {version('where-to-run')}", "Facts as of": facts.as_of}
    if ranked:
        option = ranked[0]["option"]
        rows = {fact: rows_of(facts, fact.table)[fact.key] for fact in provenance.used(answer, [option])}
        oldest = min(rows, key=lambda fact: (rows[fact]["effective_from"], fact))
        shown["Oldest fact used"] = f"{oldest.table} {oldest.key}, in force since {rows[oldest]['effective_from']}"
        shown["Rests on estimates"] = (
            f"{estimated_share(answer, option):.0%} of the bill: lines behind which one fact or more is an estimate"
        )
    shown["Not modelled"] = " ".join(read_yaml(DATA / "not_modelled.yaml"))
    studies = published.book()["studies"].values()
    shown["Published tables recomputed"] = "; ".join(f"{one['title']}: {one['reproduced']}" for one in studies) + "."
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in shown.items())
    return Pieces([f"<dl class='assurance'>{items}</dl>"])
