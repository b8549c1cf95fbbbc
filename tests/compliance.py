"""What the law says of every service and vendor: the table that tests/expected/compliance.csv keeps.

After a change of rules, papers or vendors write it anew, `python tests/compliance.py`, and read the difference.
"""

from dataclasses import replace
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from where_to_run.decision import rules
from where_to_run.decision.sites import OWN_ROOM, SERVICES, sites
from where_to_run.inputs import facts
from where_to_run.inputs.question import BY_NAME

EXPECTED = Path(__file__).parent / "expected" / "compliance.csv"
DEFAULTS = {name: BY_NAME[name].default or "" for name in rules.PROFILE}
COLUMNS = ["regime", "in_hand", "service", "ok", "conditional", "obtainable"]
"""A vendor that stands in none of the last three gives not what is asked, or serves nowhere allowed."""


@cache
def law() -> facts.Facts:
    """The shipped facts with the rules of the regimes alone, and what the scenario demands; no house rule warns."""
    known = facts.load()
    kept = [rule for rule in known.rules["rules"] if rule.get("missing") != "conditional"]
    return replace(known, rules={**known.rules, "rules": kept}, made={})


def verdicts(**profile: str) -> dict[tuple[str, str], tuple[str, float]]:
    """Of sensitive traffic, by service and vendor: the best verdict over the regions it serves in, and the weeks."""
    at, asked = sites(law()), DEFAULTS | profile
    level, weeks = np.zeros(len(at.service), int), np.zeros(len(at.service))
    for said in rules.spoken(law(), *asked.values()):
        if said.streams[0]:
            level, weeks = np.maximum(level, said.level), np.maximum(weeks, said.wait)
    found: dict[tuple[str, str], tuple[str, float]] = {}
    for site in np.lexsort((weeks, level)):
        key = at.service[site], at.vendor[site]
        found.setdefault(key, (rules.VERDICTS[level[site]], float(weeks[site])))
    return found


def asked_of(regime: str) -> list[str]:
    """Every paper that the rules of a regime name."""
    named = [rule for rule in law().rules["rules"] if regime in rule["when"].get("regimes", [])]
    papers = [paper for rule in named for field in ("asks", "instead", "own") for paper in rule.get(field, [])]
    return list(dict.fromkeys(papers))


def table() -> pd.DataFrame:
    """Every regime, every set of the papers it names in hand, every service: which vendors are ok, conditional (on a
    duty of our own), and obtainable, with the weeks, for a scenario that takes what can be obtained.
    """
    rows = []
    for regime in law().rules["regimes"]:
        papers = asked_of(regime)
        for size in range(len(papers) + 1):
            for held in combinations(papers, size):
                now = verdicts(regimes=regime, evidence=",".join(sorted(held)))
                then = verdicts(regimes=regime, evidence=",".join(sorted(held)), papers="obtainable")
                for service in (*SERVICES, OWN_ROOM):
                    told: dict[str, list[str]] = {column: [] for column in COLUMNS[3:]}
                    mine = sorted(vendor for of, vendor in now if of == service)
                    for vendor in mine:
                        (verdict, _), (later, weeks) = now[service, vendor], then[service, vendor]
                        name = vendor if service in ("api", "cloud") else "yes"
                        if verdict != "blocked":
                            told[verdict].append(name)
                        elif later != "blocked":
                            told["obtainable"].append(f"{name} {weeks:g}")
                    said = ["all" if len(names) == len(mine) > 1 else "; ".join(names) for names in told.values()]
                    rows.append((regime, " ".join(held), service, *said))
    return pd.DataFrame(rows, columns=COLUMNS)


if __name__ == "__main__":
    EXPECTED.parent.mkdir(exist_ok=True)
    table().to_csv(EXPECTED, index=False)
