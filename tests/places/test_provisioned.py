"""Provisioned throughput: what a unit carries by the vendor's own example; how many pay, by hand and by trying all."""

from dataclasses import replace

import numpy as np
import pytest

from toy import shipped
from where_to_run.analysis import provenance
from where_to_run.decision.evaluate import evaluate
from where_to_run.formulas.load_curve import Gamma
from where_to_run.inputs.question import grid
from where_to_run.places import provisioned
from where_to_run.places.provisioned import Units
from where_to_run.units import SECONDS_PER_MONTH

COLUMNS = ("tokens_per_minute", "output_weight", "least_units", "step_units", "usd_per_unit_month", "prompt_tokens")
STEADY = Gamma(np.array([[0.011]]))


class Request:
    """A prompt of 100 tokens with an answer of 50, nothing cached."""

    input_tokens, output_tokens, cached_share = np.array([[100.0]]), np.array([[50.0]]), np.array([[0.0]])


def sold(*values: float) -> dict[str, np.ndarray]:
    return {name: np.array([[value]], float) for name, value in zip(COLUMNS, values, strict=True)}


def test_a_unit_carries_what_the_vendors_example_has():
    # Microsoft, "Provisioned throughput", worked example: 1,000 requests a minute of 100 and 50 tokens at a weight of 8
    # are 500,000 tokens a minute; at 3,400 a unit that takes 147.06 units
    units = provisioned.units(sold(3400, 8, 15, 5, 260, 128e3), np.array([0]), Request(), np.zeros(1))
    assert 1000 / 60 / units.carries[0, 0] * 5 == pytest.approx(147.06, abs=0.005)
    assert units.usd[0, 0] == 5 * 260 and units.least[0, 0] == 3
    dearer = provisioned.units(sold(3400, 8, 15, 5, 260, 128e3), np.array([0]), Request(), np.full(1, 0.1))
    assert dearer.usd[0, 0] == pytest.approx(1430)
    assert provisioned.units(sold(3400, 8, 15, 5, 260, 99), np.array([0]), Request(), np.zeros(1)).carries[0, 0] == 0
    assert provisioned.units(sold(0, 0, 0, 0, 0, 0), np.array([0]), Request(), np.zeros(1)) is None


@pytest.mark.parametrize(
    ("least", "token_usd", "steps", "above"),
    [
        # a step costs 1,300 and carries a million requests a month, 2,000 by the token; a steady load of 2.5 steps.
        # Two and the rest by the token: 2 x 1,300 + 0.5 x 2,000 = 3,600; three: 3,900; all by the token: 5,000
        (1, 2e-3, 2, 0.2),
        # three at the least: 3,900
        (3, 2e-3, 3, 0.0),
        # four at the least: 5,200, so none
        (4, 2e-3, 0, 1.0),
        # by the token a step's worth costs 1,000: none
        (1, 1e-3, 0, 1.0),
    ],
)
def test_steps_are_bought_where_they_cost_less_than_tokens(least, token_usd, steps, above):
    units = Units(np.array([[1300.0]]), np.array([[1e6 / SECONDS_PER_MONTH]]), np.array([[float(least)]]))
    rate = np.array([[0.0, 2.5e6 / SECONDS_PER_MONTH]])
    number, left = units.bought(rate, np.array([[token_usd]]), STEADY)
    assert number.tolist() == [[0, steps]] and left[0, 1] == pytest.approx(above, abs=1e-3)


def test_no_other_number_of_steps_costs_less():
    draw, number = np.random.default_rng(4), 200
    curve, rate = Gamma(draw.uniform(0.1, 2, (number, 1))), draw.uniform(0.1, 10, (number, 1))
    usd, token_usd, least = (draw.uniform(*ends, (number, 1)) for ends in ((100, 2000), (1e-4, 2e-3), (1, 5)))
    units, rows = Units(usd, np.ones((number, 1)), np.floor(least)), np.arange(number)

    def cost(steps, above):
        return steps * usd + above * rate * SECONDS_PER_MONTH * token_usd

    best = cost(0.0, 1.0)
    for steps in range(1, 60):
        tried = cost(steps, curve.spill(steps / rate, rows))
        best = np.where(steps >= units.least, np.minimum(best, tried), best)
    found = units.bought(rate, token_usd, curve)
    assert cost(*found) == pytest.approx(best, rel=2e-3)
    assert 20 < (found[0] > 0).sum() < number


def test_an_answer_buys_units_where_tokens_cost_more_and_tells_what_they_rest_on():
    fields = {"api_model": "azure/gpt-5.4", "requests_per_month": 3e7, "spikiness": 1.5, "cached_share": 0.6}
    fields |= {"growth_per_month": 0.0, "batch_share": 0.0, "sensitive_share": 0.0}
    answer = evaluate(grid(**fields), shipped())
    rows = shipped().table("provisioned").assign(usd_per_unit_month=1e5)
    tokens = evaluate(grid(**fields), replace(shipped(), tables=shipped().tables | {"provisioned": rows}, made={}))
    means = answer.means[answer.means["option"] == "api"].set_index("line")["usd_per_month"]
    assert means["provisioned throughput"] > means["output tokens"]
    usd = [one.options.set_index("option").at["api", "usd_per_month"] for one in (answer, tokens)]
    assert usd[0] < usd[1] * 0.97
    rests = provenance.rests_on(answer, "api")["vendor_api", "provisioned throughput"]
    assert (
        provenance.Fact("provisioned", "azure/gpt-5.4") in rests
        and provenance.Fact("api_offers", "azure/gpt-5.4") in rests
    )
