"""Evaluate: scenarios a block at a time, every option costed, held to the rules and limits, and ranked."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

from ..formulas.load_curve import Curve, Measured
from ..inputs import question
from ..inputs.facts import Facts
from ..units import Array
from .answer import OPENED, Answer, Judged
from .block import Question
from .models import MOST, shortlist
from .recommendation import ranked
from .routing import NAMES, Routing
from .search import follow, search

BLOCK = 1_500
"""Most scenarios computed at a time: memory stays bounded, and a step of numpy takes longer than to hand the
interpreter to another thread, which small blocks would mostly wait for.
"""

THREADS = 2
"""Blocks computed side by side."""


def judge(
    rows: Mapping[str, Array],
    facts: Facts,
    curve: Curve | None = None,
    names: Sequence[str] = NAMES,
    committed: Mapping[str, Routing] | None = None,
    near: float | None = None,
    threads: int = THREADS,
) -> Iterator[Judged]:
    """Answer checked columns block by block for the options asked, in some threads; a block tries the same open models.

    What a block was worked out with goes as soon as nobody holds the block, so memory stays bounded.
    """
    members = defaultdict[tuple[str, ...], list[int]](list)
    tried = np.full((len(rows["task"]), 1), "") if committed else shortlist(facts, rows)
    for number, models in enumerate(tried):
        members[tuple(sorted({*models} - {""}))].append(number)
    blocks = [
        (_first_first(models, tried[alike]), block)
        for models, alike in members.items()
        for block in np.array_split(np.array(alike), _number(len(alike), threads))
    ]

    def answer(block: tuple[Sequence[str], Array]) -> Judged:
        models, index = block
        fields = {name: array[index] for name, array in rows.items()}
        return _block(index, Question(facts.take(index), fields, curve), models, names, committed, near)

    # small blocks would mostly wait for each other to hand the interpreter over
    if threads == 1 or len(blocks) == 1 or len(tried) <= BLOCK / 2:
        yield from map(answer, blocks)
        return
    # numpy leaves the interpreter to the others while it computes
    with ThreadPoolExecutor(threads) as pool:
        underway: deque[Future[Judged]] = deque()
        for block in blocks:
            underway.append(pool.submit(answer, block))
            if len(underway) > threads:
                yield underway.popleft().result()
        while underway:
            yield underway.popleft().result()


def _first_first(models: Sequence[str], tried: Array) -> list[str]:
    """Open models by how early they come among those `tried`: what is costed first leaves less to be tried."""
    late = {model: np.where((tried == model).any(axis=1), (tried == model).argmax(axis=1), MOST) for model in models}
    return sorted(models, key=lambda model: float(late[model].mean()))


def _number(scenarios: int, threads: int) -> int:
    """Into how many even blocks scenarios are cut: as many for every thread, where they are worth a second one."""
    number = -(-scenarios // BLOCK)
    return -(-number // threads) * threads if scenarios > BLOCK / 2 else number


def _block(
    index: Array,
    question: Question,
    models: Sequence[str],
    names: Sequence[str],
    committed: Mapping[str, Routing] | None,
    near: float | None,
) -> Judged:
    found = follow(question, committed) if committed else search(question, models, names, near)
    columns = dict(found.figures)
    ranked(columns)
    return Judged(index, question, found, columns)


KEPT = 640
"""Scenarios whose workings are kept, to be opened without judging them again."""


def evaluate(
    scenarios: pd.DataFrame,
    facts: Facts,
    hours: Array | None = None,
    names: Sequence[str] = NAMES,
    threads: int = THREADS,
    drawn: Mapping[str, Array] | None = None,
    committed: Mapping[str, Routing] | None = None,
    near: float | None = None,
) -> "Answer":
    """Answer every scenario of a frame made by `question.grid`; one row is enough, a million are the same code.

    Returns an `Answer`, whose `options` has a row per scenario and option: verdict, because, unlock, launch_weeks
    [week], capex_usd [USD], usd_per_month [USD/month, mean of all lines over the horizon], running_usd_per_month
    [USD/month, without hardware], npv_usd [USD], level_usd_per_month [USD/month: the constant payment of the same
    present value, with what is not served before launch at the price of an API], generalised_usd_per_month [USD/month:
    that with what its drawbacks are worth, for the comparison alone], usd_per_mtok [USD/Mtok, discounted cost over
    discounted tokens],
    gpus [GPU, in the first month of service], utilisation [share of the GPU hours at work], overflow_share [share of
    traffic served at a second place, or without one in hours above the capacity of its first month], hires [FTE],
    rank [by generalised cost], recommended.
    `hours`, a measured series of hourly loads, takes the place of `spikiness`; `names` asks for some options alone,
    `threads` for other than two where many scenarios are asked. `drawn` multiplies facts scenario by scenario, by what
    `Facts.draw` takes; `committed` gives the options asked the routing each has, of one scenario, in place of a
    search. With `near` only what may come to at most so many times the least is costed, and other options have infinite
    costs. Refuses what `question.check` refuses, keys that are not in the facts, hours that are no loads, and draws
    that are none.
    """
    rows = question.checked(question.columns(scenarios), facts.keys())
    if hours is None:
        question.refuse_too_steady(rows)
    curve, names = None if hours is None else Measured(hours), tuple(committed or names)
    number = len(scenarios)
    asked = partial(judge, rows, facts.draw(drawn or {}, number), curve, names, committed, near)
    store: dict[str, Array] = {}
    kept: list[Judged] = []
    for block in asked(threads=threads):
        for name, values in block.columns.items():
            if name in OPENED:
                continue
            if name not in store:
                store[name] = np.empty((number, *values.shape[1:]), values.dtype)
            store[name][block.index] = values
        if number <= KEPT:
            kept.append(block)
    return Answer(rows, facts, hours, store, names, asked, kept)
