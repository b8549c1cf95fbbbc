"""The offer that is priced passes the rules: what may not serve a stream changes no answer by being in the tables."""

from dataclasses import replace

import numpy as np
import pytest

from drawn import random_rows
from toy import shipped
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import question

NUMBER = 500
FIGURES = ["generalised_usd_per_month", "npv_usd", "launch_weeks", "running_usd_per_month"]


def scenarios(**fields):
    """Drawn scenarios whose models are searched, with some fields the same in all."""
    good_enough = {"api_model": question.GOOD_ENOUGH, "open_model": question.GOOD_ENOUGH, "gpu": "cheapest"}
    return random_rows(NUMBER, seed=15).assign(**good_enough | fields)


def where(vendors, regions=None):
    """The facts without API offers and machines of other vendors, or of other regions."""
    known = shipped()
    apis, machines = known.table("api_offers"), known.table("machines")
    stand = machines["provider"].isin(vendors)
    if regions is not None:
        stand &= (machines["provider"] + "/cloud/" + machines["region"]).isin(regions)
    tables = {"api_offers": apis[apis["vendor"].isin(vendors)], "machines": machines[stand]}
    return replace(known, tables=dict(known.tables) | tables, made={})


def same(rows, few):
    """Every option that is not blocked has the same figures whether or not the tables hold the other offers."""
    every, left = (evaluate(rows, facts).figures for facts in (shipped(), few))
    open_ = (every["verdict"] != "blocked").to_numpy()
    assert open_.sum() > NUMBER / 10, "hardly anything is allowed, so this shows nothing"
    np.testing.assert_array_equal(open_, left["verdict"] != "blocked")
    np.testing.assert_allclose(every.loc[open_, FIGURES], left.loc[open_, FIGURES], rtol=1e-9)


def in_the_eu():
    """Vendors that serve in the EU, and their regions there, as data/regions.csv has them."""
    regions = shipped().table("regions")
    there = regions[regions["jurisdiction"] == "eu"]
    return set(there["vendor"]), set(there.index)


def test_of_all_traffic_kept_in_the_eu_nothing_is_priced_outside_it_not_even_what_overflows_or_waits():
    vendors, regions = in_the_eu()
    assert "DeepSeek" not in vendors and "Nebius" in vendors
    rows = scenarios(jurisdiction="eu", control="region", regimes="gdpr", evidence="dpa,residency")
    same(rows, where(vendors, regions))


def test_health_data_is_priced_at_vendors_that_sign_an_agreement_alone():
    papers = shipped().table("passports")
    signs = set(papers.loc[(papers["paper"] == "baa") & (papers["available"] != "no"), "vendor"])
    assert "OpenAI" in signs and "DeepSeek" not in signs
    rows = scenarios(regimes="hipaa", evidence="baa", sensitive_share=1.0, control="none")
    same(rows, where(signs))


@pytest.mark.parametrize("firm", ["AWS", "Microsoft"])
def test_with_one_firm_approved_no_other_is_priced(firm):
    of = shipped().table("vendors")["firm"]
    rows = scenarios(approved_vendors=firm, regimes="", control="none", jurisdiction="any")
    same(rows, where(set(of.index[of == firm])))
