"""Tuning: what the models of specialised traffic cost to change, where they run, and to change again."""

import numpy as np

from ..inputs.question import PLACES, SKILLS
from ..units import WEEKS_PER_MONTH, Array
from .block import Question
from .routing import API, OWN, RENTED, SPECIALISED, Routing
from .staffing import on_day_one

Lines = dict[tuple[str, str], Array]


def tuning_lines(question: Question, routing: Routing) -> Lines:
    """Lines of changing the models that serve specialised streams, first or as overflow, by place and name [USD by
    month].

    On the day of the decision and after every `retune_months` the examples, and for each base model the runs and an
    evaluation; those also when a vendor ends an open model that it hosts. A change of all weights begins with a project
    of people. What serves all base models falls at the first place that has one.
    """
    if (question.rows["customisation"] == "prompting").all():
        return {}
    live = question.load.live
    lines = _lines(question, routing, *(changes(period, live) for period in _periods(question)))
    for (place, name), line in [*lines.items()]:
        if name == PROJECT:  # the first time alone
            lines[place, name] = on_day_one(line[:, 0], live)
    return lines


def tuning_usd(question: Question, routing: Routing) -> Array:
    """What changing models again costs in the mean of many years [USD/month], by scenario."""
    lines = _lines(question, routing, *(1 / period[:, None] for period in _periods(question)))
    again = (line[:, 0] for (_, name), line in lines.items() if name != PROJECT)
    return sum(again, np.zeros(len(question.shares)))


PROJECT = "training project"


def _periods(question: Question) -> tuple[Array, Array]:
    """After how long a model is changed again, by the calendar, and where a vendor ends it, by scenario [month]."""
    lives = np.ravel(question.facts.value("tuning.hosted_base_weeks")) / WEEKS_PER_MONTH
    again = question.rows["retune_months"]
    return again, np.minimum(again, lives)


def _lines(question: Question, routing: Routing, by_calendar: Array, by_vendor: Array) -> Lines:
    """Lines where models are changed so often, over (scenario, any): by the calendar, and where a vendor ends them."""
    way = question.rows["customisation"]
    streams = SPECIALISED & (question.shares > 0) & (way != "prompting")[:, None]
    goes = [(routing.place == place) | (routing.overflow == place) for place in range(len(PLACES))]
    stay, end = _bases(question, np.stack(goes, axis=2) & streams[..., None])
    data, runs = (_usd(question, f"{name}_usd") for name in ("data", "runs"))
    evaluation, months = (
        question.facts.value(f"tuning.{name}") for name in ("evaluation_usd", "weights.person_months")
    )
    people = (way == "weights") * np.ravel(months) * question.staff.pay[..., SKILLS.index("ml")]
    here, lines = stay + end > 0, Lines()
    first = here & (here.cumsum(axis=1) == 1)
    for at in np.flatnonzero(here.any(axis=0)).tolist():
        made, place = stay[:, [at]] * by_calendar + end[:, [at]] * by_vendor, PLACES[at]
        lines[place, "training data"] = by_calendar * (first[:, at] * data)[:, None]
        lines[place, "training runs"] = made * runs[:, None]
        lines[place, "evaluation of the changed model"] = made * evaluation
        lines[place, PROJECT] = by_calendar * (first[:, at] * people)[:, None]
    return lines


def changes(period: Array, live: Array) -> Array:
    """How often a model is changed in each month, over (scenario, month): on the day of the decision, and as often as
    a period [month, by scenario] ends before the last live month does.
    """
    so_far = np.floor(np.arange(live.shape[1]) / period[:, None] + 1e-9)
    serves_on = np.append(live[:, 1:], np.zeros((len(live), 1)), axis=1)
    return np.diff(so_far, axis=1, prepend=-1.0) * serves_on


def _usd(question: Question, name: str) -> Array:
    """A figure of changing adapters or all weights, whichever is asked, by scenario [USD]."""
    either = (np.ravel(question.facts.value(f"tuning.{way}.{name}")) for way in ("weights", "fine_tuning"))
    return np.where(question.rows["customisation"] == "weights", *either)


def _bases(question: Question, here: Array) -> tuple[Array, Array]:
    """How many base models are changed at each place: those that stay as long as wanted, and those that a vendor ends,
    over (scenario, place). `here` says over (scenario, stream, place) what they serve.

    Machines serve one model, wherever they stand; an API as many as offers are called.
    """
    stay, end = here.any(axis=1).astype(float), np.zeros((len(here), len(PLACES)))
    stay[:, RENTED] *= 1 - stay[:, OWN]
    if question.endpoints:
        return stay, end
    stay[:, API] = 0.0
    hosted = (question.facts.table("api_offers")["open_model"] != "").to_numpy()
    seen = list[tuple[Array, Array]]()
    for number, api in enumerate(question.whole.apis):
        called = np.asarray(here[:, question.called == number, API].any(axis=1))
        new = called & ~np.any([before & (offer == api.offer) for offer, before in seen], axis=0)
        seen.append((api.offer, called))
        ends = hosted[question.row(api.offer)]
        stay[:, API] += new & ~ends
        end[:, API] += new & ends
    return stay, end
