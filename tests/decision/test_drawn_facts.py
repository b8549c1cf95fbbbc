"""Drawn facts: each is the same as facts that differ by its factor, and a block of draws is its draws one by one."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from where_to_run.analysis.uncertainty import planned
from where_to_run.decision.evaluate import evaluate
from where_to_run.decision.routing import Routing
from where_to_run.inputs import facts, question
from where_to_run.inputs.question import ScenarioError

FIGURES = ["npv_usd", "running_usd_per_month", "capex_usd", "launch_weeks", "gpus", "utilisation", "overflow_share"]
NAMED = {"api_model": "anthropic/claude-sonnet-5.5", "open_model": "llama-3.3-70b", "quality_floor": 0.01}
"""One model each, which the floor lets through: a search over models would take a while and hide what a fact does."""

ABLE = {"weeks_to_launch": 200, "capex_limit_usd": 1e9, "budget_usd_per_month": 1e9} | NAMED
RESALE = [f"residual.{years * 12}_months" for years in range(1, 6)]
PRICES = ["on_demand_usd_per_h", "reserved_1yr_usd_per_h", "reserved_3yr_usd_per_h", "spot_usd_per_h"]


@cache
def shipped() -> facts.Facts:
    return facts.load()


def with_factor(factor, *cells) -> facts.Facts:
    """The facts with some (table, keys or all, columns) multiplied."""
    tables = {name: table.copy() for name, table in shipped().tables.items()}
    for table, keys, columns in cells:
        tables[table].loc[slice(None) if keys is None else keys, columns] *= factor
    return replace(shipped(), tables=tables, made={})


def figures(rows, known, **given):
    return evaluate(rows, known, **given).options[FIGURES].to_numpy()


SAME = {
    "cloud_price": [
        ("machines", None, PRICES),
        ("assumptions", ["rented.storage_usd", "rented.egress_usd"], ["value"]),
    ],
    "server_price": [("servers", None, ["server_usd"])],
    "residual": [("assumptions", RESALE, ["value"])],
    "own.pue": [("assumptions", ["own.pue"], ["value"])],
    "own.electricity_usd": [("assumptions", ["own.electricity_usd"], ["value"])],
    "wages": [("roles", None, ["wage_usd_per_year"])],
    "people.ramp_months": [("assumptions", ["people.ramp_months"], ["value"])],
    "lead": [("assumptions", [f"own.delivery_weeks.{kind}" for kind in ("pcie", "hgx", "blackwell")], ["value"])],
}
"""The cells of the facts that a factor multiplies."""


@pytest.mark.parametrize("name", SAME)
def test_a_drawn_fact_is_the_same_as_facts_that_differ_by_its_factor(name):
    # without growth no server is sold young: of the first year the table's shares know the end alone
    growth = 0 if name == "residual" else 0.03
    volumes = {"requests_per_month": [3e6, 2e8], "batch_share": [0, 0.3], "growth_per_month": growth}
    rows = question.grid("software_company", **volumes, **ABLE)
    for factor in (0.7, 1.4):
        drawn = figures(rows, shipped(), drawn={name: np.full(len(rows), factor)})
        told = figures(rows, with_factor(factor, *SAME[name]))
        assert drawn == pytest.approx(told, rel=1e-9, nan_ok=True)
    assert drawn != pytest.approx(figures(rows, shipped()), rel=1e-6, nan_ok=True)


def test_throughput_is_moved_by_its_spread():
    # with the same spread of 0.2 for every kind of replica, a score of 1.5 makes all of them exp(0.3) times as fast,
    # which is what a share of the engine's maximum exp(0.3) times as high does, and rows of as many more tokens/s
    keys = [key for key in shipped().table("assumptions").index if key.startswith("throughput_sigma.")]
    tables = {name: table.copy() for name, table in shipped().tables.items()}
    tables["assumptions"].loc[keys, "value"] = 0.2
    even = replace(shipped(), tables=tables, made={})
    rows = question.grid("software_company", requests_per_month=[3e6, 2e8], **ABLE)
    shares = ["serving.engine_share", "serving.engine_share_large_mixture"]
    served = shipped().table("throughput").dropna(subset="concurrency").index
    faster = with_factor(
        np.exp(0.3), ("assumptions", shares, ["value"]), ("throughput", served, ["output_tokens_per_s"])
    )
    drawn = figures(rows, even, drawn={"throughput": np.full(2, np.exp(1.5))})
    assert drawn == pytest.approx(figures(rows, faster), rel=1e-9, nan_ok=True)


def test_falling_api_prices_take_their_share_off_every_month():
    # 25 % a year: what is called in month m costs 0.75^(m/12) of today's; people and set-up cost what they did
    row = question.grid(sensitive_share=0, **ABLE)
    before, after = (evaluate(row, shipped(), drawn=d).lines for d in ({}, {"api_price": np.array([0.75])}))
    before, after = (lines[lines["option"] == "api"].reset_index(drop=True) for lines in (before, after))
    tokens = (before["place"] == "vendor_api") & ~before["line"].isin(["set-up project", "platform services"])
    expected = before["usd"] * np.where(tokens, 0.75 ** (before["month"] / 12), 1.0)
    assert after["usd"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-12)


def test_volume_drifts_with_the_root_of_the_months():
    # a factor of 1.1 makes month 9 1.1^3 times as large: the API's tokens follow
    row = question.grid(sensitive_share=0, **ABLE)
    before, after = (evaluate(row, shipped(), drawn=d).lines for d in ({}, {"volume_drift": np.array([1.1])}))
    tokens = "option == 'api' and line == 'output tokens' and month == 9"
    assert after.query(tokens)["usd"].item() == pytest.approx(before.query(tokens)["usd"].item() * 1.331, rel=1e-12)


def test_a_block_of_draws_equals_its_draws_one_by_one():
    draw = np.random.default_rng(3)
    rows = question.grid("research_lab", requests_per_month=[2e6, 5e7], batch_share=[0, 0.3], **ABLE)
    rows = pd.concat([rows] * 3, ignore_index=True)
    drawn = {name: np.exp(draw.normal(0, 0.2, len(rows))) for name in dict.fromkeys((*facts.FACTORS, *SAME))}
    together = figures(rows, shipped(), drawn=drawn).reshape(len(rows), -1)
    for n in range(len(rows)):
        alone = figures(rows.iloc[[n]], shipped(), drawn={k: v[[n]] for k, v in drawn.items()}).ravel()
        assert together[n] == pytest.approx(alone, rel=1e-9, nan_ok=True)


def test_a_committed_option_keeps_its_routing_whatever_it_costs():
    row = question.grid("research_lab", **ABLE)
    routings = planned(evaluate(row, shipped())).routings
    dear = {"cloud_price": np.array([1e3])}
    kept = evaluate(row, shipped(), drawn=dear, committed={"free_search": routings["base_and_burst"]})
    searched = evaluate(row, shipped(), drawn=dear)
    burst = searched.options.set_index("option").at["base_and_burst", "npv_usd"]
    assert isinstance(routings["base_and_burst"], Routing)
    assert list(kept.options["option"]) == ["free_search"]
    assert kept.options["npv_usd"].item() >= burst > searched.options.set_index("option").at["free_search", "npv_usd"]


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ({"rent": np.ones(1)}, "no fact 'rent' to draw; a key of data/assumptions.csv, or: volume_drift, "),
        ({"wages": np.ones(2)}, "wages: give 1 numbers above 0, one a scenario"),
        ({"wages": np.zeros(1)}, "wages: give 1 numbers above 0"),
    ],
)
def test_draws_that_are_none_are_refused(drawn, words):
    with pytest.raises(ScenarioError) as refused:
        evaluate(question.grid(), shipped(), drawn=drawn)
    assert words in str(refused.value)
