"""Check of the data: everything wrong with the facts, from a missing source to more tokens than a GPU can read."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..decision.evaluate import evaluate
from ..decision.rules import DEMANDS
from ..decision.sites import API, CLOUD, SERVICES
from ..decision.staffing import ROUTING
from ..inputs import facts, question, tables
from ..inputs.facts import Facts
from ..inputs.quality import GENERAL, quality_models
from ..inputs.question import PLACES
from ..inputs.tables import source_problem
from ..places.replicas import EIGHT_BIT, PEAKS
from ..units import BYTES_PER_GB, FLOPS_PER_TFLOPS, PARAMETERS_PER_BILLION
from .provenance import WORDS, named


def problems() -> list[str]:
    """Everything wrong with tables, lines, rules and measured points, a sentence each; none where all is sound."""
    found = tables.problems()
    if found:
        return found
    loaded = facts.load()
    found = rule_problems(loaded.rules) + passport_problems(loaded) + above_ceiling(loaded)
    found += resting_on_nothing(loaded) + quality_problems(loaded)
    return found or undeclared(evaluate(pd.concat(map(question.grid, question.presets())), loaded).means)


RULE = ("when", "because", "condition", "unlock", "source", "since")
"""What every rule has."""


def rule_problems(rules: Mapping[str, Any]) -> list[str]:
    """What is wrong with the rule file: names that are not defined, a rule without a reason or a source."""
    found = []
    for rule in rules["rules"]:
        where = f"rules.yaml, rule {rule.get('id', '?')!r}"
        lacking = [k for k in RULE if k not in rule]
        found += [f"{where}: lacks {k}" for k in lacking]
        if lacking:
            continue
        if not {"asks", "bars", "serve_in", "demands"} & set(rule):
            found.append(f"{where}: asks nothing, bars nothing and demands nothing")
        if problem := source_problem(rule["source"], rule["because"]):
            found.append(f"{where}: {problem}")
        papers = {paper for field in ("asks", "instead", "own", "unless") for paper in rule.get(field, [])}
        named = {"papers": (papers, rules["papers"]), "regimes": (rule["when"].get("regimes", []), rules["regimes"])}
        named |= {"services": (rule.get("bars", []), SERVICES), "demands": (rule.get("demands", []), DEMANDS)}
        for kind, (names, known) in named.items():
            found += [f"{where}: {n!r} is not among the {kind}" for n in sorted(set(names) - set(known))]
    return found


def passport_problems(facts: Facts) -> list[str]:
    """Offers without a vendor, passport or region, and names in these tables that nobody knows, a sentence each."""
    papers, named = facts.rules["papers"], set(tables.read("regions")["key"])
    found = []
    for name, last in (("passports", "paper"), ("regions", "region")):
        for row in tables.read(name).to_dict("records"):
            if row["key"] != (meant := f"{row['vendor']}/{row['service']}/{row[last]}"):
                found.append(f"{name}.csv, key {row['key']!r}: its key must be {meant}")
    for row in tables.read("passports").to_dict("records"):
        where, held = f"passports.csv, key {row['key']!r}", [] if row["region"] == "" else row["region"].split()
        if papers.get(row["paper"], {"ours": True}).get("ours"):
            found.append(f"{where}: {row['paper']!r} is no paper a vendor gives; see papers.yaml")
        nowhere = [region for region in held if f"{row['vendor']}/{row['service']}/{region}" not in named]
        found += [f"{where}: no row of regions.csv has {region!r}" for region in nowhere]
    offers = {"none", *tables.read("api_offers")["key"]}
    for key, models in tables.read("regions")[["key", "models"]].itertuples(index=False):
        unknown = sorted(set(models.split()) - offers)
        found += [f"regions.csv, key {key!r}: {offer!r} is no key of api_offers.csv" for offer in unknown]
    known = {"", *question.BY_NAME["jurisdiction"].choices}
    for name, column in (("regions", "jurisdiction"), ("vendors", "owned_in")):
        rows = tables.read(name)
        for key, where in rows[["key", column]][~rows[column].isin(known)].itertuples(index=False):
            found.append(f"{name}.csv, key {key!r}: {column} {where!r} is no choice of the question")
    sold = (("api_offers", "vendor", API), ("dedicated", "provider", API), ("machines", "provider", CLOUD))
    return found + [problem for offers in sold for problem in without_passport(*offers)]


def without_passport(table: str, column: str, service: str) -> list[str]:
    """Offers of a table of which no row says who their vendor is, what it signs and where it serves."""
    found, passports, regions = [], tables.read("passports"), tables.read("regions")
    signs, vendors = set(passports["vendor"] + "/" + passports["service"]), set(tables.read("vendors")["key"])
    serves = set(regions["key"]) | set(regions["vendor"] + "/" + regions["service"])
    for row in tables.read(table).to_dict("records"):
        where, sold = f"{table}.csv, key {row['key']!r}", f"{row[column]}/{service}"
        place = f"{sold}/{row['region']}" if row.get("region") else sold
        if row[column] not in vendors:
            found.append(f"{where}: {row[column]!r} is no key of vendors.csv")
        if sold not in signs:
            found.append(f"{where}: no row of passports.csv says what {row[column]!r} signs for its {service}")
        if place not in serves and row.get("region") != "":  # a price without a region promises no place
            found.append(f"{where}: no row of regions.csv is of {place!r}; its jurisdiction may be empty")
    return found


def resting_on_nothing(facts: Facts) -> list[str]:
    """Lines declared twice, and words of their `rests_on` that name no fact, a sentence each."""
    rows = tables.read("lines")
    found = [f"lines.csv: two rows for {name!r}" for name in rows["name"][rows["name"].duplicated()]]
    for row in rows.itertuples():
        places = (*PLACES, ROUTING) if row.place == "any" else (row.place,)
        words = dict.fromkeys(word.replace("{place}", place) for word in row.rests_on.split() for place in places)
        nothing = [word for word in words if word not in WORDS and not named(facts, word)]
        found += [f"lines.csv, name {row.name!r}: rests on {word!r}, which is no fact of data/" for word in nothing]
    return found


def quality_problems(facts: Facts) -> list[str]:
    """Figures of quality that do not compare or are of no model, models without one or a reason, a sentence each."""
    known = {key for name in ("models", "api_offers") for key in tables.read(name)["key"]}
    levels, found = facts.table("quality_levels"), []
    for row in tables.read("quality").itertuples():
        level, where = levels.loc[row.family], f"quality.csv, key {row.key!r}"
        if row.key != f"{row.model}:{row.family}":
            found.append(f"{where}: its key must be {row.model}:{row.family}")
        if row.model not in known:
            found.append(f"{where}: model {row.model!r} is no key of models.csv or api_offers.csv")
        if (row.benchmark, row.version) != (level["benchmark"], level["version"]):
            of = f"{level['benchmark']} {level['version']}"
            found.append(f"{where}: {row.benchmark} {row.version} does not mix with {of}, the scale of {row.family}")
        if (row.basis == "none") != pd.isna(row.value) or (row.basis == "none" and not row.note):
            found.append(f"{where}: give a value, or basis none with the reason in note")
        if row.basis == "converted" and (level["converts"] == "no" or pd.isna(row.low) or pd.isna(row.high)):
            found.append(f"{where}: {row.family} may not be converted, or the conversion has no low and high")
    rows = facts.table("quality")
    told = set(rows["model"][rows["family"] == GENERAL])
    offers = quality_models(facts.table("api_offers"))
    lacking = [f"api_offers.csv, key {key!r}: its model {of!r}" for key, of in offers.items() if of not in told]
    lacking += [f"models.csv, key {key!r}: it" for key in facts.table("models").index if key not in told]
    return found + [f"{who} has no general figure in quality.csv, nor a reason why not" for who in lacking]


def undeclared(lines: pd.DataFrame) -> list[str]:
    """Lines of an answer (columns place and line) that lines.csv does not declare there, a sentence each."""
    rows = tables.read("lines").set_index("name")["place"]
    made = lines[["place", "line"]].drop_duplicates()
    return [
        f"lines.csv: an answer has the line {name!r} at {place}, which no row declares"
        for place, name in made.itertuples(index=False)
        if rows.get(name) not in (place, "any")
    ]


def above_ceiling(facts: Facts) -> list[str]:
    """Measured points that no such machine could reach, a sentence each.

    Every answer token reads the cache of its own context once, so tokens/s x (ISL + OSL/2) x cache bytes must stay
    under the bandwidth of the replica; and every token, prompt or answer, takes 2 x active parameters operations.
    """
    points = facts.table("throughput").reset_index()
    cards, models = facts.table("gpus").loc[points["gpu"]], facts.table("models").loc[points["model"]]
    context = points["input_tokens"] + points["output_tokens"] / 2
    read = points["output_tokens_per_s"] * context * models["kv_bytes_per_token"].to_numpy() * EIGHT_BIT
    bandwidth = points["gpus"] * cards["bandwidth_gb_per_s"].to_numpy() * BYTES_PER_GB
    tokens = points["output_tokens_per_s"] * (1 + points["input_tokens"] / points["output_tokens"])
    work = tokens * 2 * models["active_params_b"].to_numpy() * PARAMETERS_PER_BILLION
    peak = [card[PEAKS[precision]] for (_, card), precision in zip(cards.iterrows(), points["precision"], strict=True)]
    flops = points["gpus"] * peak * FLOPS_PER_TFLOPS
    over = (read > bandwidth) | (work > flops)
    return [
        f"throughput.csv, key {key!r}: more tokens per second than its GPUs can read or compute"
        for key in points["key"][over]
    ]
