"""The nearest way out: every change named opens its option, and the evidence named is what the rule asks for."""

import pytest

from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.unlock import single_changes
from where_to_run.inputs import facts, question

STUCK = {
    "hospital": {"weeks_to_launch": 1},
    "bank": {"weeks_to_launch": 1},
    "public_body": {"budget_usd_per_month": 10},
    "": {"regimes": "gdpr", "sensitive_share": 0.5, "capex_limit_usd": 0, "weeks_to_launch": 6},
}


def verdict(rows, option):
    found = evaluate(rows, facts.load()).options
    return found.set_index("option").loc[option, "verdict"]


@pytest.mark.parametrize("preset", STUCK)
def test_every_change_opens_its_option_alone(preset):
    rows = question.grid(preset, **STUCK[preset])
    found = single_changes(evaluate(rows, facts.load()))
    assert len(found)
    for change in found.itertuples():
        assert verdict(rows, change.option) == "blocked"
        assert verdict(rows.assign(**{change.field: change.value}), change.option) != "blocked"


@pytest.mark.parametrize(
    ("preset", "field"), [("hospital", "weeks_to_launch"), ("public_body", "budget_usd_per_month")]
)
def test_one_unit_less_does_not_open_it(preset, field):
    rows = question.grid(preset, **STUCK[preset])
    found = single_changes(evaluate(rows, facts.load()))
    amounts = found[found["field"] == field]
    assert len(amounts)
    for change in amounts.itertuples():
        assert verdict(rows.assign(**{field: change.value - 1}), change.option) == "blocked"


def test_evidence_is_named_as_the_rule_lists_it_for_the_place():
    rows = question.grid(**STUCK[""])
    found = single_changes(evaluate(rows, facts.load()))
    evidence = found[found["field"] == "evidence"].set_index("option")["value"]
    assert evidence["api"] == "dpa,transfer_basis"


def test_nothing_is_named_where_something_is_allowed():
    assert single_changes(evaluate(question.grid(), facts.load())).empty
