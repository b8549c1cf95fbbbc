"""The rules as a machine: what a rule asks, of whom, what lifts it, and what is wrong with a rule file."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from where_to_run.analysis import data_check
from where_to_run.decision import rules
from where_to_run.decision.rules import BLOCKED, CONDITIONAL, NO_RULE, OK
from where_to_run.decision.verdicts import LIMITS
from where_to_run.inputs import facts
from where_to_run.inputs.question import BY_NAME, PLACES, STREAMS

VENDOR, RENTED, OWN = range(3)
SENSITIVE, OPEN = [0, 1, 2, 3], [4, 5, 6, 7]  # rows of STREAMS
GENERAL, SPECIALISED = [0, 1, 4, 5], [2, 3, 6, 7]

DEFAULTS = {name: BY_NAME[name].default for name in rules.PROFILE}
DEFAULTS |= {name: "" for name, value in DEFAULTS.items() if value == []}


def shipped():
    return facts.load()


def world(*written):
    """The shipped vendors and papers under rules of our own."""
    texts = {"because": "Because.", "condition": "Mind it.", "unlock": "Sign", "source": "https://example.com"}
    return replace(shipped(), rules={**shipped().rules, "rules": [texts | rule for rule in written]}, made={})


def at_places(known, **profile):
    """Verdict of the nearest offer of each place, and the rule behind it, over (stream, place)."""
    said, rows = rules.judge(known, DEFAULTS | profile), np.arange(len(STREAMS))
    return tuple(np.stack([getattr(j, name)[rows, j.nearest] for j in said], axis=1) for name in ("level", "rule"))


def of_vendor(known, place, vendor, **profile):
    """Verdicts of the offers of a vendor, over (stream, offer)."""
    table, column = ("api_offers", "vendor") if place == VENDOR else ("machines", "provider")
    mine = (known.table(table)[column] == vendor).to_numpy()
    return rules.judge(known, DEFAULTS | profile)[place].level[:, mine]


HEALTH = {"id": "health", "when": {"data_class": ["sensitive"], "regimes": ["health"]}, "asks": ["baa"]}
GAP = {"id": "gap", "when": {"control": ["air_gapped"]}, "bars": ["api", "cloud"]}
WARNS = {"id": "warns", "when": {"data_class": ["sensitive"]}, "asks": ["no_training"], "missing": "conditional"}


def test_the_positions_used_here_are_those_of_the_scenario():
    assert PLACES == ("vendor_api", "rented_gpus", "own_gpus")
    assert [STREAMS[i][0] for i in SENSITIVE] == ["sensitive"] * 4
    assert [STREAMS[i][0] for i in OPEN] == ["open"] * 4
    assert [STREAMS[i][1] for i in SPECIALISED] == ["specialised"] * 4


def test_a_rule_asks_an_api_and_a_cloud_alike_and_a_room_of_ones_own_nothing():
    level, rule = at_places(world(HEALTH), regimes="health")
    assert level[SENSITIVE].tolist() == [[BLOCKED, BLOCKED, OK]] * 4
    assert rule[SENSITIVE].tolist() == [[0, 0, NO_RULE]] * 4


def test_a_colocation_firm_is_a_third_party():
    level, _ = at_places(world(HEALTH), regimes="health", housing="colocation")
    assert level[SENSITIVE].tolist() == [[BLOCKED] * 3] * 4
    level, _ = at_places(world(HEALTH), regimes="health", housing="colocation", evidence="baa")
    assert level[SENSITIVE].tolist() == [[OK] * 3] * 4


def test_a_rule_does_not_touch_the_streams_it_does_not_name():
    level, rule = at_places(world(HEALTH), regimes="health")
    assert (level[OPEN] == OK).all() and (rule[OPEN] == NO_RULE).all()


def test_a_paper_in_hand_lifts_a_rule_at_vendors_that_give_it_and_at_no_other():
    known = world(HEALTH)
    assert (of_vendor(known, VENDOR, "Groq", regimes="health", evidence="baa")[SENSITIVE] == OK).all()
    assert (of_vendor(known, RENTED, "AWS", regimes="health", evidence="baa")[SENSITIVE] == OK).all()
    for place, vendor in ((VENDOR, "xAI"), (RENTED, "Hyperstack")):
        assert (of_vendor(known, place, vendor, regimes="health", evidence="baa")[SENSITIVE] == BLOCKED).all()


def test_what_can_be_obtained_is_conditional_where_the_scenario_takes_that_and_has_its_weeks():
    known = world(HEALTH)
    openai = (known.table("api_offers")["vendor"] == "OpenAI").to_numpy()
    found = rules.judge(known, DEFAULTS | {"regimes": "health", "papers": "obtainable"})[VENDOR]
    assert (found.level[0, openai] == CONDITIONAL).all()
    assert (found.weeks[0, openai] == known.table("passports").at["OpenAI/api/baa", "weeks"]).all()
    xai = (known.table("api_offers")["vendor"] == "xAI").to_numpy()
    assert (found.level[0, xai] == BLOCKED).all() and np.isinf(found.weeks[0, xai]).all()
    held = rules.judge(known, DEFAULTS | {"regimes": "health", "papers": "obtainable", "evidence": "baa"})[VENDOR]
    assert (held.level[0, openai] == OK).all() and (held.weeks[0, openai] == 0).all()


def test_all_papers_are_needed_and_the_longest_wait_counts():
    both = HEALTH | {"asks": ["baa", "zero_retention"]}
    known = world(both)
    for evidence in ("baa", "zero_retention"):
        assert (of_vendor(known, VENDOR, "OpenAI", regimes="health", evidence=evidence)[0] == BLOCKED).all()
    found = rules.judge(known, DEFAULTS | {"regimes": "health", "papers": "obtainable"})[VENDOR]
    openai = (known.table("api_offers")["vendor"] == "OpenAI").to_numpy()
    weeks = known.table("passports")["weeks"]
    assert (found.weeks[0, openai] == max(weeks["OpenAI/api/baa"], weeks["OpenAI/api/zero_retention"])).all()


def test_a_machine_is_not_asked_for_what_only_an_api_can_give():
    level, _ = at_places(world(HEALTH | {"asks": ["zero_retention"]}), regimes="health")
    assert level[0].tolist() == [BLOCKED, OK, OK]


def test_a_rule_that_warns_bars_only_who_gives_nothing_and_costs_no_weeks():
    known = world(WARNS)
    level, _ = at_places(known)
    assert level[SENSITIVE].tolist() == [[CONDITIONAL, OK, OK]] * 4
    assert (of_vendor(known, VENDOR, "DeepSeek")[SENSITIVE] == BLOCKED).all()  # it may train on what it is sent
    found = rules.judge(known, DEFAULTS)[VENDOR]
    assert (found.weeks[found.level < BLOCKED] == 0).all() and np.isinf(found.weeks[found.level == BLOCKED]).all()


def test_a_bar_stays_whatever_is_signed():
    level, _ = at_places(world(GAP), control="air_gapped", evidence="baa,dpa", papers="obtainable")
    assert level.tolist() == [[BLOCKED, BLOCKED, OK]] * 8


def test_a_paper_of_our_own_may_stand_in_and_takes_its_own_weeks():
    cards = HEALTH | {"asks": ["pci_aoc"], "instead": ["tokenised"]}
    known = world(cards)
    assert (of_vendor(known, VENDOR, "xAI", regimes="health", evidence="tokenised")[0] == OK).all()
    found = rules.judge(known, DEFAULTS | {"regimes": "health", "papers": "obtainable"})[VENDOR]
    xai = (known.table("api_offers")["vendor"] == "xAI").to_numpy()
    assert (found.weeks[0, xai] == known.rules["papers"]["tokenised"]["weeks"]).all()


def test_an_offer_served_and_owned_where_the_rule_says_is_spared_a_paper():
    here = {"served_in": ["eu"], "owned_in": ["eu"]}
    known = world(HEALTH | {"asks": ["transfer_clauses"], "unless": {"transfer_clauses": here}})
    assert (of_vendor(known, VENDOR, "Scaleway", regimes="health")[0] == OK).all()
    assert (of_vendor(known, VENDOR, "OpenAI", regimes="health")[0] == BLOCKED).all()  # served there, owned elsewhere


def test_own_servers_have_duties_of_their_own_which_do_not_bar_them():
    known = world(HEALTH | {"asks": ["us_persons"], "own": ["staff_screened"]})
    assert at_places(known, regimes="health")[0][0, OWN] == CONDITIONAL
    assert at_places(known, regimes="health", evidence="staff_screened")[0][0, OWN] == OK


def test_a_house_that_is_asked_for_nothing_stands_on_our_own_papers():
    known = world(HEALTH | {"asks": ["fedramp_moderate"], "own": ["own_attestation"]})
    assert at_places(known, regimes="health", housing="colocation")[0][0, OWN] == BLOCKED
    assert at_places(known, regimes="health", housing="colocation", evidence="own_attestation")[0][0, OWN] == OK


def test_a_higher_paper_covers_a_lower_one():
    known = world(HEALTH | {"asks": ["fedramp_moderate"]})
    # where the region of the paper sells an offer
    assert (of_vendor(known, VENDOR, "OpenAI", regimes="health", evidence="fedramp_high")[0] == OK).any()
    assert (of_vendor(known, VENDOR, "OpenAI", regimes="health")[0] == BLOCKED).all()


@pytest.mark.parametrize("order", [1, -1])
def test_the_worst_verdict_wins_in_either_order(order):
    both = [WARNS, HEALTH][::order]
    level, rule = at_places(world(*both), regimes="health")
    assert level[SENSITIVE].tolist() == [[BLOCKED, BLOCKED, OK]] * 4
    assert (rule[SENSITIVE, VENDOR] == both.index(HEALTH)).all()


def test_without_a_rule_every_place_is_ok():
    level, rule = at_places(world(), regimes="health", control="air_gapped")
    assert (level == OK).all() and (rule == NO_RULE).all()


def test_a_rule_fires_for_any_of_its_regimes_among_several():
    assert at_places(world(HEALTH), regimes="finance,health")[0][0, VENDOR] == BLOCKED
    assert at_places(world(HEALTH), regimes="finance")[0][0, VENDOR] == OK


def test_every_condition_of_a_rule_must_hold():
    deep = {"id": "deep", "when": {"domain": ["specialised"], "customisation": ["weights"]}, "bars": ["api"]}
    level, _ = at_places(world(deep), customisation="weights")
    assert (level[SPECIALISED, VENDOR] == BLOCKED).all() and (level[GENERAL, VENDOR] == OK).all()
    assert (at_places(world(deep))[0] == OK).all()


# where an offer is served


def test_an_api_takes_the_cheapest_of_its_regions_that_passes():
    known, offers = world(HEALTH | {"asks": [], "serve_in": ["eu"]}), shipped().table("api_offers")
    free, bound = (rules.judge(known, DEFAULTS | {"regimes": regimes})[VENDOR] for regimes in ("", "health"))
    mistral = offers.index.isin(["mistral/mistral-large-3", "mistral/mistral-medium-3.5"])
    assert (free.uplift[0, mistral] == 0).all() and (bound.uplift[0, mistral] == pytest.approx(0.1))
    assert (bound.level[0, mistral] == OK).all()
    anthropic = (offers["vendor"] == "Anthropic").to_numpy()
    assert (bound.level[0, anthropic] == BLOCKED).all()  # us and global are all it sells


def test_a_region_may_sell_some_models_only():
    known = shipped()
    found = rules.judge(known, DEFAULTS | {"jurisdiction": "us"})[VENDOR]
    sold = dict(zip(known.table("api_offers").index, found.level[OPEN[0]].tolist(), strict=True))
    assert sold["xai/grok-4.6"] == OK and sold["xai/grok-4.5"] == BLOCKED


def test_judging_takes_no_note_of_what_is_drawn():
    known = shipped()
    drawn = known.draw({"api_price": np.array([2.0])}, 1)
    assert rules.judge(drawn, DEFAULTS) is rules.judge(known, DEFAULTS)


# words


def test_the_remedy_names_what_is_missing_who_gives_it_and_in_how_many_weeks():
    only = {"id": "only", "when": {}, "demands": ["approved"]}
    known = world(HEALTH, only)
    words = rules.unlock(known, 0, "vendor_api", DEFAULTS | {"regimes": "health", "approved_vendors": "OpenAI"})
    assert words == "Sign. Missing: Business associate agreement. OpenAI: on request, about 1 week"
    own = world(HEALTH | {"asks": ["exit_test"]})
    words = rules.unlock(own, 0, "vendor_api", DEFAULTS | {"regimes": "health"})
    assert words == "Sign. Missing: Tested exit, our own doing, about 8 weeks"


def test_the_remedy_names_no_vendor_that_another_rule_bars():
    only = {"id": "only", "when": {}, "demands": ["approved"]}
    profile = DEFAULTS | {"regimes": "health", "approved_vendors": "Microsoft"}
    words = rules.unlock(world(HEALTH, only), 0, "rented_gpus", profile)
    assert "Microsoft: in its terms" in words and "AWS" not in words


def test_the_remedy_says_where_nobody_gives_it():
    known = world(HEALTH | {"asks": ["secnumcloud"]})
    assert rules.unlock(known, 0, "vendor_api", DEFAULTS | {"regimes": "health"}).endswith("gives it here")
    assert rules.unlock(world(GAP), 0, "vendor_api", DEFAULTS | {"control": "air_gapped"}) == "Sign"


def test_a_missed_deadline_says_by_how_much_and_rounds_up():
    team = next(limit for limit in LIMITS if limit.name == "team")
    because, unlock = team.reason(12.2, 12.0), team.remedy(12.2)
    assert because == "Takes 13 weeks to train or hire the people it needs; the deadline is 12"
    assert unlock.startswith("weeks_to_launch of at least 13,")


# what is wrong with a rule file


@pytest.fixture
def damaged():
    return copy.deepcopy(dict(shipped().rules))


def test_the_shipped_rules_have_no_problem():
    assert data_check.rule_problems(shipped().rules) == []


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("asks", ["baa", "handshake"], "'handshake' is not among the papers"),
        ("own", ["handshake"], "'handshake' is not among the papers"),
        ("unless", {"handshake": {"served_in": ["eu"]}}, "'handshake' is not among the papers"),
        ("when", {"regimes": ["hippa"]}, "'hippa' is not among the regimes"),
        ("bars", ["apis"], "'apis' is not among the services"),
        ("demands", ["served"], "'served' is not among the demands"),
        ("source", "hearsay", "'hearsay' is neither a https link nor 'estimate'"),
    ],
)
def test_a_name_that_is_not_defined_and_a_source_that_is_none_are_found(damaged, field, value, words):
    damaged["rules"][0][field] = value
    (problem,) = data_check.rule_problems(damaged)
    assert damaged["rules"][0]["id"] in problem and words in problem


@pytest.mark.parametrize(("field", "words"), [("because", "lacks because"), ("asks", "asks nothing, bars nothing")])
def test_a_rule_without_a_reason_or_without_a_demand_is_found(damaged, field, words):
    del damaged["rules"][0][field]
    (problem,) = data_check.rule_problems(damaged)
    assert damaged["rules"][0]["id"] in problem and words in problem
