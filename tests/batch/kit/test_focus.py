"""The bill in FOCUS: what the specification asks of every row, and the amounts of the answer."""

import csv
import io
import re

import pytest

import kits
from where_to_run.batch.kit import focus
from where_to_run.batch.kit.routing import recommended
from where_to_run.paths import DATA, read_yaml
from where_to_run.places.bill import NO_CASH

PRESETS = ["startup", "bank", "consumer_platform"]
COLUMNS = read_yaml(DATA / "focus.yaml")["columns"]

NUMBER = re.compile(r"-?\d+(\.\d+)?(E-?\d+)?", re.IGNORECASE)
MOMENT = re.compile(r"\d{4}-\d\d-01T00:00:00Z")


def charges(answer):
    return list(csv.DictReader(io.StringIO(focus.files(answer)[focus.NAME].decode())))


def test_the_table_has_the_21_columns_that_version_1_2_makes_mandatory():
    # counted in the specification's own pages of the columns
    assert sum(column["level"] == "Mandatory" for column in COLUMNS) == 21


@pytest.mark.parametrize("preset", PRESETS)
def test_every_cell_is_of_its_type_and_filled_where_it_must_be(preset):
    for row in charges(kits.answer(preset)):
        assert list(row) == [column["name"] for column in COLUMNS]
        for column in COLUMNS:
            cell = row[column["name"]]
            assert cell or column["nulls"], column
            assert not cell or cell in column.get("among", [cell]), (column, cell)
            if cell and column["type"] == "Decimal":
                assert NUMBER.fullmatch(cell), (column, cell)
            if column["type"] == "Date/Time":
                assert MOMENT.fullmatch(cell)
        # of what the specification says of two columns together
        assert bool(row["ConsumedQuantity"]) == (row["ChargeCategory"] == "Usage")
        assert row["ChargeCategory"] == "Credit" or (row["PricingQuantity"] and row["PricingUnit"])
        assert bool(row["ConsumedUnit"]) == bool(row["ConsumedQuantity"])
        assert (row["ChargeCategory"], row["ChargeFrequency"]) != ("Purchase", "Usage-Based")
        assert row["BillingPeriodStart"] < row["BillingPeriodEnd"]


@pytest.mark.parametrize("preset", PRESETS)
def test_the_charges_add_up_to_the_bill_month_by_month(preset):
    answer = kits.answer(preset)
    lines = answer.lines[(answer.lines["option"] == recommended(answer)) & ~answer.lines["line"].isin(NO_CASH)]
    told = {}
    for row in charges(answer):
        told[row["BillingPeriodStart"]] = told.get(row["BillingPeriodStart"], 0) + float(row["BilledCost"])
    by_month = lines.groupby("month")["usd"].sum()
    assert [told[at] for at in sorted(told)] == pytest.approx(by_month[by_month != 0].tolist(), abs=0.01)


def test_tokens_are_those_of_the_requests_whatever_course_prices_take():
    # By hand, in month 1: 400,000 requests x (1,000 in + 120 out) = 448 million tokens
    fields = {"requests_per_month": 400_000, "input_tokens": 1_000, "output_tokens": 120, "api_price_decline": 0.3}
    rows = charges(kits.answer("startup", **fields))
    first = sorted({row["ChargePeriodStart"] for row in rows})[1]
    counted = [row for row in rows if row["ConsumedUnit"] == "Tokens" and row["ChargePeriodStart"] == first]
    assert sum(float(row["ConsumedQuantity"]) for row in counted) == pytest.approx(448e6)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_name_that_looks_like_a_formula_is_a_text(text, monkeypatch):
    monkeypatch.setattr(focus, "OURSELVES", text)
    told = {row["ProviderName"] for row in charges(kits.answer("startup"))}
    assert f"'{text}" in told and text not in told
