"""Stakes: what an error of its size in each fact behind an answer would change."""

from collections.abc import Iterator

import pandas as pd

from .behind import Fact, rows_of, used
from .evaluate import Answer, evaluate
from .facts import Facts, schema

TOLD = ("value", "low", "high", "unit", "source", "effective_from")

SERVING = tuple(f"assumptions serving.{n}" for n in ("memory_", "kv_", "weight_", "max_sequences", "large_gpu"))
REPLICAS = ("throughput", "gpus", "models", "assumptions roofline.", *SERVING)
RESTS = {
    **dict.fromkeys(("fits", "kinds", "kind columns", "roofline"), REPLICAS),
    "offers": (*REPLICAS, "machines", "servers"),
    "api prices": ("api_offers",),
    "api positions": (),
    "skills": ("skills",),
    "roles": ("roles", "assumptions people."),
    "level": ("assumptions service.",),
    "stretch at nodes": ("assumptions autoscale.",),
    "judge": (),
}
"""What facts remember by name, and the tables or keys it is made from: it is kept where none of them changes."""


def at_stake(answer: Answer) -> pd.DataFrame:
    """What the low and the high of a fact change, one at a time, all else as it is; the largest change first.

    Columns: table, key, value, low, high, unit, source, effective_from; usd_at_low and usd_at_high, the change in the
    monthly cost of the recommended option, which chooses its machines anew [USD/month]; option_at_low and
    option_at_high, which of it and the runner-up is ahead then. Tried is every fact with a range that the costs, the
    machines, the times or the scores of the two rest on. No rows where nothing is recommended.
    """
    names = leading(answer)
    ends = [f"{name}_at_{end}" for end in ("low", "high") for name in ("usd", "option")]
    facts = {fact: rows_of(answer.facts, fact.table)[fact.key] for fact in sorted(used(answer, names)) if names}
    rows = [(*fact, *_moved(answer, fact, names)) for fact, row in facts.items() if row["high"] > row["low"]]
    found = pd.DataFrame(rows, columns=["table", "key", *TOLD, *ends])
    largest = found[["usd_at_low", "usd_at_high"]].abs().max(axis=1)
    return found.loc[largest.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def leading(answer: Answer) -> list[str]:
    """The recommended option of a one-row answer and the runner-up, where there are."""
    ahead = answer.options[answer.options["rank"] <= 2].sort_values("rank")
    return [str(option) for option in ahead["option"]]


def _headline(fact: Fact) -> str:
    """The column of a fact that its low and its high are about."""
    return str(schema()["tables"][fact.table]["headline"])


def _moved(answer: Answer, fact: Fact, names: list[str]) -> Iterator[float | str]:
    """What is `TOLD` of a fact; for either end of its range the change in cost, and which option is ahead."""
    row, headline = rows_of(answer.facts, fact.table)[fact.key], _headline(fact)
    unit = schema()["tables"][fact.table]["columns"][headline]["unit"]
    row = {"unit": unit} | row | {"value": row[headline]}
    yield from (row[name] for name in TOLD)
    usd = answer.options.set_index("option").at[names[0], "usd_per_month"]
    for end in ("low", "high"):
        moved = evaluate(answer.scenarios, _with(answer, fact, row[end]), answer.hours, names).options
        moved = moved.set_index("option")
        yield float(moved.at[names[0], "usd_per_month"] - usd)
        yield next((str(option) for option in moved.index[moved["recommended"]]), "")


def _with(answer: Answer, fact: Fact, value: float) -> Facts:
    """The facts with another value in one place, and of what they remember all that it has no say in."""
    facts, name = answer.facts, f"{fact.table} {fact.key}"
    table = facts.table(fact.table).copy()
    table.loc[fact.key, _headline(fact)] = value
    tables = {**facts.tables, fact.table: table}
    if name.startswith(REPLICAS):
        # fits of other models take most of the time and say nothing here
        points = tables["throughput"]
        mine = points[points["model"] == answer.scenarios["open_model"].iloc[0]]
        tables["throughput"] = mine if len(mine) else points.head(1)
    made = dict(facts.cache)
    kinds = {key: key[0] if isinstance(key, tuple) else key for key in made}
    kept = {k: made[k] for k, kind in kinds.items() if kind in RESTS and not name.startswith(RESTS[kind])}
    return Facts(facts.as_of, tables, facts.rules, facts.overrides, kept)
