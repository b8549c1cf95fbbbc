"""Provenance: the facts behind an answer, each with its source, its date and its range, and how far fits are off."""

import pandas as pd

from . import throughput
from .evaluate import Answer
from .kinds import measured_points
from .panels import plain, table


def sources(answer: Answer) -> str:
    """Every fact behind the answer: the offers it used and all single figures, with range, source and date."""
    facts = answer.facts
    used = _used(answer)
    parts = [
        table(_sourced(facts.table(name).loc[keys], name), f"Rows of {name}.csv behind this answer", left=6)
        for name, keys in used.items()
    ]
    figures = facts.table("assumptions")
    shown = pd.DataFrame(
        {
            "Figure": figures.index,
            "Value": figures["value"].map("{:g}".format),
            "Low": figures["low"].map("{:g}".format),
            "High": figures["high"].map("{:g}".format),
            "Unit": figures["unit"],
            "Meaning": figures["meaning"],
            "Source": figures["source"].where(figures["source"] != "estimate", "estimate: " + figures["note"]),
            "Read on": figures["read_on"],
        }
    )
    overrides = table(facts.overrides, "Overrides laid over the shipped facts", left=6) if len(facts.overrides) else ""
    return overrides + "".join(parts) + table(shown, f"All single figures, in force on {facts.as_of}", left=8)


def _used(answer: Answer) -> dict[str, list[str]]:
    """Keys of the rows an answer rests on, by table."""
    row, rows = answer.scenarios.iloc[0], answer.sizing
    at = {place: sorted(set(rows.loc[rows["place"] == place, "offer"])) for place in ("rented_gpus", "own_gpus")}
    offers = [o for o in dict.fromkeys(answer.yardsticks["offer"]) if o]
    gpus = sorted(
        set(answer.facts.table("machines").loc[at["rented_gpus"], "gpu"])
        | set(answer.facts.table("servers").loc[at["own_gpus"], "gpu"])
    )
    keys = {
        "api_offers": offers,
        "models": [row["open_model"]],
        "machines": at["rented_gpus"],
        "servers": at["own_gpus"],
        "gpus": gpus,
    }
    return {name: named for name, named in keys.items() if named} | {"roles": list(answer.facts.table("roles").index)}


def _sourced(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    dull = {"source", "read_on", "note", "effective_from", "low", "high"}
    figures = rows.apply(
        lambda row: "; ".join(f"{c} {plain(v)}" for c, v in row.items() if c not in dull and pd.notna(v) and v != ""),
        axis=1,
    )
    return pd.DataFrame(
        {
            "Key": rows.index,
            "Figures": figures,
            "Holds from": rows["effective_from"],
            "Source": rows["source"],
            "Read on": rows["read_on"],
            "Note": rows["note"],
        }
    )


def small_print(answer: Answer) -> str:
    """How far off the fitted throughput is on points it has not seen, by GPU, and what is never fitted."""
    rows = throughput.accuracy(measured_points(answer.facts)).reset_index(names="gpu")
    shown = pd.DataFrame(
        {
            "GPU": rows["gpu"],
            "Mean error": rows["mean_error"].map("{:.1%}".format),
            "Points": rows["points"].map("{:.0f}".format),
        }
    )
    return table(shown, "Fitted throughput against measured points held out one at a time", left=1)
