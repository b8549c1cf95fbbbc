"""Titles: an option of a one-row answer named by what it is: model, machines or vendor, and who gets which requests."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..decision.answer import Answer
from ..decision.block import OFFERS
from ..decision.option import Option, Part
from ..decision.quality import name
from ..decision.routing import API, NOWHERE, OWN, RENTED, TITLES
from ..inputs.facts import Facts, remembered
from ..inputs.question import STREAMS
from ..units import Array

ORDINARY = {"open", "general", "easy"}
"""What requests are where nothing is special about them; they are the rest."""


@remembered
def titles(answer: Answer) -> Mapping[str, str]:
    """Title of every option of a one-row answer; options that come to the same share theirs."""
    named = {option: _title(answer, option) for option in distinct(answer)}
    # a title stands for one option: of two that read the same the later one says its kind too
    for option, title in [*named.items()][::-1]:
        if [*named.values()].count(title) > 1:
            named[option] = f"{title} ({TITLES[option].lower()})"
    first = _first(answer)
    return {option: named[first[option]] for option in answer.names}


def distinct(answer: Answer) -> list[str]:
    """The options of a one-row answer without those that come to the same as another; the order is theirs."""
    return [option for option, first in _first(answer).items() if option == first]


@remembered
def _first(answer: Answer) -> Mapping[str, str]:
    """For every option the best ranked, or else the first, of those that come to the same as it."""
    by_rank = sorted(answer.rows, key=lambda row: float(np.nan_to_num(row["rank"], nan=np.inf)))
    routed, paid, found = dict[object, str](), dict[object, str](), dict[str, str]()
    for row in by_rank:
        option, taken = row["option"], answer.option(row["option"])
        key = taken.comes_to
        cents = round(row["npv_usd"], 2) if taken.fits else key
        first = routed.get(key) or paid.get(cents) or option
        found[option] = routed[key] = paid[cents] = first
    return {option: found[option] for option in answer.names}


def _title(answer: Answer, option: str) -> str:
    taken = answer.option(option)
    if not taken.fits:
        return TITLES[option]
    parts = [part for part in taken.parts if part.share[0] > 0]
    parts = _together(parts)
    if len(parts) == 1:
        bursts = _bursts(taken, parts[0])
        return _where(taken, parts[0]) + (f", bursts to {bursts}" if bursts else "")
    *special, (_, rest) = sorted(
        ((_requests(taken, part), part) for part in parts),
        key=lambda pair: (" and " in pair[0] or pair[0].split()[0] in ORDINARY, pair[1].share[0]),
    )
    words = ", ".join(f"{who} to {_whole(taken, part)}" for who, part in [*special, ("the rest", rest)])
    return words[0].upper() + words[1:]


def _together(parts: list[Part]) -> list[Part]:
    """The parts with those that call the same offer as one."""
    found = dict[object, Part]()
    for number, part in enumerate(parts):
        key = part.bill.offer[0] if part.place == API else number
        had = found.get(key)
        found[key] = replace(had, share=had.share + part.share, mix=had.mix + part.mix) if had else part
    return [*found.values()]


def _whole(option: Option, part: Part) -> str:
    """The model and where it runs, and where its bursts go."""
    bursts = _bursts(option, part)
    return _where(option, part) + (f" with bursts to {bursts}" if bursts else "")


def _requests(option: Option, part: Part) -> str:
    """Which requests go to the place of a part, in words."""
    present = np.flatnonzero(option.question.shares[0] > 0)
    here = [stream for stream in present if option.routing.place[0, stream] == part.place]
    if part.place == API:
        here = [stream for stream in here if part.mix[0, stream] > 0]
    for side in range(len(STREAMS[0])):
        for value in dict.fromkeys(STREAMS[stream][side] for stream in here):
            if here == [stream for stream in present if STREAMS[stream][side] == value]:
                return f"{value} requests"
    differ = [side for side in range(len(STREAMS[0])) if len({STREAMS[stream][side] for stream in present}) > 1]
    return " and ".join(" ".join(STREAMS[stream][side] for side in differ) for stream in here) + " requests"


def _where(option: Option, part: Part) -> str:
    """The model and where it runs."""
    facts, offer = option.question.facts, str(part.bill.offer[0])
    if part.bill.machines is None:
        return at_vendor(facts, offer)
    vendor = f" at {facts.table(OFFERS[API]).at[offer, 'provider']}" if part.place == API else ""
    return f"{facts.table('models').at[option.question.model, 'name']} on {machines(facts, part, offer)}{vendor}"


def at_vendor(facts: Facts, offer: str) -> str:
    """An API offer in words: model and vendor."""
    vendor = facts.table("api_offers").at[offer, "vendor"]
    return f"{name(facts, offer)} at {vendor}'{'' if vendor.endswith('s') else 's'} API"


KIND = {API: "dedicated endpoint", RENTED: "rented machine", OWN: "own server"}
"""The words for one of what stands at a place."""


def machines(facts: Facts, part: Part, offer: str) -> str:
    """Machines in words, with those that are spare: how many in the first month of service, and in the last where that
    is another number.
    """
    noun = KIND[part.place]
    gpu, each = _gpu(facts, OFFERS[part.place], offer)
    served = part.machines.operating[0] > 0
    number, spare = (_first_to_last(counts[0][served]) for counts in (part.machines.count, part.machines.spare))
    beside = "" if spare == "0" else f", {'one' if spare == '1' else spare} of them spare"
    if each == 1 and part.place == RENTED:
        return f"{number} rented {gpu}{beside}"
    many = number != "1"
    return f"{number} {noun}{'s' * many} with {each} {gpu}{' each' * many}{beside}"


def _first_to_last(counts: Array) -> str:
    """The first and the last of some numbers of machines."""
    first, last = int(counts[0]), int(counts[-1])
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"


def _bursts(option: Option, part: Part) -> str:
    """Where what a part cannot carry goes, in words; nothing where all stays."""
    if part.second == NOWHERE or not part.may[0]:
        return ""
    facts, offer = option.question.facts, str(part.overflow_offer[0])
    if part.second == API:
        return at_vendor(facts, offer)
    return f"rented {_gpu(facts, OFFERS[RENTED], offer)[0]} by the hour"


def _gpu(facts: Facts, table: str, offer: str) -> tuple[str, int]:
    """GPU of a machine in words, and how many it has."""
    row = facts.table(table).loc[offer]
    return str(row["gpu"]).upper().replace("-", " "), int(row["gpus"])
