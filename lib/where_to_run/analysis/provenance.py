"""Provenance: the dated facts that each line of an option rests on, and what an error in one of them would change."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd

from ..decision.answer import Answer
from ..decision.block import OFFERS, Question
from ..decision.evaluate import evaluate
from ..decision.models import shortlist
from ..decision.option import Option
from ..decision.routing import OWN, RENTED
from ..decision.staffing import ROUTING
from ..inputs.facts import Facts, remembered, rows_of
from ..inputs.question import PLACES
from ..inputs.tables import schema
from ..places.bill import line
from ..places.replicas import replica_words


class Fact(NamedTuple):
    """A row of a table in force: the table and its key."""

    table: str
    key: str


WORDS = ("offer", "units", "stopgap", "least_staff", "missing_skills")
"""What `rests_on` in data/lines.csv may say beside keys: the offers taken at the place, the units in which their
capacity is sold, the offers that may serve until own servers are delivered, the skills a place asks people for in any
case, and those the team lacks; with what people earn.
"""

SIZING = (
    *("serving.", "spare.", "demand.arrival_cv", "autoscale.", "clock."),
    *("own.delivery_weeks.", "setup_weeks.own_gpus"),
)
"""Figures that say how many machines there are from when on, beside those of the service level."""

CRITERIA_REST_ON = ("scale.", "control.", "elasticity.", "easy_to_leave.", "setup_weeks.", "people.")
"""Figures that the values on the criteria rest on, the time to launch and the staff among them, whatever the option."""


def rests_on(answer: Answer, option: str) -> dict[tuple[str, str], list[Fact]]:
    """For every line of an option of a one-row answer, place and name, the facts it rests on.

    How many machines there are rests on more, see `sizing`.
    """
    taken = answer.option(option)
    question, outcome = taken.question, taken.outcome
    offers: dict[str, list[Fact]] = {}
    for place, share, bill in outcome.bills:
        if share[0] > 0:
            table = OFFERS[PLACES.index(place)] if bill.machines else "api_offers"
            offers.setdefault(place, []).append(Fact(table, str(bill.offer[0])))
    found = {}
    for place, name in (key for key, amounts in outcome.lines.items() if amounts[0].any()):
        rows: list[Fact] = []
        for word in line(name).rests_on.split():
            if word == "offer":
                rows += offers.get(place, [])
            elif word == "units":
                rows += [
                    fact for key in offers.get(place, []) for fact in named(question.facts, f"provisioned:{key.key}")
                ]
            elif word == "stopgap":
                rows += _stopgap(taken)
            elif word in WORDS:
                rows += _staff(question, word, list(offers))
            else:
                rows += named(question.facts, word.replace("{place}", place))
        found[place, name] = list(dict.fromkeys(rows))
    return found


def named(facts: Facts, *words: str) -> list[Fact]:
    """The facts in force that words of `rests_on` in data/lines.csv name; nothing for a word that names none.

    `table:key` is a row of a table, any other word a key of data/assumptions.csv, and one that ends in a dot stands
    for all keys that start so.
    """
    found: list[Fact] = []
    for word in words:
        table, _, key = word.rpartition(":")
        table = table or "assumptions"
        known = rows_of(facts, table) if table in facts.tables else {}
        found += [Fact(table, k) for k in known if k.startswith(key)] if key.endswith(".") else []
        found += [Fact(table, key)] if key in known else []
    return found


def _stopgap(taken: Option) -> Iterator[Fact]:
    """The offers that may serve until own servers are delivered."""
    yield from (Fact("api_offers", str(api.offer[0])) for api in taken.question.whole.apis)
    for part in taken.parts:
        rent = taken.stopgap(part.share) if part.place == OWN else None
        if rent and rent.fits[0]:
            yield Fact(OFFERS[RENTED], str(rent.offer[0]))


def _staff(question: Question, word: str, places: list[str]) -> Iterator[Fact]:
    """Skills asked for at the places in use that make up a line of people, and what those people earn."""
    areas, mixed = dict[str, None](), len(places) > 1
    for key, skill in rows_of(question.facts, "skills").items():
        # changing the weights asks for one level more
        short = skill["level_needed"] + (skill["area"] == "ml") > question.rows[f"skill_{skill['area']}"][0]
        counts = skill["floor_fte"] > 0 if word == "least_staff" else short
        if counts and (skill["place"] in places or (mixed and skill["place"] == ROUTING)):
            areas[skill["area"]] = None
            yield Fact("skills", key)
    yield from (Fact("roles", area) for area in areas)
    if mixed and word == "least_staff":
        yield Fact("assumptions", "people.mixed_staff_share")


def sizing(answer: Answer) -> list[Fact]:
    """The facts the number of machines rests on in a one-row answer, whatever the option; none where none has any."""
    facts, row, stands = answer.facts, answer.scenarios.iloc[0], answer.sizing
    if stands.empty:
        return []
    stood = set(zip(stands["place"], stands["offer"], strict=True))
    gpus = sorted({rows_of(facts, OFFERS[PLACES.index(place)])[offer]["gpu"] for place, offer in stood})
    points = rows_of(facts, "throughput").items()
    models = sorted({answer.option(option).question.model for option in stands["option"].unique()})
    measured = [
        key for key, point in points if point["model"] in models and replica_words(point) in {*stands["replica"]}
    ]
    by_formula = ["roofline."] if (stands["basis"] != "fitted").any() else []
    tables = {"models": models, "gpus": gpus, "throughput": measured}
    rows = [Fact(table, key) for table, keys in tables.items() for key in keys]
    return rows + named(facts, *SIZING, f"service.{row['latency']}.", *by_formula)


def used(answer: Answer, options: Sequence[str]) -> set[Fact]:
    """All facts that options of a one-row answer rest on: their costs, the number of machines, the criteria."""
    lines = [fact for option in options for rows in rests_on(answer, option).values() for fact in rows]
    return {*lines, *sizing(answer), *named(answer.facts, *CRITERIA_REST_ON)}


TOLD = ("value", "low", "high", "unit", "source", "effective_from")

SERVING = tuple(f"assumptions serving.{n}" for n in ("memory_", "kv_", "weight_", "max_sequences", "large_gpu"))
REPLICAS = ("throughput", "gpus", "models", "assumptions roofline.", *SERVING)
RESTS = {
    **dict.fromkeys(("fits", "level_rows", "kinds", "kind_columns", "kind_shapes", "rounded"), REPLICAS),
    "at_level": (*REPLICAS, "assumptions service.", "assumptions throughput_sigma."),
    "offers": (*REPLICAS, "machines", "servers", "dedicated"),
    "tariffs": ("api_offers", "models", "provisioned", "assumptions api.", "assumptions demand."),
    "sold": ("provisioned", "api_offers"),
    "staff": ("skills", "roles", *(f"assumptions {of}" for of in ("people.", "setup_", "platform_", "own.delivery"))),
    "_service_levels": ("assumptions service.",),
    "cloud": ("assumptions rented.", "assumptions autoscale.", "assumptions spare."),
    "spares": ("assumptions spare.",),
    # where and by whom offers are served, and with which papers
    **dict.fromkeys(("sites", "spoken", "judged"), ()),
    "figures": ("quality",),
    "worthwhile_offers": ("quality", "api_offers"),
    # which open models are tried stays as it is today
    **dict.fromkeys(("on_rent", "worthwhile"), ()),
}
"""What facts remember by the function that makes it, and the tables or keys it is made from: it is kept where none of
them changes.
"""


@remembered
def at_stake(answer: Answer) -> pd.DataFrame:
    """What the low and the high of a fact change, one at a time, all else as it is; the largest change first.

    Columns: table, key, value, low, high, unit, source, effective_from; usd_at_low and usd_at_high, the change in the
    monthly cost of the recommended option, which chooses its machines anew [USD/month]; option_at_low and
    option_at_high, which of it and the runner-up is ahead then. Tried is every fact with a range that the costs, the
    machines or the values of the two on the criteria rest on. No rows where nothing is recommended.
    """
    names = leading(answer)
    return _by_change(answer, _ranged(answer, used(answer, names) if names else set()))


@remembered
def foremost(answer: Answer) -> pd.DataFrame:
    """Those rows of `at_stake` that come first: of the facts that the cost of the recommended option rests on."""
    return _by_change(answer, _foremost(answer))


def _foremost(answer: Answer) -> list[Fact]:
    names = leading(answer)[:1]
    mine = {fact for name in names for facts in rests_on(answer, name).values() for fact in facts}
    stands = answer.sizing["option"].isin(names).any()
    return _ranged(answer, mine | {*sizing(answer)} if stands else mine)


def _by_change(answer: Answer, facts: list[Fact]) -> pd.DataFrame:
    ends = [f"{name}_at_{end}" for end in ("low", "high") for name in ("usd", "option")]
    rows = [(*fact, *_moved(answer, fact)) for fact in facts]
    found = pd.DataFrame(rows, columns=["table", "key", *TOLD, *ends])
    largest = found[["usd_at_low", "usd_at_high"]].abs().max(axis=1)
    return found.loc[largest.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)


def _ranged(answer: Answer, facts: set[Fact]) -> list[Fact]:
    """Those of some facts that have a range, in order."""
    rows = {fact: rows_of(answer.facts, fact.table)[fact.key] for fact in sorted(facts)}
    return [fact for fact, row in rows.items() if row["high"] > row["low"]]


def weigh(answer: Answer, tell: Callable[[float], None]) -> None:
    """Work out what `foremost` says, fact by fact; tells the share that is done, and what that raises ends it."""
    facts = _foremost(answer)
    for number, fact in enumerate(facts, 1):
        _moved(answer, fact)
        tell(number / len(facts))
    foremost(answer)


def leading(answer: Answer) -> list[str]:
    """The recommended option of a one-row answer and the best that does not come to the same, where there are."""
    ranked = [str(option) for option in answer.options.dropna(subset="rank").sort_values("rank")["option"]]
    others = [option for option in ranked if answer.option(option).comes_to != answer.option(ranked[0]).comes_to]
    return [*ranked[:1], *others[:1]]


def _headline(fact: Fact) -> str:
    """The column of a fact that its low and its high are about."""
    return str(schema()["tables"][fact.table]["headline"])


@remembered
def _moved(answer: Answer, fact: Fact) -> list[Any]:
    """What is `TOLD` of a fact; for either end of its range the change in cost, and which option is ahead."""
    names = leading(answer)
    row, headline = rows_of(answer.facts, fact.table)[fact.key], _headline(fact)
    unit = schema()["tables"][fact.table]["columns"][headline]["unit"]
    row = {"unit": unit} | row | {"value": row[headline]}
    found = [row[name] for name in TOLD]
    usd = answer.options.set_index("option").at[names[0], "usd_per_month"]
    # with the open models of today, of which others would have to be sized in vain
    models = {answer.option(name).question.model for name in names} - {""}
    rows = answer.scenarios.assign(open_model=models.pop()) if len(models) == 1 else answer.scenarios
    for end in ("low", "high"):
        moved = evaluate(rows, _with(answer, fact, row[end]), answer.hours, names).figures.set_index("option")
        found += [float(moved.at[names[0], "usd_per_month"] - usd)]
        found += [next((str(option) for option in moved.index[moved["recommended"]]), "")]
    return found


def _with(answer: Answer, fact: Fact, value: float) -> Facts:
    """The facts with another value in one place, and of what they remember all that it has no say in."""
    facts, name = answer.facts, f"{fact.table} {fact.key}"
    table = facts.table(fact.table).copy()
    table.loc[fact.key, _headline(fact)] = value
    tables = {**facts.tables, fact.table: table}
    if name.startswith(REPLICAS):
        # fits of other models take most of the time and say nothing here
        points = tables["throughput"]
        tried = shortlist(facts, {field: column.to_numpy() for field, column in answer.scenarios.items()})
        # and one point at full load, as no fit is made of none
        some = points.index == points.index[points["concurrency"].isna()][0]
        tables["throughput"] = points[points["model"].isin(tried.ravel()) | some]
    makers = {key: getattr(key[0], "__name__", "") for key in facts.made}
    kept = {k: facts.made[k] for k, by in makers.items() if by in RESTS and not name.startswith(RESTS[by])}
    return Facts(facts.as_of, tables, facts.rules, facts.overrides, kept)
