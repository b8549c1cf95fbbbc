"""A made-up world small enough for arithmetic by hand: one model, two GPU types, prices and loads as a test asks."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from scipy.special import gammaincc
from scipy.stats import binom

from where_to_run.formulas import load_curve
from where_to_run.inputs import facts
from where_to_run.inputs.facts import Facts
from where_to_run.places.spares import BUSINESS_HOURS
from where_to_run.places.workload import Load

PER_SECOND = 730 * 3600.0
"""Requests a month at one request a second: 2,628,000."""

FIGURES = {
    "serving.engine_share": 0.75,
    "service.chat.derate": 0.8,
    "service.chat.tpot_ms": 1e9,
    "serving.max_sequences": 4,
    "serving.max_sequences_large_gpu": 4,
    "serving.memory_share": 0.9,
    "serving.memory_overhead_gb": 2,
    "serving.weight_overhead_ratio": 1.02,
    "serving.busiest_share": 0.9,
    "serving.peakedness_cap": 10,
    "demand.arrival_cv": 3,
    "rented.storage_gb_per_replica": 500,
    "rented.storage_usd": 0.1,
    "rented.egress_usd": 0.1,
    "rented.bytes_per_token": 8,
    "rented.spot_overhead_share": 0.15,
    "spare.failures_per_machine": 0.73,
    "spare.repair_days.own_gpus": 3,
    "spare.repair_days.rented_gpus": 0.6,
    "spare.availability": 0.999,
    "own.network_share": 0.1,
    "own.spares_share": 0.05,
    "own.maintenance_share": 0.12,
    "own.delivery_weeks.pcie": 1.5 * 365.25 / 7 / 12,
    "setup_weeks.own_gpus": 0,
    "own.colocation_usd": 200,
    "own.electricity_usd": 0.1,
    "own.pue": 1.5,
    "own.idle_power_share": 0.4,
    "own.peak_power_share": 0.75,
    "residual.12_months": 0.6,
    "residual.24_months": 0.4,
    "residual.36_months": 0.3,
    "residual.48_months": 0.2,
    "residual.60_months": 0.1,
}

SHAPES = [(100, 100), (1000, 100), (100, 1000), (1000, 1000), (2000, 500), (500, 2000)]


@cache
def shipped() -> Facts:
    """The tables as they are; the toy world replaces whatever its arithmetic needs."""
    return facts.load()


def toy_facts(machines=(), servers=(), figures=()) -> Facts:
    """A model `toy` on GPUs `tiny` and `other` of 80 GB, one GPU a replica, at the prices and figures given.

    Measured as t = 0.8 ms x ISL + 0.4 ms x OSL: a request of 1,000 + 500 tokens with half its input cached takes
    0.4 + 0.2 = 0.6 s, and 0.8 s at the three quarters of the engine's maximum a team reaches.
    A machine is (key, (gpu, GPUs, USD/h on demand, for 1 year, for 3 years, spot)), a server
    (key, (gpu, GPUs, USD, installation, kW)).
    """
    base = shipped()
    values = base.table("assumptions").copy()
    for key, value in (FIGURES | dict(figures)).items():
        assert key in values.index
        values.loc[key, "value"] = value
    gpus = base.table("gpus").loc[["h100", "h100"]].assign(memory_gib=80.0, fp8_tflops=2000.0)
    models = base.table("models").loc[["llama-3.1-8b"]].assign(kv_bytes_per_token=100_000.0, weights_gb_8bit=10.0)
    points = [
        ("toy", gpu, 1, "fp8", isl, osl, osl / (0.8e-3 * isl + 0.4e-3 * osl))
        for gpu in ("tiny", "other")
        for isl, osl in SHAPES
    ]
    columns = [
        "gpu",
        "gpus",
        "on_demand_usd_per_h",
        "reserved_1yr_usd_per_h",
        "reserved_3yr_usd_per_h",
        "spot_usd_per_h",
    ]
    made = {
        "assumptions": values,
        "gpus": gpus.set_axis(pd.Index(["tiny", "other"], name="key")),
        "models": models.set_axis(pd.Index(["toy"], name="key")),
        "throughput": pd.DataFrame(
            points,
            columns=["model", "gpu", "gpus", "precision", "input_tokens", "output_tokens", "output_tokens_per_s"],
        ).assign(engine="tensorrt_llm", concurrency=np.nan),
        "machines": _table(machines, columns).assign(provider="AWS", region="us-east-1", whole_machine="yes"),
        "dedicated": base.table("dedicated").head(1).assign(gpu="other", on_demand_usd_per_h=1e6),
        "servers": _table(servers, ["gpu", "gpus", "server_usd", "installation_usd", "rated_kw"]).assign(
            delivery="pcie"
        ),
    }
    return replace(base, tables={**base.tables, **made}, made={})


def _table(rows, columns) -> pd.DataFrame:
    made = pd.DataFrame([row for _, row in rows], columns=columns, index=pd.Index([k for k, _ in rows], name="key"))
    return made.astype({name: float for name in columns if name != "gpu"})


def toy_load(
    per_second=5.0, spikiness=4.0, batch_share=0.0, horizon=1, months=None, availability=BUSINESS_HOURS
) -> Load:
    """One scenario: requests a second in months 1, 2, ..., or the same rate over the horizon."""
    rates = np.atleast_1d(per_second).astype(float)
    rates = np.repeat(rates, horizon) if len(rates) == 1 else rates
    months = months or len(rates)
    requests = np.zeros((1, months + 1))
    requests[0, 1 : len(rates) + 1] = rates * PER_SECOND
    live = np.zeros((1, months + 1))
    live[0, 1 : len(rates) + 1] = 1
    one = np.ones((1, 1))
    return Load(
        requests,
        live,
        input_tokens=1000 * one,
        output_tokens=500 * one,
        cached_share=0.5 * one,
        batch_share=batch_share * one,
        spikiness=spikiness * one,
        curve=load_curve.Gamma(one),
        headroom_beta=1.1 * one,
        level=np.array([["chat"]], object),
        engine=np.array([["vllm"]], object),
        availability=np.full((1, 1), availability),
    )


def joined(*loads) -> Load:
    """Several scenarios in one block."""
    cv = np.concatenate([load.curve.cv for load in loads])
    columns = [name for name in Load.__dataclass_fields__ if name not in ("curve", "clock")]
    return Load(**{n: np.concatenate([getattr(a, n) for a in loads]) for n in columns}, curve=load_curve.Gamma(cv))


@cache
def spare_machines(at_work, days) -> int:
    """Least r with which at_work of at_work + r machines are up 99.9 % of the time, each failing 0.73 times a year."""
    down = 0.73 * days / (365.25 + 0.73 * days)
    return next(r for r in range(1_000) if binom.sf(r, at_work + r, down) <= 0.001)


def spill(capacity, mean, cv):
    """E[(L - K)+] = mean Q(k + 1, k K / mean) - K Q(k, k K / mean), k = 1 / cv^2."""
    k = 1 / cv**2
    if mean <= 0:
        return capacity * 0
    return mean * gammaincc(k + 1, k * capacity / mean) - capacity * gammaincc(k, k * capacity / mean)


def exceedance(capacity, mean, cv):
    """P(L > K) = Q(k, k K / mean)."""
    return gammaincc(1 / cv**2, capacity / mean / cv**2) if mean > 0 else capacity * 0


FOUND = {"requests_per_month": 2.7e8, "hard_share": 0.2, "sensitive_share": 0.6, "specialised_share": 0.4}
FOUND |= {"customisation": "weights", "budget_usd_per_month": 1e8, "capex_limit_usd": 1e6, "weeks_to_launch": 60}
"""With the preset of the hospital a scenario in which the search finds a routing that is none of the other options:
own servers, rented machines and an API together.
"""
