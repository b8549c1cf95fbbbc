"""Steps: what to do on Monday, made from the answer and dated from the day of its facts."""

from datetime import date, timedelta
from html import escape
from math import ceil

import numpy as np

from ..analysis import breakeven
from ..decision import quality
from ..decision.answer import Answer
from ..decision.option import Option
from ..decision.routing import API, OWN
from . import order
from .panel import Pieces
from .roadmap import volume_words
from .titles import machines


def on_monday(answer: Answer, looks_ahead: bool = True) -> Pieces:
    """Three to five first steps as a list; the volume at which to look again only where it `looks_ahead`."""
    if not (ranked := order.allowed(answer)):
        return Pieces(["<p>Nothing is allowed as asked: change one of the above first.</p>"])
    row, taken, facts = ranked[0], answer.option(ranked[0]["option"]), answer.facts
    steps = [*_orders(answer, row, taken)]
    models = " and ".join(dict.fromkeys(quality.name(facts, key) for key in _models(taken)))
    trial = facts.value("advice.trial_requests")
    task = str(answer.asked["task"]).replace("_", " ")
    steps.append(
        f"Try {models} on {trial:.0f} of your own requests: the floor is a figure on a public benchmark for {task} "
        "tasks, and yours are not in it."
    )
    if answer.hours is None:
        steps.append(
            f"Export {facts.value('advice.log_days'):.0f} days of logs (time, tokens in and out) and read them under "
            f"Your usage: {volume_words(answer.asked['requests_per_month'])} requests a month and a spikiness of "
            f"{answer.asked['spikiness']:g} are what you said, not what was measured."
        )
    if row["hires"] >= 0.05:
        weeks = ceil(float(taken.outcome.people_weeks[0]))
        takes = f"; finding or training them takes {weeks} week{'s' * (weeks != 1)}" if weeks else ""
        steps.append(f"Find {row['hires']:.1f} full-time people more than are there{takes}.")
    if looks_ahead:
        steps.append(_review(answer))
    items = "".join(f"<li>{escape(step)}</li>" for step in steps)
    return Pieces([f"<ol class='steps'>{items}</ol>"])


def _orders(answer: Answer, row: order.Row, taken: Option) -> list[str]:
    """What to sign and to order by which day, so that the service starts on the day of the deadline."""
    begin, deadline = ceil(row["launch_weeks"]), float(answer.asked["weeks_to_launch"])
    today = date.fromisoformat(answer.facts.as_of)
    last, starts = (today + timedelta(weeks=weeks) for weeks in (max(0.0, deadline - row["launch_weeks"]), deadline))
    when = f"by {last:%-d %B %Y} at the latest, as it takes {begin} week{'s' * (begin != 1)} and has to serve by "
    when += f"{starts:%-d %B %Y}"
    conditions = " ".join(_papers(answer, row["option"]))
    said, firms = [], " and ".join(taken.firms)
    if firms:
        said.append(f"Sign with {firms} {when}.{' ' + conditions if conditions else ''}")
    for part in taken.parts:
        if part.place == OWN and part.share[0] > 0:
            what = machines(answer.facts, part, str(part.bill.offer[0]))
            said.append(f"Order the servers {when}: {what}.{'' if firms or not conditions else ' ' + conditions}")
    return said


def _papers(answer: Answer, option: str) -> list[str]:
    """What is to be signed or done for an option that is allowed on conditions, a sentence each."""
    spoken = answer.verdicts
    mine = spoken[(spoken["option"] == option) & (spoken["verdict"] == "conditional")]
    # what is missing stands in the second sentence, the firms that give it follow
    lacks = [sentence for words in mine["unlock"] for sentence in words.split(". ")[1:2]]
    return [*dict.fromkeys([*mine["because"], *(f"{lack.rstrip('.')}." for lack in lacks)])]


def _models(taken: Option) -> list[str]:
    """The models that serve requests, by their keys."""
    question = taken.question
    streams = np.flatnonzero(question.shares[0] > 0)
    return [
        str(question.offers[0, stream]) if taken.routing.place[0, stream] == API else question.model
        for stream in streams
    ]


def _review(answer: Answer) -> str:
    """At which volume to look again, in words."""
    found = breakeven.next_change(answer)
    upto = f"{volume_words(float(f'{found.requests_per_month:.2g}'))} requests a month"
    if found.option is None:
        return f"Look again when prices change: up to {upto}, as far as was tried, the answer stays of this kind."
    then = "nothing would be allowed as asked" if found.option == breakeven.NONE else "another way would be recommended"
    return f"Look again at about {upto}: from there {then} (see Break-even)."
