"""Sites: where every offer is served from, whose law owns it, and which papers it comes with there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..inputs.facts import Facts, of_tables
from ..units import Array

API, CLOUD, COLOCATION, OWN_ROOM = "api", "cloud", "colocation", "own_room"
SERVICES = (API, CLOUD, COLOCATION)
"""What others sell; a room of one's own is nobody's service."""

DEDICATED = "dedicated"
"""The table of what vendors of APIs run for one customer alone, offered in place of what they sell by the token."""


@dataclass(frozen=True)
class Sites:
    """Where offers are served from: columns over sites, each a vendor's service in a region, or a house of our own.

    `asked` and `weeks` are over (paper, site): whether the service is asked for a paper, and the weeks to get it there
    (not finite: it is not given), from `passport`, a key of passports.csv. `of` has the sites of every offer of a
    place, over (offer, site), the cheapest first, the last repeated; own servers have a place for each housing, APIs a
    second for what is DEDICATED.
    """

    service: Array
    vendor: Array
    region: Array
    served_in: Array
    whole: Array
    uplift: Array
    firm: Array
    owned_in: Array
    papers: Mapping[str, int]
    asked: Array
    weeks: Array
    passport: Array
    of: Mapping[str, Array]


@of_tables
def sites(facts: Facts) -> Sites:
    """The sites of all offers in force, and of own servers in each housing."""
    number: dict[tuple[Any, ...], int] = {}

    def site(service: str, vendor: str = "", region: str = "", at: str = "", whole: bool = True, up: float = 0) -> int:
        return number.setdefault((service, vendor, region, at, whole, float(up)), len(number))

    of = {OWN_ROOM: [[site(OWN_ROOM)]], COLOCATION: [[site(COLOCATION, "Colocation")]], "vendor_api": []}
    regions = facts.table("regions").sort_values("uplift_share", kind="stable")
    sold = {vendor: [*rows.itertuples()] for vendor, rows in regions[regions["service"] == API].groupby("vendor")}
    for offer, vendor, own in facts.table("api_offers")[["vendor", "residency_uplift_share"]].itertuples():
        here = [row for row in sold.get(vendor, []) if not row.models or offer in row.models.split()]
        dearer = [own if row.uplift_share > 0 and own >= 0 else row.uplift_share for row in here]
        mine = [site(API, vendor, r.region, r.jurisdiction, False, up) for r, up in zip(here, dearer, strict=True)]
        of["vendor_api"].append(mine or [site(API, vendor, whole=False)])
    of[DEDICATED] = [
        [site(API, vendor, row.region, row.jurisdiction, False) for row in sold.get(vendor, []) if not row.models]
        or [site(API, vendor, whole=False)]
        for vendor in facts.table(DEDICATED)["provider"]
    ]
    served, machines = regions["jurisdiction"], facts.table("machines")[["provider", "region", "whole_machine"]]
    of["rented_gpus"] = [
        [site(CLOUD, vendor, region, served.get(f"{vendor}/cloud/{region}", ""), whole == "yes")]
        for vendor, region, whole in machines.itertuples(index=False)
    ]
    table = pd.DataFrame([*number], columns=["service", "vendor", "region", "served_in", "whole", "uplift"])
    known = facts.table("vendors")[["firm", "owned_in"]].reindex(table["vendor"])
    table["firm"], table["owned_in"] = known["firm"].fillna(known.index.to_series()).to_numpy(), known["owned_in"].array
    columns = {name: column.to_numpy() for name, column in table.fillna("").items()}
    return Sites(**columns, **_papers(facts, table), of={place: _padded(lists) for place, lists in of.items()})


def _padded(lists: Sequence[Sequence[int]]) -> Array:
    """Lists of sites as one array, short ones with their last repeated."""
    width = max(map(len, lists), default=1)
    return np.array([[*mine, *[mine[-1]] * (width - len(mine))] for mine in lists], int).reshape(len(lists), width)


def _papers(facts: Facts, table: pd.DataFrame) -> dict[str, Any]:
    """Position of every paper, then over (paper, site) whether it is asked for, its weeks, and its passport."""
    written, given = facts.rules["papers"], facts.table("passports")
    at = {paper: position for position, paper in enumerate(written)}
    asked = np.array([table["service"].isin(paper.get("of", SERVICES)) for paper in written.values()])
    weeks = np.array([np.full(len(table), float(paper.get("weeks", np.inf))) for paper in written.values()])
    passport = np.full(weeks.shape, "", object)
    of, region = table["vendor"].to_numpy() + "/" + table["service"].to_numpy(), table["region"].to_numpy()
    for row in given[given["available"] != "no"].itertuples():
        here = of == f"{row.vendor}/{row.service}"
        if row.region:
            here &= np.isin(region, row.region.split())
        for paper in (row.paper, *written[row.paper].get("covers", [])):
            sooner = here & (row.weeks < weeks[at[paper]])
            weeks[at[paper], sooner], passport[at[paper], sooner] = row.weeks, row.Index
    return {"papers": at, "asked": asked, "weeks": weeks, "passport": passport}
