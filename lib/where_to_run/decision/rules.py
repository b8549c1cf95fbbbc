"""Rules: what they say of every offer, why not, and who would give what is missing; `search` asks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..inputs.facts import Facts, of_tables
from ..inputs.question import PLACES, STREAMS
from ..units import Array
from .sites import API, CLOUD, COLOCATION, OWN_ROOM, SERVICES, Sites, sites

VERDICTS = ("ok", "conditional", "blocked")
OK, CONDITIONAL, BLOCKED = range(3)
NO_RULE = -1

PROFILE = ("regimes", "evidence", "control", "customisation", "jurisdiction", "approved_vendors", "papers", "housing")
"""The fields of a scenario that rules go by."""

SLICES = {"data_class": np.array([s[0] for s in STREAMS]), "domain": np.array([s[1] for s in STREAMS])}
"""What a rule may ask of a stream."""

DEMANDS = ("served_in", "owned_in", "approved", "whole_machine")
FAR = 1e6
"""Weeks that stand for never where offers are told apart by how near they are to what is asked."""


@dataclass(frozen=True)
class Spoken:
    """What a rule says under a profile: the streams it speaks of, and over sites its verdict and `wait`: the weeks
    until what is missing is in hand, 0 where nothing is, not finite where it cannot be had.
    """

    number: int
    streams: Array
    level: Array
    wait: Array


@of_tables
def spoken(facts: Facts, *profile: str) -> list[Spoken]:
    """Every rule that speaks under a PROFILE."""
    asked, at, found = dict(zip(PROFILE, profile, strict=True)), sites(facts), []
    held, named = in_hand(facts, asked), {field: set(names.split(",")) for field, names in asked.items()}
    for number, rule in enumerate(facts.rules["rules"]):
        if (streams := _matches(rule["when"], named)).any():
            found.append(Spoken(number, streams, *_said(rule, at, held, asked)))
    return found


def _matches(when: Mapping[str, Sequence[str]], asked: Mapping[str, set[str]]) -> Array:
    """The streams for which every condition of a rule holds: one of its names, for regimes any of the scenario's."""
    streams = np.ones(len(STREAMS), bool)
    for field, names in when.items():
        streams &= np.isin(SLICES[field], names) if field in SLICES else not asked[field].isdisjoint(names)
    return streams


def in_hand(facts: Facts, profile: Mapping[str, str]) -> set[str]:
    """The papers in hand, with those they cover."""
    papers, held = facts.rules["papers"], set(profile["evidence"].split(",")) - {""}
    return held.union(*(papers[paper].get("covers", []) for paper in held))


def _said(rule: Mapping[str, Any], at: Sites, held: set[str], profile: Mapping[str, str]) -> tuple[Array, Array]:
    """Verdict and wait of a rule at every site."""
    wait, missing, asked = np.zeros(len(at.service)), np.zeros(len(at.service), bool), np.zeros(len(at.service), bool)
    for paper in rule.get("asks", []):
        here = at.asked[at.papers[paper]] & ~_spared(rule.get("unless", {}).get(paper), at)
        weeks = at.weeks[at.papers[paper]]
        lacks = here & ((paper not in held) | np.isinf(weeks))
        wait, missing, asked = np.maximum(wait, np.where(lacks, weeks, 0)), missing | lacks, asked | here
    if instead := rule.get("instead"):
        ours = _weeks_of(at, [paper for paper in instead if paper not in held])
        wait, missing = np.minimum(wait, ours), missing & (not set(instead) <= held)
    barred = np.isin(at.service, rule.get("bars", []))
    if "serve_in" in rule:
        barred |= np.isin(at.service, (API, CLOUD)) & ~np.isin(at.served_in, rule["serve_in"])
    for demand in rule.get("demands", []):
        barred |= ~_meets(demand, at, profile)
    lacking = [paper for paper in rule.get("own", []) if paper not in held and not (instead and set(instead) <= held)]
    housed = (at.service == COLOCATION) & ~asked & bool(lacking)
    wait = np.where(barred, np.inf, np.where(housed, _weeks_of(at, lacking), wait))
    warns = rule.get("missing") == "conditional" or profile["papers"] == "obtainable"
    level = np.where(missing | barred | housed, np.where(np.isfinite(wait) & warns, CONDITIONAL, BLOCKED), OK)
    own = np.isin(at.service, (COLOCATION, OWN_ROOM)) & bool(lacking)
    return np.maximum(level, np.where(own, CONDITIONAL, OK)).astype(np.int8), wait


def _weeks_of(at: Sites, papers: Sequence[str]) -> float:
    """Weeks until papers of our own are in hand."""
    return max((float(at.weeks[at.papers[paper]].min()) for paper in papers), default=0.0)


def _spared(where: Mapping[str, Sequence[str]] | None, at: Sites) -> Array:
    """Whether a site is not asked for a paper, as it is served, and owned, where `unless` says."""
    if not where:
        return np.zeros(len(at.service), bool)
    inside = [np.isin(getattr(at, column), names) for column, names in where.items()]
    return np.all(inside, axis=0) | (at.service == COLOCATION)


def _meets(demand: str, at: Sites, profile: Mapping[str, str]) -> Array:
    """Whether a site meets a demand of the scenario; a house of our own stands where we want it."""
    ours, there = ~np.isin(at.service, (API, CLOUD)), profile["jurisdiction"]
    if demand == "whole_machine":
        return at.whole
    if demand == "approved":
        approved = profile["approved_vendors"]
        return (at.service == OWN_ROOM) | np.isin(at.firm, approved.split(",")) | (approved == "")
    return ours | (getattr(at, demand) == there) | (there == "any")


@dataclass(frozen=True)
class Judgement:
    """What the rules say of the offers of a place, over (stream, offer), in the order of their table.

    `level` is the verdict and `rule` the first rule that gives the worst one (NO_RULE where ok). `weeks` are those
    until all papers that are missing are in hand: 0 where none is, not finite where one cannot be had; what merely
    warns does not count. `site` is where it is served: the one with the best verdict, the cheapest of these; `uplift`
    is what that adds to the list price [share]. `nearest`, over streams, is the offer with the best verdict that lacks
    least.
    """

    level: Array
    rule: Array
    weeks: Array
    uplift: Array
    site: Array
    nearest: Array


def judge(facts: Facts, profile: Mapping[str, str], api: str = PLACES[0]) -> tuple[Judgement, ...]:
    """What the rules say of all offers, a Judgement for each of PLACES; `profile` has the fields of PROFILE, names
    joined by commas. Own servers are one offer, in the housing of the profile; of an API with `api` = DEDICATED those
    of that table.
    """
    return judged(facts, api, *(profile[name] for name in PROFILE))


@of_tables
def judged(facts: Facts, api: str, *profile: str) -> tuple[Judgement, ...]:
    """`judge` of the values of a PROFILE."""
    at, shape = sites(facts), (len(STREAMS), len(sites(facts).service))
    level, rule = np.full(shape, OK, np.int8), np.full(shape, NO_RULE, np.int16)
    weeks, far = np.zeros((2, *shape))
    for said in spoken(facts, *profile):
        here, worse = said.streams[:, None], said.streams[:, None] & (said.level > level)
        level, rule = np.where(worse, said.level, level), np.where(worse, said.number, rule)
        warns = facts.rules["rules"][said.number].get("missing") == "conditional"
        wait = np.where(here & (np.isinf(said.wait) | (not warns)), said.wait, 0)
        weeks, far = np.maximum(weeks, wait), far + np.minimum(wait, FAR)
    housing, found = profile[PROFILE.index("housing")], []
    for place in (api, *PLACES[1:-1], housing):
        sold = at.of[place]
        score = (level * FAR**2 + far)[:, sold]
        site = np.take_along_axis(np.broadcast_to(sold, score.shape), score.argmin(axis=2)[..., None], 2)[..., 0]
        there = [np.take_along_axis(column, site, 1) for column in (level, rule, weeks)]
        nearest = score.min(axis=2).argmin(axis=1) if len(sold) else np.zeros(len(STREAMS), int)
        found.append(Judgement(there[0], there[1], there[2], at.uplift[site], site, nearest))
    return tuple(found)


def fired(facts: Facts, profile: Mapping[str, str], offers: Array, api: str) -> Iterator[tuple[int, int, int, int]]:
    """What every rule that speaks says of offers, rows of their tables over (stream, place): (stream, place, rule,
    level), as positions; `api` as `judge` has it.
    """
    rows = np.arange(len(STREAMS))
    there = [said.site[rows, offers[:, place]].tolist() for place, said in enumerate(judge(facts, profile, api))]
    for said in spoken(facts, *(profile[name] for name in PROFILE)):
        for s in np.flatnonzero(said.streams).tolist():
            for p in range(len(PLACES)):
                yield s, p, said.number, int(said.level[there[p][s]])


def service_of(place: str, profile: Mapping[str, str]) -> str:
    """The service that a place buys: an API, a cloud, colocation, or none for a room of one's own."""
    return {"vendor_api": API, "rented_gpus": CLOUD}.get(place, profile["housing"])


def missing(facts: Facts, rule: int, place: str, profile: Mapping[str, str]) -> list[tuple[str, ...]]:
    """What is not in hand of the papers a rule asks at a place, or of those that stand in for them; none left out."""
    written, held, papers = facts.rules["rules"][rule], in_hand(facts, profile), facts.rules["papers"]
    service = service_of(place, profile)
    asked = [paper for paper in written.get("asks", []) if service in papers[paper].get("of", SERVICES)]
    ours = written.get("own", []) if service in (OWN_ROOM, COLOCATION) else []
    ways = [asked, written.get("instead", [])] if asked else [ours]
    return [left for way in ways if (left := tuple(paper for paper in way if paper not in held))]


NAMED = 3
"""Most firms that a remedy names."""

KNOWN = {"estimate": " (an estimate)", "reported": " (reported)"}
"""What a remedy says of how a paper is known, where not in the vendor's own words."""


def unlock(facts: Facts, rule: int, place: str, profile: Mapping[str, str]) -> str:
    """What would lift a rule at a place, in words: what is missing, which firms give it, and in how many weeks."""
    return _unlocked(facts, rule, place, *(profile[name] for name in PROFILE))


@of_tables
def _unlocked(facts: Facts, rule: int, place: str, *values: str) -> str:
    profile = dict(zip(PROFILE, values, strict=True))
    words = str(facts.rules["rules"][rule]["unlock"])
    ways = missing(facts, rule, place, profile)
    if not ways:
        return words
    papers, at = facts.rules["papers"], sites(facts)
    lacks = f"{words}. Missing: {', '.join(papers[paper]['name'] for paper in ways[0])}"
    asked = [paper for paper in ways[0] if not papers[paper].get("ours")]
    if not asked:
        return f"{lacks}, our own doing, {_in_weeks(_weeks_of(at, ways[0]))}"
    firms: dict[str, str] = {}
    for site in _givers(facts, rule, service_of(place, profile), profile):
        firms.setdefault(at.firm[site], _terms(facts, [at.passport[at.papers[paper], site] for paper in asked]))
    given = "; ".join(f"{firm}: {terms}" for firm, terms in list(firms.items())[:NAMED])
    return f"{lacks}. {given}" if given else f"{lacks}. No vendor in the tables gives it here"


def _givers(facts: Facts, rule: int, service: str, profile: Mapping[str, str]) -> Array:
    """The sites of a service at which what a rule and all that speak with it ask can be had, the soonest first."""
    told = spoken(facts, *(profile[name] for name in PROFILE))
    said = next(found for found in told if found.number == rule)
    there = (sites(facts).service == service) & np.isfinite(said.wait)
    for other in told:
        if (other.streams & said.streams).any() and (other.level == BLOCKED).any():
            there &= np.isfinite(other.wait)
    here = np.flatnonzero(there)
    return here[np.argsort(said.wait[here], kind="stable")]


def _terms(facts: Facts, passports: Sequence[str]) -> str:
    """How a vendor gives some papers, how long that takes, and how well it is known."""
    rows = facts.table("passports").loc[[key for key in passports if key]]
    if rows.empty:
        return "not asked for it where it serves"
    how = "on request" if (rows["available"] == "on_request").any() else "in its terms"
    known = next((words for basis, words in KNOWN.items() if (rows["basis"] == basis).any()), "")
    return f"{how}, {_in_weeks(rows['weeks'].max())}{known}"


def _in_weeks(weeks: float) -> str:
    if weeks < 1:
        return "at once" if weeks == 0 else "within days"
    return "about 1 week" if round(weeks) == 1 else f"about {weeks:.0f} weeks"
