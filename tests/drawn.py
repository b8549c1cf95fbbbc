"""Scenarios drawn over nearly every field, for laws that hold whatever is asked."""

import numpy as np
import pandas as pd

from where_to_run.inputs import facts, question
from where_to_run.inputs.question import BY_NAME

PROMISES = ("zero_retention", "no_training")
ALL_EVIDENCE = ("baa", "dpa", "residency", "transfer_clauses", "tokenised", "vendor_fine_tuning", *PROMISES)


def random_rows(number=60, seed=1) -> pd.DataFrame:
    """Scenarios drawn over nearly every field, all in range."""
    draw = np.random.default_rng(seed)

    def some(names):
        return [
            ",".join(sorted(draw.choice(names, draw.integers(0, len(names)), replace=False))) for _ in range(number)
        ]

    rows = pd.concat([question.grid()] * number, ignore_index=True)
    drawn = {
        "requests_per_month": 10 ** draw.uniform(3, 9, number),
        "spikiness": draw.uniform(1.1, 15, number),
        "budget_usd_per_month": 10 ** draw.uniform(4, 7, number),
        "capex_limit_usd": 10 ** draw.uniform(4, 7, number),
        "input_tokens": 10 ** draw.uniform(2, 4.5, number),
        "output_tokens": 10 ** draw.uniform(1.5, 3.5, number),
        "cached_share": draw.uniform(0, 1, number),
        "batch_share": draw.choice([0, 0.3, 1.0], number),
        "growth_per_month": draw.uniform(-0.1, 0.15, number),
        "sensitive_share": draw.choice([0, 0.2, 1.0], number),
        "specialised_share": draw.choice([0, 0.3, 1.0], number),
        "regimes": some(["hipaa", "gdpr", "pci", "contract"]),
        "evidence": some(ALL_EVIDENCE),
        "control": draw.choice(BY_NAME["control"].choices, number),
        "customisation": draw.choice(BY_NAME["customisation"].choices, number),
        "weeks_to_launch": draw.uniform(1, 60, number),
        "latency": draw.choice(BY_NAME["latency"].choices, number),
        "api_model": draw.choice(facts.load().table("api_offers").index, number),
        "open_model": draw.choice(["llama-3.3-70b", "llama-3.1-8b", "gpt-oss-120b", "deepseek-r1"], number),
        "gpu": draw.choice(["cheapest", "cheapest", "h100", "h200", "l4"], number),
        "horizon_months": draw.choice([6, 18, 36, 60], number),
        "discount_rate": draw.uniform(0, 0.3, number),
        "priorities": draw.choice(["cost", "control,cost", "launch,skills", ""], number),
        **{f"skill_{area}": draw.integers(0, 6, number) for area in question.SKILLS},
    }
    later = np.random.default_rng([seed, 1])
    where = later.choice(["any", "any", "us", "eu"], number)
    regional = np.isin(drawn["control"], ["region", "region_owned"])
    drawn["jurisdiction"] = np.where(regional & (where == "any"), "us", where)
    drawn["papers"] = later.choice(BY_NAME["papers"].choices, number)
    drawn["housing"] = later.choice(BY_NAME["housing"].choices, number)
    drawn["api_price_decline"], drawn["rent_decline"] = later.choice([0, 0, 0.3, -0.2], (2, number))
    drawn["retune_months"], drawn["outage_usd_per_hour"] = later.choice([1, 12], number), later.choice([0, 500], number)
    return rows.assign(**{name: np.asarray(column, dtype=rows[name].dtype) for name, column in drawn.items()})
