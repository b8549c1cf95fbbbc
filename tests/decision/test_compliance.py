"""What a compliance officer would ask: given a regime, the papers in hand, a vendor and a jurisdiction; then a verdict.

R1 to R17 are the corrections of a review of the first rules, in its order. The regimes' own rules are judged here; the
warning about confidential data without a regime is left out, and has tests in test_rules.py.
"""

import numpy as np
import pandas as pd
import pytest

import compliance
from compliance import DEFAULTS, asked_of, law, verdicts
from where_to_run.decision import rules
from where_to_run.decision.rules import BLOCKED
from where_to_run.decision.sites import sites
from where_to_run.inputs import facts, question
from where_to_run.inputs.question import PLACES, ScenarioError

OWN = ("own_room", "")
HOUSE = ("colocation", "Colocation")


def api(vendor):
    return "api", vendor


def cloud(vendor):
    return "cloud", vendor


CASES = [
    # R1, R2: a business associate agreement alone lifts HIPAA, for API and cloud alike, at those who sign one
    ("hipaa", "", api("OpenAI"), {}, "blocked"),
    ("hipaa", "zero_retention", api("OpenAI"), {}, "blocked"),
    ("hipaa", "baa", api("OpenAI"), {}, "ok"),
    ("hipaa", "baa", api("AWS Bedrock"), {}, "ok"),
    ("hipaa", "baa", api("Mistral"), {}, "blocked"),
    ("hipaa", "", cloud("AWS"), {}, "blocked"),
    ("hipaa", "baa", cloud("AWS"), {}, "ok"),
    # R3: the paper is the firm's, not the place's
    ("hipaa", "baa", cloud("Hyperstack"), {}, "blocked"),
    ("hipaa", "baa", cloud("Lambda"), {}, "blocked"),
    # R4: a cloud served or owned in a third country is a transfer as an API is
    ("gdpr", "dpa", cloud("AWS"), {"jurisdiction": "eu"}, "blocked"),
    ("gdpr", "dpa,transfer_clauses", cloud("AWS"), {"jurisdiction": "eu"}, "ok"),
    ("gdpr", "dpa", cloud("Nebius"), {"jurisdiction": "eu"}, "ok"),
    ("gdpr", "dpa", api("OpenAI"), {"jurisdiction": "eu"}, "blocked"),
    ("gdpr", "dpa,transfer_clauses", api("OpenAI"), {"jurisdiction": "eu"}, "ok"),
    ("gdpr", "dpa", api("Mistral"), {}, "ok"),
    ("gdpr", "dpa,transfer_clauses", api("DeepSeek"), {}, "blocked"),
    # R5: DORA asks the same of all, and a tested exit only for critical functions
    ("dora", "", cloud("GCP"), {}, "blocked"),
    ("dora", "dora_addendum", cloud("GCP"), {}, "ok"),
    ("dora", "dora_addendum", api("Google Vertex AI"), {}, "ok"),
    ("dora_critical", "dora_addendum", api("Google Vertex AI"), {}, "blocked"),
    ("dora_critical", "dora_addendum,exit_test", api("Google Vertex AI"), {}, "ok"),
    ("dora", "", HOUSE, {}, "blocked"),
    ("dora", "dora_addendum", HOUSE, {}, "ok"),
    # R6: FedRAMP binds infrastructure first; an agency's own server needs the agency's authorisation
    ("fedramp", "", cloud("Azure"), {}, "blocked"),
    ("fedramp", "fedramp_moderate", cloud("Azure"), {}, "ok"),
    ("fedramp", "fedramp_moderate", cloud("CoreWeave"), {}, "blocked"),
    ("fedramp", "fedramp_moderate", api("OpenAI"), {}, "ok"),
    ("fedramp", "", OWN, {}, "conditional"),
    ("fedramp", "own_attestation", OWN, {}, "ok"),
    # R7: an accreditation lifts it where an accredited environment is on offer; none of our offers is of one
    ("classified", "accreditation", api("Azure AI"), {}, "blocked"),
    ("classified", "", OWN, {}, "conditional"),
    ("classified", "accreditation", OWN, {}, "ok"),
    # R8, R9: own staff and the colocation firm are screened too
    ("itar", "", OWN, {}, "conditional"),
    ("itar", "staff_screened", OWN, {}, "ok"),
    ("itar", "us_persons", api("AWS Bedrock"), {}, "ok"),
    ("itar", "us_persons", cloud("Lambda"), {}, "blocked"),
    ("cjis", "", OWN, {}, "conditional"),
    ("cjis", "staff_screened", HOUSE, {}, "blocked"),
    ("cjis", "staff_screened,cjis_addendum", HOUSE, {}, "ok"),
    # R10: an attestation that covers the service lifts PCI, as tokens do
    ("pci", "pci_aoc", cloud("AWS"), {}, "ok"),
    ("pci", "pci_aoc", api("Groq"), {}, "blocked"),
    ("pci", "tokenised", api("Groq"), {}, "ok"),
    ("pci", "", OWN, {}, "conditional"),
    # R11: served in China nothing is exported
    ("pipl", "dpa", api("Alibaba DashScope"), {}, "ok"),
    ("pipl", "dpa", api("OpenAI"), {}, "blocked"),
    ("pipl", "dpa,security_assessment", api("OpenAI"), {}, "ok"),
    # R12: the AI Act bars no place
    ("eu_ai_act", "", api("DeepSeek"), {}, "ok"),
    ("eu_ai_act", "", cloud("RunPod"), {}, "ok"),
    # R13: US finance asks the same of a cloud as of an API
    ("glba", "dpa", cloud("AWS"), {}, "blocked"),
    ("glba", "dpa,risk_assessment", cloud("AWS"), {}, "ok"),
    ("glba", "dpa,risk_assessment", api("Anthropic"), {}, "ok"),
    # R14: own tenancy needs a whole machine
    ("", "", cloud("RunPod"), {"control": "own_tenancy"}, "blocked"),
    ("", "", cloud("OCI"), {"control": "own_tenancy"}, "ok"),
    ("", "", api("AWS Bedrock"), {"control": "own_tenancy"}, "blocked"),
    # R15: the region of a machine counts, and a price for all regions promises none
    ("", "", cloud("Nebius"), {"jurisdiction": "eu"}, "ok"),
    ("", "", cloud("RunPod"), {"jurisdiction": "eu"}, "blocked"),
    ("", "", cloud("OCI"), {"jurisdiction": "eu"}, "blocked"),
    # R16: residency is sold by some vendors, for some regions
    ("", "", api("OpenAI"), {"jurisdiction": "in"}, "ok"),
    ("", "", api("Anthropic"), {"jurisdiction": "us"}, "ok"),
    ("", "", api("Anthropic"), {"jurisdiction": "eu"}, "blocked"),
    # R17: a colocation firm is a third party
    ("hipaa", "", HOUSE, {}, "blocked"),
    ("hipaa", "baa", HOUSE, {}, "ok"),
    ("hipaa", "", OWN, {}, "ok"),
    # the regimes that were missing
    ("soc2", "soc2", cloud("Crusoe"), {}, "ok"),
    ("soc2", "soc2", cloud("Vultr"), {}, "blocked"),
    ("iso27001", "iso27001", api("Together"), {}, "ok"),
    ("uk_gdpr", "dpa", api("Anthropic"), {}, "blocked"),
    ("uk_gdpr", "dpa,uk_addendum", api("Anthropic"), {}, "ok"),
    ("us_state_privacy", "dpa", cloud("RunPod"), {}, "ok"),
    ("nis2", "dpa,risk_assessment", cloud("Scaleway"), {}, "ok"),
    ("ferpa", "dpa", api("Mistral"), {}, "blocked"),
    ("ferpa", "dpa,no_training", api("Mistral"), {}, "ok"),
    ("cmmc", "fedramp_moderate", cloud("Lambda"), {}, "blocked"),
    ("cmmc", "fedramp_high", cloud("Azure"), {}, "ok"),
    ("dod_il4", "dod_il5", api("AWS Bedrock"), {}, "ok"),
    ("dod_il5", "dod_il4", api("AWS Bedrock"), {}, "blocked"),
    ("hds", "dpa,hds", cloud("Scaleway"), {}, "ok"),
    ("hds", "dpa,hds", cloud("AWS"), {}, "blocked"),
    ("secnumcloud", "dpa,secnumcloud", cloud("OVHcloud"), {}, "blocked"),
    ("secnumcloud", "", OWN, {}, "ok"),
    ("c5", "dpa,c5", cloud("AWS"), {}, "ok"),
    ("nhs_dspt", "dpa,dspt", api("Google Vertex AI"), {}, "ok"),
    # demands
    ("", "", cloud("Azure"), {"approved_vendors": "AWS,Microsoft"}, "ok"),
    ("", "", cloud("GCP"), {"approved_vendors": "AWS,Microsoft"}, "blocked"),
    ("", "", api("OpenAI"), {"control": "region_owned", "jurisdiction": "eu"}, "blocked"),
    ("", "", api("Mistral"), {"control": "region_owned", "jurisdiction": "eu"}, "ok"),
    ("", "", HOUSE, {"approved_vendors": "AWS"}, "blocked"),
]


@pytest.mark.parametrize(("regime", "papers", "who", "demands", "verdict"), CASES)
def test_given_regime_papers_vendor_and_demands_then_verdict(regime, papers, who, demands, verdict):
    found, _ = verdicts(regimes=regime, evidence=papers, **demands)[who]
    assert found == verdict


@pytest.mark.parametrize(
    ("regime", "who", "weeks"),
    [
        ("hipaa", api("OpenAI"), 1),
        ("dora", cloud("GCP"), 6),
        ("pci", api("Groq"), 8),
        ("dora", cloud("Lambda"), np.inf),
    ],
)
def test_what_is_missing_takes_the_weeks_of_the_passport_or_of_our_own_doing(regime, who, weeks):
    assert verdicts(regimes=regime, papers="obtainable")[who] == (
        "blocked" if weeks == np.inf else "conditional",
        weeks,
    )


# laws


@pytest.mark.parametrize("regime", sorted(facts.load().rules["regimes"]))
def test_no_paper_in_hand_leaves_own_servers_in_ones_own_room_alone(regime):
    allowed = {who for who, (verdict, _) in verdicts(regimes=regime).items() if verdict != "blocked"}
    if regime == "eu_ai_act":  # asks for no paper, wherever the model runs
        assert len(allowed) > 30
    else:
        assert allowed == {OWN}


@pytest.mark.parametrize("regime", sorted(facts.load().rules["regimes"]))
def test_more_papers_never_make_a_verdict_worse(regime):
    every = sorted(law().rules["papers"])
    before, after = verdicts(regimes=regime), verdicts(regimes=regime, evidence=",".join(every))
    for who, (verdict, _) in before.items():
        assert rules.VERDICTS.index(after[who][0]) <= rules.VERDICTS.index(verdict), who


@pytest.mark.parametrize("regime", sorted(facts.load().rules["regimes"]))
def test_a_cloud_and_an_api_are_asked_for_the_same_but_for_what_only_an_api_can_keep(regime):
    written = law().rules["papers"]
    only_api = {"zero_retention", "no_training"}
    for paper in asked_of(regime):
        of = written[paper].get("of", ["api", "cloud"])
        assert {"api", "cloud"} <= set(of) or paper in only_api, paper


def test_no_offer_outside_the_union_passes_under_its_jurisdiction():
    known = facts.load()
    at = sites(known)
    every = ",".join(sorted(known.rules["papers"]))
    for regime in ("", *known.rules["regimes"]):
        for control in ("none", "region", "region_owned", "own_tenancy"):
            for papers in ("in_hand", "obtainable"):
                asked = {"regimes": regime, "evidence": every, "control": control, "papers": papers}
                judged = rules.judge(known, DEFAULTS | asked | {"jurisdiction": "eu"})
                for place, said in zip(PLACES[:2], judged, strict=False):
                    passes = said.level < BLOCKED
                    assert (at.served_in[said.site[passes]] == "eu").all(), (regime, control, place)
                    if control == "region_owned":
                        assert (at.owned_in[said.site[passes]] == "eu").all(), (regime, place)


def test_hipaa_with_the_agreement_in_hand_goes_to_vendors_that_sign_one_alone():
    known = facts.load()
    given = known.table("passports")
    signs = set(given.loc[(given["paper"] == "baa") & (given["available"] != "no"), "vendor"])
    judged = rules.judge(known, DEFAULTS | {"regimes": "hipaa", "evidence": "baa"})
    for (table, column), said in zip((("api_offers", "vendor"), ("machines", "provider")), judged, strict=False):
        passes = said.level[0] < BLOCKED
        assert passes.any() and set(known.table(table)[column][passes]) <= signs


@pytest.mark.parametrize("control", ["region", "region_owned"])
def test_a_region_without_a_jurisdiction_is_refused_in_words(control):
    with pytest.raises(ScenarioError, match=rf"control: {control} with jurisdiction any names no region; give a"):
        question.grid(control=control)
    assert len(question.grid(control=control, jurisdiction="uk")) == 1


def test_papers_by_their_old_names_are_taken_for_the_new_ones():
    old = ["dora_clauses", "fedramp", "transfer_basis", "personnel_screening", "residency"]
    now = "cjis_addendum,dora_addendum,fedramp_moderate,residency,transfer_clauses"
    assert question.grid(evidence=old)["evidence"][0] == now


def test_the_jurisdictions_one_may_ask_for_are_those_of_the_regions():
    named = set(facts.load().table("regions")["jurisdiction"]) - {""}
    assert set(question.BY_NAME["jurisdiction"].choices) - {"any"} == named


# every regime, every set of papers, every service


def test_the_table_of_all_regimes_services_and_papers_is_the_one_that_was_reviewed():
    """Written by `python tests/compliance.py`; a difference is to be read line by line, not only written anew."""
    expected = pd.read_csv(compliance.EXPECTED, dtype=str, keep_default_na=False)
    pd.testing.assert_frame_equal(compliance.table(), expected)
