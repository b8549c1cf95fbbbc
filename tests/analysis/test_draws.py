"""Draws: quantiles by hand, what a user knows is not drawn, and nothing leaves its range."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from scipy.stats import gamma

from where_to_run.analysis import draws
from where_to_run.formulas import load_curve
from where_to_run.inputs import facts, question, tables
from where_to_run.inputs.question import BY_NAME


@cache
def shipped():
    return facts.load()


def at(share, known=None, **fields):
    """All inputs at a share of their distributions, or one each."""
    cube = np.broadcast_to(share, (1, len(draws.NAMES))).copy()
    return draws.at(question.grid(**fields), known or shipped(), cube)


def test_one_standard_deviation_up_is_right_by_hand():
    # data/assumptions.csv: volume 0.25 and 0.08 by the root of the month, tokens 0.2 and 0.3, cv 0.35, clouds 0.25
    found = at(ndtr(1.0), requests_per_month=1e6, input_tokens=1000, output_tokens=100, spikiness=5)
    row = found.rows.iloc[0]
    assert row["requests_per_month"] == pytest.approx(1e6 * np.exp(0.25))
    assert found.factors["volume_drift"] == pytest.approx(np.exp(0.08))
    assert (row["input_tokens"], row["output_tokens"]) == pytest.approx((1000 * np.exp(0.2), 100 * np.exp(0.3)))
    assert found.factors["cloud_price"] == pytest.approx(np.exp(0.25))
    cv = load_curve.cv_from_spikiness(5.0) * np.exp(0.35)
    assert load_curve.cv_from_spikiness(row["spikiness"]) == pytest.approx(cv, rel=1e-4)
    # 0.6 of the score of the fall of API prices, and sqrt(1 - 0.36) of its own
    assert found.factors["throughput"] == pytest.approx(np.exp(0.6 + 0.8))


@pytest.mark.parametrize(
    ("share", "decline"),
    # 0, 0.25, 0.6: below the mode, 0.25/0.6 = 5/12 of all, the root of share x 0.6 x 0.25; above it from the other end
    [(0.1, 0.122474), (5 / 12, 0.25), (0.9, 0.6 - 0.144914)],
)
def test_api_prices_fall_by_the_quantile_of_a_triangle(share, decline):
    found = at(share)
    assert found.inputs["api_decline"].item() == pytest.approx(decline, rel=1e-5)
    assert found.factors["api_price"] == pytest.approx(1 - decline, rel=1e-5)


def test_a_fall_of_api_prices_that_is_asked_for_is_the_likeliest_one():
    # 0, 0.2, 0.6: median 0.6 - root of 0.5 x 0.6 x 0.4 = 0.253590; the field has 0.8 of it already
    found = at(0.5, api_price_decline=0.2)
    assert found.inputs["api_decline"].item() == pytest.approx(0.25359, rel=1e-5)
    assert found.factors["api_price"] == pytest.approx((1 - 0.25359) / 0.8, rel=1e-5)


def test_a_fact_with_a_range_is_drawn_within_it():
    # own.pue 1.54, 1.15 to 1.8; people.ramp_months 6, 3 to 9; the resale share at 36 months 0.3, 0.15 to 0.35
    low, high = at(0.0), at(1.0)
    known = {"own.pue": (1.15 / 1.54, 1.8 / 1.54), "people.ramp_months": (0.5, 1.5), "residual": (0.5, 0.35 / 0.3)}
    for name, ends in known.items():
        assert (low.factors[name].item(), high.factors[name].item()) == pytest.approx(ends, rel=1e-4)


def test_growth_is_normal_and_cut_at_two_standard_deviations():
    middle, low, high = (at(share, growth_per_month=0.05).rows["growth_per_month"].item() for share in (0.5, 0, 1))
    assert (middle, low, high) == pytest.approx((0.05, 0.02, 0.08), abs=1e-6)


def test_a_figure_the_user_gave_is_taken_as_known(tmp_path):
    own = pd.DataFrame([["assumptions", "own.electricity_usd", "value", "0.2", "estimate", "our bill"]])
    own.to_csv(tmp_path / "own.csv", header=list(tables.COLUMNS), index=False)
    known = facts.load(overrides=tmp_path / "own.csv")
    assert at(0.05, known).factors["own.electricity_usd"] == at(0.95, known).factors["own.electricity_usd"] == 1
    assert at(0.05).factors["own.electricity_usd"] < 1 < at(0.95).factors["own.electricity_usd"]


def test_a_figure_the_user_put_at_nothing_stays_there(tmp_path):
    cells = [["assumptions", "own.electricity_usd", name, "0", "estimate", "solar"] for name in ("value", "low")]
    pd.DataFrame(cells).to_csv(tmp_path / "own.csv", header=list(tables.COLUMNS), index=False)
    assert at(0.3, facts.load(overrides=tmp_path / "own.csv")).factors["own.electricity_usd"] == 1


def test_no_draw_leaves_what_is_allowed_even_at_the_ends():
    ends = {"requests_per_month": [1, 1e10], "spikiness": [1.05, 20], "growth_per_month": [-0.2, 0.5]}
    for row in question.grid(**ends, output_tokens=[1, 1e5]).to_dict("records"):
        cube = draws.points(256, len(draws.NAMES))
        drawn = draws.at(pd.DataFrame([row]), shipped(), cube).rows
        for name in ends:
            assert drawn[name].between(BY_NAME[name].low, BY_NAME[name].high).all()
        question.check(drawn)


def test_a_seed_makes_the_same_points_and_half_of_them_are_the_first():
    assert (draws.points(64, 3, 1) == draws.points(64, 3, 1)).all()
    assert (draws.points(64, 3, 1) != draws.points(64, 3, 2)).all()
    assert (draws.points(128, 3, 1)[:64] == draws.points(64, 3, 1)).all()


def test_throughput_and_falling_prices_are_correlated_as_the_facts_say():
    drawn = draws.at(question.grid(), shipped(), draws.points(2**12, len(draws.NAMES)))
    score = drawn.inputs["api_decline"].rank() / (2**12 + 1)
    assert np.corrcoef(np.log(drawn.factors["throughput"]), score)[0, 1] == pytest.approx(
        0.6 * np.sqrt(3 / np.pi), abs=0.02
    )


def test_what_is_drawn_of_the_hours_is_the_spread_in_the_hours_in_use():
    row, cube = question.grid(hours_per_week=50, spikiness=5), draws.points(256, len(draws.NAMES))
    drawn = draws.at(row, shipped(), cube).rows["spikiness"].to_numpy()
    middle = draws.at(row, shipped(), np.full((1, len(draws.NAMES)), 0.5)).rows["spikiness"]
    assert middle.iloc[0] == pytest.approx(5, rel=1e-6)
    assert drawn.min() >= 168 / 50
    # one standard deviation up is a cv of 0.2429 x exp(0.35) = 0.3448, whose p96.64 scipy.stats.gamma knows
    above = np.full((1, len(draws.NAMES)), 0.5)
    above[0, draws.NAMES.index("spikiness")] = ndtr(1.0)
    cv = 0.24294882 * np.exp(shipped().value("spread.spikiness"))
    expected = gamma.ppf(1 - 0.01 * 168 / 50, 1 / cv**2, scale=cv**2) * 168 / 50
    assert draws.at(row, shipped(), above).rows["spikiness"].iloc[0] == pytest.approx(expected, rel=1e-5)
