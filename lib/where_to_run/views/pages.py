"""Pages: which panels stand on which page of the app, under which heading."""

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from ..analysis import breakeven as volumes
from ..analysis import provenance
from ..analysis.uncertainty import Listener, begin, refine
from ..decision.answer import Answer
from ..inputs.facts import is_remembered
from . import (
    assurance,
    breakeven,
    decide,
    hybrid,
    order,
    roadmap,
    rules_prices,
    sources,
    steps,
    summary,
    uncertainty,
    usage,
)
from .panel import Pieces

log = logging.getLogger(__name__)

SORRY = "This could not be worked out; the last answer stands. What went wrong is written to the log."

Panel = Callable[[Answer], Pieces]

USAGE = "Your usage"
"""The page whose panels are drawn from a log that was read, and not from an answer."""


class Section(NamedTuple):
    """A panel under its heading, with a note below it."""

    name: str
    title: str
    panel: Callable[[Any], Pieces]
    note: str = ""


def on_monday(answer: Answer) -> Pieces:
    """As `steps.on_monday`; the volume at which to look again stands there once it is worked out."""
    return steps.on_monday(answer, is_remembered(volumes.next_change, answer))


def rests_on(answer: Answer) -> Pieces:
    """As `assurance.rests_on`, once it is worked out."""
    if is_remembered(provenance.foremost, answer):
        return assurance.rests_on(answer)
    return Pieces(["<p class='wtr-soon'>Each fact behind the answer is tried at both ends of its range.</p>"])


PAGES: dict[str, tuple[Section, ...]] = {
    "Decide": (
        Section("cards", "Side by side", summary.cards),
        Section("on_monday", "What to do on Monday", on_monday),
        Section(
            "price_of_rules",
            "The price of your rules",
            rules_prices.price_of_rules,
            "What is saved is cost with what drawbacks are worth. A demand (a floor, control, skills) changes what "
            "options cost; a rule or limit only bars them.",
        ),
        Section(
            "rests_on",
            "What this rests on",
            rests_on,
            "The facts with most at stake: what an error as large as their range would change. Sources has the others.",
        ),
        Section("costs", "What it costs", decide.costs),
        Section("options", "The options", decide.options_table),
        Section(
            "order",
            "How the order is made",
            order.explained,
            "Level cost, and what you would pay not to have the drawbacks, by the order of your priorities and the "
            "premium. For the comparison alone: nobody sends a bill for it.",
        ),
        Section(
            "ruled_out",
            "What is ruled out, and why",
            decide.ruled_out,
            "Rules come first, then costs with what drawbacks are worth. This is not legal advice.",
        ),
        Section(
            "sizing",
            "How large it is",
            decide.sizing,
            "Machines are whole, sized for the busiest hours, with headroom and spares. Utilisation follows.",
        ),
        Section(
            "cost_lines",
            "What it costs, line by line",
            decide.cost_lines,
            "Every figure is a sum of lines. Own servers are bought whole and sold at the end of the horizon.",
        ),
        Section("assurance", "Assurance", assurance.box),
    ),
    "Break-even": (
        Section("map", "What is recommended over volume and spikiness", breakeven.decision_map),
        Section("along_volume", "Along the volume", breakeven.along("requests_per_month")),
        Section("along_spikiness", "Along the spikiness", breakeven.along("spikiness")),
        Section("what_would_it_take", "What would have to change", breakeven.what_would_it_take),
    ),
    "Hybrid": (
        Section("routes", "Which place serves which stream", hybrid.routes),
        Section(
            "load_duration",
            "Which part of the load is base, and which is burst",
            hybrid.load_duration,
            "The hours stand in order, the busiest first, so an area is a number of requests.",
        ),
        Section("cost_against_capacity", "How large the base should be", hybrid.cost_against_capacity),
        Section("price_of_mixing", "What mixing costs and saves", hybrid.price_of_mixing),
        Section("free_search", "Does a search find another routing?", hybrid.free_search),
    ),
    "Uncertainty": (
        Section(
            "odds",
            "How sure the recommendation is",
            uncertainty.odds,
            "Every option keeps the routing, the machines and the API it has today. How many machines and under which "
            "contract follows each draw, as if its volume were known when they are ordered.",
        ),
        Section("cost_ranges", "What it may come to", uncertainty.costs),
        Section(
            "tornado",
            "What moves the difference",
            uncertainty.tornado,
            "Of the two options expected to come first. The other inputs stay in the middle of their range; where API "
            "prices fall faster, throughput rises with them.",
        ),
        Section("information", "What is worth finding out first", uncertainty.information),
        Section(
            "firmness",
            "How firm the recommendation is",
            uncertainty.firmness,
            "Premiums are drawn evenly: all that keep your order of priorities, or any at all.",
        ),
    ),
    "Roadmap": (
        Section(
            "what_to_do",
            "What to do now, and when to move",
            roadmap.what_to_do,
            "The plan of least expected cost over all paths of the volume; no priority but cost counts here. It knows "
            "one open model, the first that is tried, and the API that is called today.",
        ),
        Section("path", "Where the paths lead", roadmap.path),
        Section(
            "triggers",
            "When to order the next step, and when to go back",
            roadmap.triggers,
            "The volume is expected to grow as asked; 8 paths in 10 stay within the grey band.",
        ),
        Section("waiting", "What waiting costs", roadmap.waiting),
        Section("preparations", "What to prepare", roadmap.preparations),
    ),
    USAGE: (
        Section("usage_fields", "What your log says", usage.fields),
        Section("usage_read", "What was read", usage.read),
        Section("usage_hours", "Hour by hour", usage.hours),
        Section("usage_week", "The hours of a week", usage.week),
        Section(
            "usage_curve",
            "The load-duration curve",
            usage.load_duration,
            "The hours stand in order, the busiest first. In use, the measured curve takes the place of the law.",
        ),
    ),
    "Sources": (
        Section("freshness", "How fresh the facts are", sources.freshness),
        Section("asked", "The question", decide.asked),
        Section("sources", "Where these numbers come from", sources.sources),
        Section(
            "at_stake",
            "What an error would change",
            sources.at_stake,
            "One fact at a time at the low and the high of its range; ahead is the recommended option or the next. "
            "Tried are the facts whose cost lines leave most room.",
        ),
        Section("small_print", "Small print", sources.small_print),
    ),
}


def _look_ahead(answer: Answer, _: Listener) -> None:
    volumes.next_change(answer)


REFINED: dict[Panel, Callable[[Answer, Listener], None]] = {
    summary.sure: begin,
    on_monday: _look_ahead,
    rests_on: provenance.weigh,
    **dict.fromkeys(uncertainty.PANELS, refine),
}
"""What works out or makes finer, in seconds, the answer that a panel shows."""

QUIET = (begin, _look_ahead, provenance.weigh)
"""Of these the first page does not tell how far they are."""


LATE = {provenance.weigh: 4.0}
"""What waits longer for the visitor to rest, as it takes a processor for seconds [second]."""


def timed(panel: Panel, answer: Answer) -> tuple[Pieces, float]:
    """A panel of an answer and the time it took [second]; an error becomes words in its place, and goes to the log."""
    start = time.perf_counter()
    try:
        pieces = panel(answer)
    except Exception:
        log.exception("a panel could not be drawn for %s", answer.scenarios.to_dict("records"))
        pieces = Pieces([f"<p role='alert'>{SORRY}</p>"])
    return pieces, time.perf_counter() - start
