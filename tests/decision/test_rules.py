import copy

import pytest

from where_to_run.decision import rules
from where_to_run.decision.rules import BLOCKED, CONDITIONAL, NO_RULE, OK
from where_to_run.decision.verdicts import LIMITS
from where_to_run.inputs import facts
from where_to_run.inputs.question import PLACES, STREAMS

VENDOR, RENTED, OWN = range(3)
SENSITIVE, OPEN = [0, 1, 2, 3], [4, 5, 6, 7]  # rows of STREAMS
GENERAL, SPECIALISED = [0, 1, 4, 5], [2, 3, 6, 7]


def _profile(regimes="", evidence="", control="none", customisation="prompting"):
    return {"regimes": regimes, "evidence": evidence, "control": control, "customisation": customisation}


def _rule(when, keep=(), conditional=(), lifted_by=()):
    return {"when": when, "keep_on": list(keep), "conditional_on": list(conditional), "lifted_by": lifted_by}


HEALTH = _rule(
    {"data_class": ["sensitive"], "regimes": ["health"]}, ["own_gpus"], ["rented_gpus"], ["contract", "audit"]
)
GAP = _rule({"control": ["air_gapped"]}, ["own_gpus"])
BY_PLACE = HEALTH | {"lifted_by": {"vendor_api": ["contract", "audit"], "rented_gpus": ["contract"]}}


def test_the_positions_used_here_are_those_of_the_scenario():
    assert PLACES == ("vendor_api", "rented_gpus", "own_gpus")
    assert [STREAMS[i][0] for i in SENSITIVE] == ["sensitive"] * 4
    assert [STREAMS[i][0] for i in OPEN] == ["open"] * 4
    assert [STREAMS[i][1] for i in SPECIALISED] == ["specialised"] * 4


def test_a_rule_keeps_one_place_names_conditions_for_another_and_blocks_the_rest():
    level, rule = rules.judge([HEALTH], _profile("health"))
    assert level[SENSITIVE].tolist() == [[BLOCKED, CONDITIONAL, OK]] * 4
    assert rule[SENSITIVE].tolist() == [[0, 0, NO_RULE]] * 4


def test_a_rule_does_not_touch_the_streams_it_does_not_name():
    level, rule = rules.judge([HEALTH], _profile("health"))
    assert (level[OPEN] == OK).all()
    assert (rule[OPEN] == NO_RULE).all()


def test_all_the_evidence_lifts_a_verdict_by_one_step():
    level, _ = rules.judge([HEALTH], _profile("health", "audit,contract"))
    assert level[SENSITIVE].tolist() == [[CONDITIONAL, OK, OK]] * 4


@pytest.mark.parametrize("evidence", ["", "audit", "contract", "contract,other"])
def test_a_part_of_the_evidence_lifts_nothing(evidence):
    level, _ = rules.judge([HEALTH], _profile("health", evidence))
    assert level[SENSITIVE].tolist() == [[BLOCKED, CONDITIONAL, OK]] * 4


def test_a_rule_that_nothing_lifts_stays_whatever_the_evidence():
    level, _ = rules.judge([GAP], _profile(control="air_gapped", evidence="audit,contract"))
    assert level.tolist() == [[BLOCKED, BLOCKED, OK]] * 8


@pytest.mark.parametrize(
    ("evidence", "verdicts"),
    [
        ("", [BLOCKED, CONDITIONAL, OK]),
        ("contract", [BLOCKED, OK, OK]),
        ("audit", [BLOCKED, CONDITIONAL, OK]),
        ("audit,contract", [CONDITIONAL, OK, OK]),
    ],
)
def test_evidence_by_place_lifts_the_places_it_suffices_for(evidence, verdicts):
    level, _ = rules.judge([BY_PLACE], _profile("health", evidence))
    assert level[SENSITIVE].tolist() == [verdicts] * 4


def test_one_list_lifts_a_rule_everywhere_and_a_mapping_where_it_says():
    assert [rules.lifts(HEALTH, place) for place in PLACES] == [["contract", "audit"]] * 3
    assert [rules.lifts(BY_PLACE, place) for place in PLACES] == [["contract", "audit"], ["contract"], []]
    assert [rules.lifts(GAP, place) for place in PLACES] == [[]] * 3


def test_a_place_the_mapping_does_not_name_is_not_lifted():
    level, _ = rules.judge([GAP | {"lifted_by": {"rented_gpus": ["audit"]}}], _profile("", "audit", "air_gapped"))
    assert level.tolist() == [[BLOCKED, CONDITIONAL, OK]] * 8


@pytest.mark.parametrize("order", [1, -1])
def test_the_worst_verdict_wins_in_either_order(order):
    warns = _rule({"data_class": ["sensitive"]}, ["own_gpus"], ["vendor_api", "rented_gpus"])
    both = [warns, HEALTH][::order]
    level, rule = rules.judge(both, _profile("health"))
    assert level[SENSITIVE].tolist() == [[BLOCKED, CONDITIONAL, OK]] * 4
    # the API is blocked by HEALTH; on rented GPUs both say conditional, and the first one is named
    assert rule[SENSITIVE].tolist() == [[both.index(HEALTH), 0, NO_RULE]] * 4


def test_without_a_rule_every_place_is_ok():
    level, rule = rules.judge([], _profile("health", control="air_gapped"))
    assert (level == OK).all()
    assert (rule == NO_RULE).all()


def test_a_rule_fires_for_any_of_its_regimes_among_several():
    level, _ = rules.judge([HEALTH], _profile("finance,health"))
    assert level[0, VENDOR] == BLOCKED
    level, _ = rules.judge([HEALTH], _profile("finance"))
    assert level[0, VENDOR] == OK


def test_every_condition_of_a_rule_must_hold():
    both = _rule({"domain": ["specialised"], "customisation": ["weights", "fine_tuning"]}, ["own_gpus"])
    level, _ = rules.judge([both], _profile(customisation="fine_tuning"))
    assert (level[SPECIALISED, VENDOR] == BLOCKED).all()
    assert (level[GENERAL, VENDOR] == OK).all()
    level, _ = rules.judge([both], _profile(customisation="prompting"))
    assert (level == OK).all()


def test_the_remedy_names_the_evidence_still_missing_once_a_part_is_in_hand():
    rule = HEALTH | {"unlock": "Sign and be audited"}
    for place in (VENDOR, RENTED):
        assert rules.unlock(rule, place, "") == "Sign and be audited"
        assert rules.unlock(rule, place, "contract") == "Sign and be audited. Still missing: audit"
        assert rules.unlock(rule, place, "contract,audit").startswith("All the evidence is in hand")
    assert rules.unlock(GAP | {"unlock": "Nothing lifts it"}, VENDOR, "contract") == "Nothing lifts it"


def test_the_remedy_is_that_of_the_place():
    rule = BY_PLACE | {"unlock": "Sign and be audited"}
    assert rules.unlock(rule, VENDOR, "contract") == "Sign and be audited. Still missing: audit"
    assert rules.unlock(rule, RENTED, "contract").startswith("All the evidence is in hand")
    assert rules.unlock(rule, RENTED, "audit") == "Sign and be audited"  # no part of what rented GPUs need is in hand


def test_a_missed_deadline_says_by_how_much_and_rounds_up():
    team = next(limit for limit in LIMITS if limit.name == "team")
    because, unlock = team.reason(12.2, 12.0), team.remedy(12.2)
    assert because == "Takes 13 weeks to train or hire the people it needs; the deadline is 12"
    assert unlock.startswith("weeks_to_launch of at least 13,")


# the shipped rules


@pytest.fixture(scope="module")
def shipped():
    return facts.load().rules


def _level(shipped, **profile):
    return rules.judge(shipped["rules"], _profile(**profile))[0]


def test_hipaa_without_evidence_bars_the_api_for_sensitive_traffic_only(shipped):
    level = _level(shipped, regimes="hipaa")
    assert (level[SENSITIVE, VENDOR] == BLOCKED).all()
    assert (level[OPEN, VENDOR] == OK).all()


def test_hipaa_with_agreement_and_zero_retention_is_conditional_at_the_api(shipped):
    level = _level(shipped, regimes="hipaa", evidence="baa,zero_retention")
    assert (level[SENSITIVE, VENDOR] == CONDITIONAL).all()


@pytest.mark.parametrize("evidence", ["baa", "zero_retention"])
def test_hipaa_with_half_the_evidence_still_bars_the_api(shipped, evidence):
    assert (_level(shipped, regimes="hipaa", evidence=evidence)[SENSITIVE, VENDOR] == BLOCKED).all()


@pytest.mark.parametrize(("regime", "evidence"), [("hipaa", "baa"), ("gdpr", "dpa")])
def test_the_contract_alone_lifts_rented_gpus_and_not_the_api(shipped, regime, evidence):
    level = _level(shipped, regimes=regime, evidence=evidence)
    assert level[SENSITIVE].tolist() == [[BLOCKED, OK, OK]] * 4


@pytest.mark.parametrize("regime", ["hipaa", "gdpr"])
def test_without_the_contract_rented_gpus_are_conditional(shipped, regime):
    assert (_level(shipped, regimes=regime)[SENSITIVE, RENTED] == CONDITIONAL).all()


def test_an_air_gap_leaves_only_own_gpus_for_all_traffic(shipped):
    level = _level(shipped, control="air_gapped")
    assert (level[:, [VENDOR, RENTED]] == BLOCKED).all()
    assert (level[:, OWN] == OK).all()


def test_own_tenancy_bars_the_api_for_all_traffic_and_no_machines(shipped):
    level = _level(shipped, control="own_tenancy")
    assert (level[:, VENDOR] == BLOCKED).all()
    assert (level[:, [RENTED, OWN]] < BLOCKED).all()


def test_changed_weights_bar_the_api_for_specialised_traffic_only(shipped):
    level = _level(shipped, customisation="weights")
    assert (level[SPECIALISED, VENDOR] == BLOCKED).all()
    assert (level[GENERAL, VENDOR] < BLOCKED).all()
    assert (level[:, [RENTED, OWN]] < BLOCKED).all()


def test_the_ai_act_alone_blocks_nothing(shipped):
    assert (_level(shipped, regimes="eu_ai_act") < BLOCKED).all()


def test_open_general_traffic_without_demands_may_go_anywhere(shipped):
    assert (_level(shipped)[OPEN] == OK).all()


def test_no_regime_leaves_sensitive_traffic_without_any_place(shipped):
    for regime in shipped["regimes"]:
        level = _level(shipped, regimes=regime)
        assert (level[SENSITIVE].min(axis=1) < BLOCKED).all(), regime


def test_every_rule_gives_its_reason_its_source_and_its_day(shipped):
    for rule in shipped["rules"]:
        assert rule["because"].strip(), rule["id"]
        assert rule["source"].startswith("https://"), rule["id"]
        assert len(str(rule["since"])) == len("2026-11-22"), rule["id"]
    names = [rule["id"] for rule in shipped["rules"]]
    assert len(names) == len(set(names))


def test_every_regime_is_named_by_a_rule_and_there_are_ten_or_more(shipped):
    named = {regime for rule in shipped["rules"] for regime in rule["when"].get("regimes", [])}
    assert named == set(shipped["regimes"])
    assert len(named) >= 10


def test_more_evidence_never_makes_a_verdict_worse(shipped):
    every = ",".join(shipped["evidence"])
    for regime in shipped["regimes"]:
        assert (_level(shipped, regimes=regime, evidence=every) <= _level(shipped, regimes=regime)).all(), regime


# what is wrong with a rule file


@pytest.fixture
def damaged(shipped):
    return copy.deepcopy(dict(shipped))


def test_the_shipped_rules_have_no_problem(shipped):
    assert rules.problems(shipped) == []


def test_evidence_that_is_not_defined_is_found(damaged):
    damaged["rules"][0]["lifted_by"] = ["baa", "handshake"]
    (problem,) = rules.problems(damaged)
    assert damaged["rules"][0]["id"] in problem
    assert "'handshake' is not among its evidence" in problem


def test_a_regime_that_is_not_defined_is_found(damaged):
    damaged["rules"][0]["when"]["regimes"] = ["hippa"]
    (problem,) = rules.problems(damaged)
    assert "'hippa' is not among its regimes" in problem


def test_a_rule_without_a_reason_is_found(damaged):
    del damaged["rules"][1]["because"]
    (problem,) = rules.problems(damaged)
    assert damaged["rules"][1]["id"] in problem
    assert "lacks because" in problem


def test_a_place_that_does_not_exist_is_found(damaged):
    damaged["rules"][0]["keep_on"] = ["own_gpu"]
    (problem,) = rules.problems(damaged)
    assert "no place 'own_gpu'" in problem


def test_a_place_that_does_not_exist_is_found_in_what_lifts_a_rule(damaged):
    damaged["rules"][0]["lifted_by"] = {"vendor_api": ["baa"], "rented_gpu": ["baa"]}
    (problem,) = rules.problems(damaged)
    assert damaged["rules"][0]["id"] in problem
    assert "no place 'rented_gpu'" in problem


def test_evidence_that_is_not_defined_is_found_at_one_place(damaged):
    damaged["rules"][0]["lifted_by"] = {"vendor_api": ["baa"], "rented_gpus": ["handshake"]}
    (problem,) = rules.problems(damaged)
    assert "'handshake' is not among its evidence" in problem


def test_a_rule_whose_source_is_no_link_is_found(damaged):
    damaged["rules"][0]["source"] = "hearsay"
    (problem,) = rules.problems(damaged)
    assert "'hearsay' is neither a https link nor 'estimate'" in problem
