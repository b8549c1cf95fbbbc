"""The cost lines: declared once, in data/lines.csv, and refused in words where they are not."""

import pandas as pd
import pytest

from toy import shipped
from where_to_run.analysis import data_check
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import question
from where_to_run.inputs.tables import FactsError
from where_to_run.places import bill
from where_to_run.views import charts

ROOMY = {"budget_usd_per_month": 1e9, "capex_limit_usd": 1e10, "weeks_to_launch": 260}
BUSY = ROOMY | {"requests_per_month": 3e8, "input_tokens": 100_000, "batch_share": 0.4}
MANY = [
    *({"preset": name} for name in question.presets()),
    BUSY | {"sensitive_share": 0.5, "jurisdiction": "eu", "control": "region", "api_model": "openai/gpt-6-sol"},
    BUSY | {"gpu": "h100", "horizon_months": 35, "spikiness": 1.2, "growth_per_month": 0.0},
    {"api_model": "azure/gpt-5.4", "requests_per_month": 3e7, "spikiness": 1.5, "outage_usd_per_hour": 100},
]


@pytest.fixture(scope="module")
def made():
    """The lines of many answers, as means."""
    return pd.concat([evaluate(question.grid(**fields), shipped()).means for fields in MANY])


def test_every_line_of_an_answer_is_declared_and_every_declared_line_occurs(made):
    assert data_check.undeclared(made) == []
    assert set(bill.declared()) == set(made["line"])


def test_a_line_that_is_not_declared_is_refused_with_its_name_and_what_is_near():
    with pytest.raises(FactsError, match=r"no line 'spare part' in data/lines.csv; near it: spare parts.*Declare it"):
        bill.line("spare part")


def test_an_answer_with_an_undeclared_line_is_neither_sound_nor_drawn(made):
    new = made.head(1).assign(line="carbon levy")
    (problem,) = data_check.undeclared(new)
    assert (
        problem == f"lines.csv: an answer has the line 'carbon levy' at {new['place'].iloc[0]}, which no row declares"
    )
    with pytest.raises(FactsError, match="no line 'carbon levy'"):
        charts.cost_by_option(new, {name: name for name in new["option"].unique()})


def test_a_line_at_another_place_than_declared_is_found():
    moved = pd.DataFrame({"place": ["rented_gpus", "routing"], "line": ["power", "set-up project"]})
    (problem,) = data_check.undeclared(moved)
    assert "the line 'power' at rented_gpus" in problem


def test_what_counts_against_the_capital_limit_is_bought_and_only_interest_is_no_payment():
    # methods: price of servers, a share of it for network and spare parts, and the installation
    assert bill.HARDWARE == ("servers", "network", "spare parts", "installation")
    assert bill.CAPITAL == "capital tied up" and bill.WORTH == ("capital tied up", "residual value")


def test_every_kind_has_a_line_and_words():
    assert {line.kind for line in bill.declared().values()} == set(bill.GROUPS)
    assert bill.line("egress").group == bill.line("machines").group == "rented machines"
