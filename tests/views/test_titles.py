"""Titles: an option is named by what it is, once, and no page says what options were called before."""

import json
import re
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest

from toy import FOUND, shipped
from where_to_run.analysis import breakeven
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import API, NOWHERE, OWN, RENTED, by_hand
from where_to_run.inputs import question
from where_to_run.views import decide, hybrid, order
from where_to_run.views.figure import Figure
from where_to_run.views.pages import PAGES, USAGE
from where_to_run.views.titles import at_vendor, distinct, titles

HAIKU, H100, EIGHT, SERVER = "anthropic/claude-haiku-4.5", "runpod/h100-1x/global", "aws/p5.48xlarge", "h100-8"
ANTHROPIC = "Claude Haiku 4.5 at Anthropic's API"
SONNET = {"api_model": "anthropic/claude-sonnet-5.5", "quality_floor": 0.01}


@cache
def answered(preset="", **fields):
    return evaluate(question.grid(preset, **fields), shipped())


def part(place, offer, counts=(1,), share=1.0, second=NOWHERE, overflow="", may=1.0, spare=0):
    """What an option sends to one place; the first month is the day of the decision."""
    count = np.array([[0.0, *counts]])
    return SimpleNamespace(
        place=place,
        second=second,
        share=np.array([share]),
        may=np.array([may if second != NOWHERE else 0.0]),
        bill=SimpleNamespace(offer=(offer,), machines=None if place == API else True),
        machines=SimpleNamespace(
            count=count,
            spare=np.minimum(count, [[0.0, *np.broadcast_to(spare, len(counts))]]),
            operating=(count > 0) * 1.0,
        ),
        overflow_offer=(overflow,),
    )


def named(*parts, places=None, shares=(0.0, 0.0, 1.0, 0.0), fits=True):
    """The title of an option made of parts, of an answer that has no other; places and shares by data and domain."""
    routing = by_hand(tuple(np.repeat(places or (parts[0].place,) * 4, 2)), 1)
    easy = np.stack([shares, np.zeros(4)], axis=1).reshape(1, -1)
    for one in parts:
        one.mix = easy * (routing.place == one.place)
    asked = SimpleNamespace(facts=shipped(), model="llama-3.3-70b", shares=easy, hosted=False)
    option = SimpleNamespace(question=asked, routing=routing, parts=[*parts], fits=fits, comes_to=routing.key)
    rows = [{"option": "free_search", "rank": 1.0, "npv_usd": 1.0}]
    return titles(SimpleNamespace(names=("free_search",), rows=rows, option=lambda _: option, made={}))["free_search"]


def test_an_api_is_named_by_model_and_vendor():
    assert named(part(API, HAIKU)) == ANTHROPIC


def test_a_vendor_that_ends_in_s_gets_an_apostrophe_alone():
    mine = shipped().table("api_offers").loc[[HAIKU]].assign(vendor="Fireworks")
    known = replace(shipped(), tables=shipped().tables | {"api_offers": mine})
    assert at_vendor(known, HAIKU) == "Claude Haiku 4.5 at Fireworks' API"


@pytest.mark.parametrize(
    ("place", "offer", "counts", "title"),
    [
        (RENTED, H100, (2, 2), "Llama 3.3 70B on 2 rented H100"),
        (RENTED, H100, (2, 3, 7), "Llama 3.3 70B on 2 to 7 rented H100"),
        (OWN, SERVER, (1, 1), "Llama 3.3 70B on 1 own server with 8 H100"),
        (OWN, SERVER, (0, 0, 3, 3), "Llama 3.3 70B on 3 own servers with 8 H100 each"),
        (OWN, SERVER, (0, 1200), "Llama 3.3 70B on 1,200 own servers with 8 H100 each"),
    ],
)
def test_machines_are_counted_in_the_first_month_of_service_and_in_the_last(place, offer, counts, title):
    assert named(part(place, offer, counts)) == title


@pytest.mark.parametrize(
    ("place", "offer", "counts", "spare", "title"),
    [
        (OWN, SERVER, (2, 2), 1, "Llama 3.3 70B on 2 own servers with 8 H100 each, one of them spare"),
        (RENTED, H100, (40, 40), 2, "Llama 3.3 70B on 40 rented H100, 2 of them spare"),
        (RENTED, H100, (20, 40), (1, 2), "Llama 3.3 70B on 20 to 40 rented H100, 1 to 2 of them spare"),
    ],
)
def test_spare_machines_are_among_those_counted(place, offer, counts, spare, title):
    assert named(part(place, offer, counts, spare=spare)) == title


def test_a_rented_machine_of_many_gpus_says_how_many():
    machines = shipped().table("machines")
    key = machines.index[(machines["gpu"] == "h100") & (machines["gpus"] == 8)][0]
    assert named(part(RENTED, key, (2,))) == "Llama 3.3 70B on 2 rented machines with 8 H100 each"


def test_a_split_says_which_requests_go_where():
    rented, api = part(RENTED, H100, (2,), 0.7), part(API, HAIKU, share=0.3)
    by_data = named(api, rented, places=(RENTED, RENTED, API, API), shares=(0.7, 0.0, 0.3, 0.0))
    assert by_data == f"Sensitive requests to Llama 3.3 70B on 2 rented H100, the rest to {ANTHROPIC}"
    by_domain = named(api, rented, places=(API, RENTED, API, RENTED), shares=(0.0, 0.0, 0.3, 0.7))
    assert by_domain == f"Specialised requests to Llama 3.3 70B on 2 rented H100, the rest to {ANTHROPIC}"
    # none is hard, so that they are easy goes without saying
    one = named(api, rented, places=(API, RENTED, API, API), shares=(0.1, 0.7, 0.1, 0.1))
    assert one == f"Sensitive specialised requests to Llama 3.3 70B on 2 rented H100, the rest to {ANTHROPIC}"


def test_bursts_say_where_they_go():
    base = part(OWN, SERVER, (0, 3), second=API, overflow=HAIKU)
    assert named(base) == f"Llama 3.3 70B on 3 own servers with 8 H100 each, bursts to {ANTHROPIC}"
    base = part(OWN, SERVER, (0, 3), second=RENTED, overflow=H100)
    # what stands by for bursts alone is no part of its own
    standby = part(RENTED, H100, (0,), share=0.0)
    assert named(standby, base, places=(OWN,) * 4) == (
        "Llama 3.3 70B on 3 own servers with 8 H100 each, bursts to rented H100 by the hour"
    )
    held = part(OWN, SERVER, (0, 3), second=API, overflow=HAIKU, may=0.0)
    assert named(held) == "Llama 3.3 70B on 3 own servers with 8 H100 each"


def test_what_nothing_on_offer_serves_is_named_by_its_kind():
    assert named(part(OWN, ""), fits=False) == "Found by search"


def test_titles_tell_what_the_sizing_says():
    free = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 260}
    answer = answered(**free, gpu="h100", open_model="llama-3.3-70b", **SONNET)
    sized = answer.sizing[answer.sizing["option"] == "rented"]
    first, last = (int(sized["machines"].iloc[at]) for at in (0, -1))
    assert re.match(rf"Llama 3.3 70B on {first}( to {last})? rented (H100|machine)", titles(answer)["rented"])
    assert titles(answer)["api"] == "Claude Sonnet 5.5 at Anthropic's API"


def test_options_that_come_to_the_same_are_shown_once():
    answer = answered(**SONNET)
    named = titles(answer)
    # nothing is specialised, so a split by domain sends all to the API
    assert named["split_by_domain"] == named["api"] == "Claude Sonnet 5.5 at Anthropic's API"
    assert "split_by_domain" not in distinct(answer) and "api" in distinct(answer)
    assert len({named[option] for option in distinct(answer)}) == len(distinct(answer))
    assert [row["option"] for row in order.best_first(answer)].count("split_by_domain") == 0
    for panel in (decide.options_table, decide.cost_lines, order.explained):
        (words, *_) = (piece for piece in panel(answer) if isinstance(piece, str))
        assert len(re.findall(r"<t[dh][^>]*>Claude Sonnet 5\.5 at Anthropic&#x27;s API</t[dh]>", words)) == 1
    drawn = [
        piece.data["d0"]
        for panel in (decide.costs, hybrid.routes)
        for piece in panel(answer)
        if isinstance(piece, Figure)
    ]
    assert len(drawn) == 3 and all(
        set(data["option"]) <= {named[option] for option in distinct(answer)} for data in drawn
    )


def test_what_the_search_finds_is_shown_only_where_it_is_none_of_the_others():
    assert "free_search" in distinct(answered("hospital", **FOUND))
    assert "free_search" not in distinct(answered("hospital"))
    assert titles(answered("hospital"))["free_search"] == titles(answered("hospital"))["api"]
    words = hybrid.free_search(answered("hospital")).words
    assert words.startswith("<p>A search over all routings finds nothing better than Claude Haiku 5.5 at Anthropic")


def test_open_weights_at_a_vendor_are_another_option_than_the_api_where_they_are_another_model():
    named = titles(answered("hospital"))
    assert named["api"] == "Claude Haiku 5.5 at Anthropic's API" and "hosted_open" in distinct(answered("hospital"))
    sensitive, rest = "DeepSeek V4.1 Flash at Azure AI's API", "GLM-5.3-Flash at CoreWeave (W&B)'s API"
    assert named["hosted_open"] == f"Sensitive requests to {sensitive}, the rest to {rest}"
    # where open weights are the best of all, the two are one
    assert titles(answered())["hosted_open"] == titles(answered())["api"] and "hosted_open" not in distinct(answered())


GONE = re.compile(r"best mix|\bscor(e|es|ed|ing)\b|here the same as|\bweighted\b", re.IGNORECASE)


@pytest.mark.parametrize("preset", ["", *question.presets()])
def test_no_page_says_what_options_were_called_before(preset, monkeypatch):
    monkeypatch.setattr(breakeven, "FINE", 8)
    monkeypatch.setattr(breakeven, "COARSE", 8)
    answer = answered(preset)
    for page, sections in PAGES.items():
        # what an error in a fact would change takes seconds; one answer is enough to see its words
        for section in (s for s in sections if page != USAGE and (s.name != "at_stake" or preset == "startup")):
            pieces = section.panel(answer)
            told = [json.dumps([piece.spec, piece.data]) for piece in pieces if isinstance(piece, Figure)]
            for words in (section.title, section.note, pieces.words, *told):
                assert not GONE.search(words), (page, section.name, GONE.search(words))
                assert page == "Break-even" or "Found by search" not in words, (page, section.name)
