"""The bill of a vendor's API, line by line, against arithmetic by hand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import lognorm, norm

from where_to_run.formulas import load_curve
from where_to_run.inputs import facts as the_facts
from where_to_run.inputs.facts import Facts
from where_to_run.places import vendor_api
from where_to_run.places.workload import Load

NONE = np.nan


@pytest.fixture(scope="module")
def facts() -> Facts:
    """Four made-up offers, so that no later price changes what is worked out here."""
    base = the_facts.load()
    offers = pd.DataFrame(
        {
            "full": (2.0, 0.2, 10.0, 0.5, NONE, NONE, NONE, 3000.0),
            "bare": (2.0, NONE, 10.0, NONE, NONE, NONE, NONE, NONE),
            "long": (2.0, 0.2, 10.0, 0.5, 3000.0, 4.0, 15.0, NONE),
            "long-in": (2.0, NONE, 10.0, NONE, 3000.0, 4.0, NONE, NONE),
        },
        index=list(vendor_api.PRICES),
    ).T.assign(open_model="")
    values = base.table("assumptions").copy()
    values.loc["api.retry_share", "value"] = 0.02
    values.loc["demand.input_tokens_cv", "value"] = 1.0
    return replace(base, tables={**base.tables, "api_offers": offers, "assumptions": values}, made={})


def load(requests=1e6, input_tokens=2000.0, output_tokens=500.0, cached_share=0.25, batch_share=0.4, months=1) -> Load:
    """A steady load of one scenario; what only machines need is left at one."""
    live = np.array([[0.0] + [1.0] * months])
    one = np.ones((1, 1))
    return Load(
        requests * live,
        live,
        input_tokens * one,
        output_tokens * one,
        cached_share * one,
        batch_share * one,
        spikiness=one,
        curve=load_curve.Gamma(one),
        headroom_beta=one,
        level=np.full(one.shape, "chat", object),
        engine=np.full(one.shape, "vllm", object),
        availability=one,
    )


def lines(facts, offer, uplift=0.0, **given) -> dict[str, float]:
    """The lines of month 1."""
    found = vendor_api.bill(vendor_api.tariffs(facts), load(**given), np.array([offer]), np.array([uplift])).lines
    return {name: float(line[0, 1]) for name, line in found.items()}


def test_a_million_requests_cost_what_the_price_list_says_line_by_line(facts):
    # 1e6 requests x 2,000 tokens = 2,000 Mtok in, 1e6 x 500 = 500 Mtok out; a quarter of the input from the
    # cache; 2 USD/Mtok in, 0.20 cached, 10 out; 40 % can wait at half price; 10 % uplift in a region; 2 %
    # sent again
    assert lines(facts, "full", uplift=0.1) == pytest.approx(
        {
            "input tokens": 3_000,  # 2,000 x 0.75 x 2
            "cached input tokens": 100,  # 2,000 x 0.25 x 0.20
            "output tokens": 5_000,  # 500 x 10
            "long prompts": 0,  # no threshold
            "batch discount": -1_620,  # 8,100 x 0.4 x 0.5
            "residency uplift": 648,  # (8,100 - 1,620) x 0.1
            "retries": 142.56,  # (6,480 + 648) x 0.02
        }
    )


def test_without_a_demanded_region_there_is_no_uplift_and_retries_shrink_with_it(facts):
    found = lines(facts, "full")
    assert found["residency uplift"] == 0
    assert found["retries"] == pytest.approx(129.6)  # 6,480 x 0.02
    assert sum(found.values()) == pytest.approx(6_609.6)  # 6,480 x 1.02


def test_what_a_vendor_does_not_offer_costs_as_usual(facts):
    # no cache price: 2,000 Mtok at 2 USD; no batch discount; no uplift: 4,000 + 5,000, and 2 % again
    found = lines(facts, "bare")
    assert found["input tokens"] + found["cached input tokens"] == pytest.approx(4_000)
    assert found["long prompts"] == found["batch discount"] == found["residency uplift"] == 0
    assert sum(found.values()) == pytest.approx(9_180)  # 9,000 x 1.02


def test_long_prompts_pay_the_long_tariff_for_all_their_tokens_and_their_answer(facts):
    # log-normal lengths, mean 2,000, cv 1: s^2 = ln 2, d = (ln(2,000/3,000) + s^2/2) / s = -0.0707
    # longer than 3,000: Phi(d - s) = 18.3 % of the prompts, holding Phi(d) = 47.2 % of the tokens
    s = np.sqrt(np.log(2))
    d = (np.log(2 / 3) + s**2 / 2) / s
    prompts, tokens = norm.cdf(d - s), norm.cdf(d)
    lengths = lognorm(s=s, scale=2000 * np.exp(-(s**2) / 2))
    assert prompts == pytest.approx(lengths.sf(3000))
    assert tokens == pytest.approx(lengths.expect(lambda x: x, lb=3000) / 2000, rel=1e-6)
    # input 3,100 USD doubles (4 for 2), output 5,000 USD costs half more (15 for 10)
    extra = 3_100 * tokens * 1.0 + 5_000 * prompts * 0.5
    found = lines(facts, "long")
    assert extra == pytest.approx(1_920.9, abs=0.5)  # 3,100 x 0.4718 + 5,000 x 0.1832 x 0.5
    assert found["long prompts"] == pytest.approx(extra)
    assert found["batch discount"] == pytest.approx(-(8_100 + extra) * 0.2)


def test_a_long_tariff_for_input_alone_leaves_the_answer_at_its_price(facts):
    s = np.sqrt(np.log(2))
    tokens = norm.cdf((np.log(2 / 3) + s**2 / 2) / s)
    # all input 2,000 Mtok x 2 USD = 4,000 USD, doubled for the share of the tokens in long prompts
    assert lines(facts, "long-in")["long prompts"] == pytest.approx(4_000 * tokens)


def test_nothing_falls_due_on_the_day_of_the_decision_and_every_month_of_a_steady_load_costs_the_same(facts):
    bill = vendor_api.bill(vendor_api.tariffs(facts), load(months=3), np.array(["full"]), np.zeros(1))
    assert sum(bill.lines.values())[0] == pytest.approx([0, 6_609.6, 6_609.6, 6_609.6])


@pytest.mark.parametrize(("output_tokens", "fits"), [(1000.0, True), (1001.0, False)])
def test_a_request_fits_up_to_the_length_of_the_context(facts, output_tokens, fits):
    # context of 3,000 tokens, prompt of 2,000
    bill = vendor_api.bill(
        vendor_api.tariffs(facts), load(output_tokens=output_tokens), np.array(["full"]), np.zeros(1)
    )
    assert bill.fits.tolist() == [fits]


def test_each_scenario_pays_the_prices_of_its_own_offer(facts):
    two = load()
    two = replace(two, **{name: np.repeat(getattr(two, name), 2, axis=0) for name in two.__dataclass_fields__})
    bill = vendor_api.bill(vendor_api.tariffs(facts), two, np.array(["bare", "full"]), np.zeros(2))
    assert sum(bill.lines.values())[:, 1] == pytest.approx([9_180, 6_609.6])


def test_a_share_of_the_requests_costs_that_share_of_the_bill(facts):
    whole = vendor_api.bill(vendor_api.tariffs(facts), load(), np.array(["full"]), np.zeros(1))
    part = vendor_api.bill(vendor_api.tariffs(facts), load(requests=0.3e6), np.array(["full"]), np.zeros(1))
    assert {n: v[0, 1] for n, v in part.lines.items()} == pytest.approx(
        {n: 0.3 * v[0, 1] for n, v in whole.lines.items()}
    )
