"""Behind: what an option's cost is made of, line by line, and the dated facts that each line rests on."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

from .evaluate import Answer
from .facts import Facts
from .markup import link, plain, usd
from .parts import parts, taken
from .pools import Question, until_delivery
from .routings import OWN, RENTED
from .scenario import PLACES
from .staffing import ROUTING


class Fact(NamedTuple):
    """A row of a table in force: the table and its key."""

    table: str
    key: str


OFFERS = dict(zip(PLACES, ("api_offers", "machines", "servers"), strict=True))
"""The table with the offers of each place."""

TOKENS = ("input tokens", "cached input tokens", "output tokens", "batch discount", "residency uplift")
BY_WORTH = ("capital tied up", "residual value")

STORAGE = ("rented.storage_gb_per_replica", "rented.storage_usd")
EGRESS = ("rented.bytes_per_token", "rented.egress_usd")

FIGURES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(TOKENS, ()),
    "long prompts": ("demand.input_tokens_cv",),
    "retries": ("api.retry_share",),
    "machines": (),
    "burst machines": (),
    "spot machines": ("rented.spot_overhead_share",),
    "contract past the horizon": (),
    "storage": STORAGE,
    "egress": EGRESS,
    "servers": (),
    "network": ("own.network_share",),
    "spare parts": ("own.spares_share",),
    "installation": (),
    **dict.fromkeys(BY_WORTH, ("residual.",)),
    "power": ("own.peak_power_share", "own.idle_power_share", "own.pue", "own.electricity_usd"),
    "colocation": ("own.colocation_usd",),
    "maintenance": ("own.maintenance_share",),
    "bill while waiting for delivery": (
        "own.delivery_weeks",
        "setup_weeks.own_gpus",
        "api.retry_share",
        *STORAGE,
        *EGRESS,
    ),
    "staff for further servers": ("people.fte_per_extra_server", "people.benefits_share"),
    "set-up project": ("setup_usd.{place}",),
    "platform services": ("platform_usd.{place}",),
    "least staff": ("people.benefits_share",),
    "people to add": ("people.benefits_share",),
    "recruiting and ramp-up": ("people.benefits_share", "people.recruiting_share", "people.ramp_months"),
}
"""The figures of data/assumptions.csv each line rests on, beside its offer; one that ends in a dot stands for all that
start so. How many machines there are rests on more, see `sizing`."""

WITHOUT_OFFER = ("set-up project", "platform services", "staff for further servers", "egress", "storage")

SIZING = ("serving.", "demand.arrival_cv", "autoscale.", "own.delivery_weeks", "setup_weeks.own_gpus")
"""Figures that say how many machines there are from when on, beside those of the service level."""


SCORING = ("anchor.", "control.", "elasticity.", "freedom.", "setup_weeks.", "people.")
"""Figures the score, the time to launch and the staff rest on, whatever the option."""


def rests_on(answer: Answer, option: str) -> dict[tuple[str, str], list[Fact]]:
    """For every line of an option of a one-row answer, place and name, the facts it rests on."""
    question, routing, outcome = taken(answer, option)
    offers: dict[str, list[Fact]] = {}
    for place, share, bill in outcome.bills:
        if share[0] > 0:
            offers.setdefault(place, []).append(Fact(OFFERS[place], str(bill.offer[0])))
    found = {}
    for place, line in (key for key, amounts in outcome.lines.items() if amounts[0].any()):
        if place == "people":
            rows = list(_staff(question, line, list(offers)))
        elif line == "bill while waiting for delivery":
            rows = [Fact("api_offers", str(question.api(routing.least_api).offer[0]))]
            shares = [part.share for part in parts(question, routing) if part.place == OWN]
            rents = [until_delivery(question, share) for share in shares]
            rows += [Fact(OFFERS[PLACES[RENTED]], str(bill.offer[0])) for bill in rents if bill.fits[0]]
        elif line == "staff for further servers":
            rows = [Fact("roles", "hardware")]
        else:
            rows = [] if line in WITHOUT_OFFER else list(dict.fromkeys(offers[place]))
        found[place, line] = rows + figures(question.facts, line, place)
    return found


def figures(facts: Facts, line: str, place: str = "") -> list[Fact]:
    """The single figures a line at a place rests on."""
    names = [name.format(place=place) for name in FIGURES[line]]
    found: list[Fact] = facts.cached(("figures", line, place), lambda: _matching(facts, names))
    return found


def _matching(facts: Facts, names: Sequence[str]) -> list[Fact]:
    known = rows_of(facts, "assumptions")
    starting = [[k for k in known if k.startswith(name)] if name.endswith(".") else [name] for name in names]
    return [Fact("assumptions", key) for keys in starting for key in keys]


def _staff(question: Question, line: str, places: list[str]) -> Iterator[Fact]:
    """Skills asked for at the places in use that make up a line of people, and what those people earn."""
    areas, mixed = dict[str, None](), len(places) > 1
    for key, skill in rows_of(question.facts, "skills").items():
        # changing the weights asks for one level more
        short = skill["level_needed"] + (skill["area"] == "ml") > question.rows[f"skill_{skill['area']}"][0]
        counts = skill["floor_fte"] > 0 if line == "least staff" else short
        if counts and (skill["place"] in places or (mixed and skill["place"] == ROUTING)):
            areas[skill["area"]] = None
            yield Fact("skills", key)
    yield from (Fact("roles", area) for area in areas)
    if mixed and line == "least staff":
        yield Fact("assumptions", "people.mixed_staff_share")


def sizing(answer: Answer) -> list[Fact]:
    """The facts the number of machines rests on in a one-row answer, whatever the option; none where none has any."""
    facts, row, stands = answer.facts, answer.scenarios.iloc[0], answer.sizing
    if stands.empty:
        return []
    stood = set(zip(stands["place"], stands["offer"], strict=True))
    gpus = sorted({rows_of(facts, OFFERS[place])[offer]["gpu"] for place, offer in stood})
    points = rows_of(facts, "throughput").items()
    measured = [key for key, point in points if point["model"] == row["open_model"] and point["gpu"] in gpus]
    by_formula = ["roofline."] if (stands["basis"] != "fitted").any() else []
    tables = {"models": [row["open_model"]], "gpus": gpus, "throughput": measured}
    rows = [Fact(table, key) for table, keys in tables.items() for key in keys]
    return rows + _matching(facts, [*SIZING, f"service.{row['latency']}.", *by_formula])


def used(answer: Answer, options: Sequence[str]) -> set[Fact]:
    """All facts that options of a one-row answer rest on: their costs, the number of machines, times and scores."""
    lines = [fact for option in options for rows in rests_on(answer, option).values() for fact in rows]
    return {*lines, *sizing(answer), *_matching(answer.facts, SCORING)}


def rows_of(facts: Facts, table: str) -> dict[str, dict[str, Any]]:
    """The rows of a table by key."""
    rows: dict[str, dict[str, Any]] = facts.cached(("rows", table), lambda: facts.table(table).to_dict("index"))
    return rows


def told(facts: Facts, fact: Fact) -> str:
    """A fact in HTML: its key, a single figure with its unit, its source and the day that was read."""
    words: str = facts.cached(("told", fact), lambda: _told(rows_of(facts, fact.table)[fact.key], fact))
    return words


def _told(row: dict[str, Any], fact: Fact) -> str:
    single = fact.table == "assumptions"
    name = f"{fact.key} {plain(row['value'])} {row['unit']}" if single else f"{fact.table.replace('_', ' ')} {fact.key}"
    return f"{escape(name)} ({link(row['source'])}, read {escape(row['read_on'])})"


def lines(answer: Answer, option: str) -> str:
    """The lines of an option's monthly cost in a one-row answer as HTML, their sum and what each rests on."""
    means = answer.means
    mine = means[means["option"] == option]
    behind, items = rests_on(answer, option), ""
    for place, line, mean in zip(*(mine[name].tolist() for name in ("place", "line", "usd_per_month")), strict=True):
        facts = "; ".join([told(answer.facts, fact) for fact in behind[place, line]])
        items += f"<li><b>{escape(place.replace('_', ' '))}, {escape(line)}: {usd(mean)}</b> {facts}</li>"
    return f"<ul>{items}<li><b>together: {usd(mine['usd_per_month'].sum())}</b></li></ul>"


def sizes(answer: Answer) -> str:
    """What the number of machines rests on, as HTML."""
    return f"<ul>{''.join(f'<li>{told(answer.facts, fact)}</li>' for fact in sizing(answer))}</ul>"
