"""Routing: the recommended option as a configuration of the LiteLLM proxy, a model name for each stream of traffic.

A stream goes where the answer sends it, and falls back, when that is down or full, to endpoints that the answer uses
anyway, which the rules allow for it and whose model reaches its floor. What names no stream goes to the strictest.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from ...analysis import hybrid
from ...decision.answer import Answer
from ...decision.option import Option
from ...decision.routing import API, HARD, NOWHERE, SENSITIVE
from ...decision.sites import sites
from ...inputs.facts import rows_of
from ...inputs.question import PLACES, STREAMS
from ...inputs.refresh import names_of_offers
from ...units import SECONDS_PER_MINUTE, TOKENS_PER_MTOK

CONFIG, VARIABLES = "litellm.yaml", "litellm.env"
READ_ME = (
    (
        CONFIG,
        "Routing, for the LiteLLM proxy: a model name for each stream of traffic, with its fall-backs; an unknown name "
        "goes to the strictest stream. Tags are for accounting and move nothing. A vendor's budget is the running "
        "budget, or the dearest month of the APIs where that is more; above it the vendor gets no request.",
        "Give each application a key for its streams alone. Names of models, where a vendor calls them otherwise; rpm, "
        "when machines are added. The proxy takes prometheus-client beside litellm[proxy]; more than one of it a "
        "Redis, to share limits and budgets.",
    ),
    (
        VARIABLES,
        "The variables that the configuration reads.",
        "Every value; keep it out of version control. Until own servers are delivered, their address is that of the "
        "machines that stand in for them.",
    ),
)

UNKNOWN = "*"
"""In place of a model name: any that no stream has."""

ON_MACHINES, DEFAULT_VENDOR = "hosted_vllm", {"provider": "openai", "settings": "api_key api_base"}
"""How LiteLLM names our own endpoints, and a vendor it does not know: as one that speaks like OpenAI."""

HEAD = """\
# Made by Where to Run. Start: litellm --config litellm.yaml, with the variables of litellm.env.
# An application names its stream as the model: {}.
"""


@dataclass(frozen=True)
class Endpoint:
    """Where requests of a stream can go: a place, the API offer called there ("" on machines), and the most requests a
    minute, where what comes above goes elsewhere.
    """

    place: int
    offer: str = ""
    per_minute: int = 0


def recommended(answer: Answer) -> str:
    """The option that is recommended in a one-row answer."""
    return next(str(row["option"]) for row in answer.rows if row["recommended"])


def stream_name(stream: int) -> str:
    """The model name of a stream, as `sensitive-general-easy`."""
    return "-".join(STREAMS[stream])


def slug(name: str) -> str:
    """A name from outside as one of a model or a resource: small letters, digits, dots and dashes, at most 50."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower())[:50].strip("-.") or "model"


def files(answer: Answer) -> dict[str, bytes]:
    """The configuration of the proxy, and the variables it reads."""
    name = recommended(answer)
    option, ways = answer.option(name), routes(answer, name)
    models, fallbacks = [], []
    for stream, (first, *others) in ways.items():
        names = [f"{stream_name(stream)}-fallback-{number}" for number, _ in enumerate(others, 1)]
        models.append(_deployment(option, stream, first, stream_name(stream)))
        models += [_deployment(option, stream, end, other) for end, other in zip(others, names, strict=True)]
        if names:
            fallbacks.append({stream_name(stream): names})
    strictest = min(ways, key=lambda stream: _leeway(option, stream))
    # no fall-back and no limit: what nobody knows has one place to go
    models.append(_deployment(option, strictest, Endpoint(ways[strictest][0].place, ways[strictest][0].offer), UNKNOWN))
    config = {
        "model_list": models,
        "router_settings": _router(answer, name, fallbacks, ways),
        "litellm_settings": {"turn_off_message_logging": True, "callbacks": ["prometheus"]},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }
    head = HEAD.format(", ".join(map(stream_name, ways)))
    text = head + yaml.safe_dump(config, sort_keys=False, width=120)
    return {CONFIG: text.encode(), VARIABLES: _variables(option, ways).encode()}


def routes(answer: Answer, name: str) -> dict[int, list[Endpoint]]:
    """For each stream with traffic its endpoints: where an option sends it, then those it falls back to, in order."""
    option = answer.option(name)
    question, routing = option.question, option.routing
    present = [int(stream) for stream in np.flatnonzero(question.shares[0] > 0)]
    called = {stream: "" if question.endpoints else str(question.offers[0, stream]) for stream in present}
    goes = {s: [int(p[0, s]) for p in (routing.place, routing.overflow) if p[0, s] != NOWHERE] for s in present}
    used = [Endpoint(API, called[s]) for s in present if API in goes[s] and called[s]]
    found = {}
    for stream in present:
        ends = [Endpoint(place, called[stream] if place == API else "") for place in goes[stream]]
        if len(ends) > 1:
            ends[0] = Endpoint(ends[0].place, ends[0].offer, _per_minute(answer, name, stream))
        found[stream] = list(dict.fromkeys([*ends, *(end for end in used if _may(option, stream, end.offer))]))
    return found


def _may(option: Option, stream: int, offer: str) -> bool:
    """Whether an API offer is allowed for a stream by the rules, and reaches its floor."""
    question = option.question
    allowed = question.permits.may[API][question.permits.code[0], stream, question.row([offer])[0]]
    figure = question.figures.value[question.families[0], question.figures.at([offer])[0]]
    return bool(allowed and figure >= question.floors[0, int(HARD[stream])])


def _leeway(option: Option, stream: int) -> tuple[int, bool, bool]:
    """How much a stream may do, the strictest least: the offers allowed for it; of equals a sensitive, a hard one."""
    permits = option.question.permits
    offers = sum(int(may[permits.code[0], stream].sum()) for may in permits.may)
    return offers, not SENSITIVE[stream], not HARD[stream]


def _per_minute(answer: Answer, name: str, stream: int) -> int:
    """Requests a minute of a stream that the first machines of its base carry: its part of what comes there."""
    option = answer.option(name)
    here = option.routing.place[0] == option.routing.place[0, stream]
    shares = option.question.shares[0]
    capacity = float(hybrid.base(answer, name)["capacity"].iloc[0]) * shares[stream] / shares[here].sum()
    return max(1, int(capacity * SECONDS_PER_MINUTE))


def _deployment(option: Option, stream: int, end: Endpoint, name: str) -> dict[str, Any]:
    facts = option.question.facts
    if end.offer:
        provider, settings, _ = _gateway(option, stream, end.offer)
        params = {"model": f"{provider}/{_called(end.offer, provider)}", **_prices(option, stream, end.offer)}
    else:
        settings = _settings(PLACES[end.place], "api_base api_key")
        params = {"model": f"{ON_MACHINES}/{slug(option.question.model)}"}
        params |= {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
    params |= {setting: f"os.environ/{variable}" for setting, variable in settings.items()}
    params["timeout"] = facts.value("gateway.timeout_minutes") * SECONDS_PER_MINUTE
    if end.per_minute:
        params["rpm"] = end.per_minute
    return {"model_name": name, "litellm_params": params}


def _gateway(option: Option, stream: int, offer: str) -> tuple[str, dict[str, str], str]:
    """How LiteLLM names the vendor of an offer, the variable of each of its settings, and the site that is asked."""
    question, facts = option.question, option.question.facts
    vendor = str(facts.table("api_offers").at[offer, "vendor"])
    gateway = rows_of(facts, "gateways").get(vendor, {})
    gateway = gateway if gateway.get("provider") else DEFAULT_VENDOR
    judged = question.permits.said[question.permits.code[0]][API]
    region = str(sites(facts).region[judged.site[stream, question.row([offer])[0]]])
    # streams that are held to different regions call different addresses
    name = gateway["provider"] if region in ("", "global") else f"{gateway['provider']}_{region}"
    return str(gateway["provider"]), _settings(name, str(gateway["settings"])), f"{vendor}, region {region or 'any'}"


def _settings(name: str, settings: str) -> dict[str, str]:
    return {each: re.sub(r"[^A-Z0-9]+", "_", f"{name}_{each}".upper()) for each in settings.split()}


def _called(offer: str, provider: str) -> str:
    """What a vendor calls the model of an offer, without the provider; the end of the offer's key where not known."""
    known = names_of_offers().get(offer, {}).get("litellm") or offer.partition("/")[2] or offer
    return known.removeprefix(f"{provider}/")


def _prices(option: Option, stream: int, offer: str) -> dict[str, float]:
    """Dollars a token, with what the region adds."""
    question = option.question
    row = rows_of(question.facts, "api_offers")[offer]
    uplift = question.permits.uplift[API][question.permits.code[0], stream, question.row([offer])[0]]
    columns = {"input": "input_cost", "output": "output_cost", "cached_input": "cache_read_input_token_cost"}
    found = {}
    for column, name in columns.items():
        if not np.isnan(usd := float(row[f"{column}_usd_per_mtok"])):
            key = name if name.endswith("token_cost") else f"{name}_per_token"
            found[key] = round(usd * (1 + float(uplift)) / TOKENS_PER_MTOK, 12)
    return found


def _router(
    answer: Answer, name: str, fallbacks: list[dict[str, list[str]]], ways: dict[int, list[Endpoint]]
) -> dict[str, Any]:
    facts, option = answer.facts, answer.option(name)
    found: dict[str, Any] = {
        "num_retries": int(facts.value("gateway.retries")),
        "enable_tag_filtering": False,
        "optional_pre_call_checks": ["enforce_model_rate_limits"],
        "fallbacks": fallbacks,
    }
    calls = [(stream, end.offer) for stream, ends in ways.items() for end in ends if end.offer]
    if providers := dict.fromkeys(_gateway(option, stream, offer)[0] for stream, offer in calls):
        budget = {"budget_limit": round(_most(answer, name), 2), "time_period": "1mo"}
        found["provider_budget_config"] = {provider: dict(budget) for provider in providers}
    return found


def _most(answer: Answer, name: str) -> float:
    """The most that a vendor may charge in a month [USD]: the running budget, or the dearest month of the APIs."""
    lines = answer.lines[(answer.lines["option"] == name) & (answer.lines["place"] == PLACES[API])]
    dearest = float(lines.groupby("month")["usd"].sum().max()) if len(lines) else 0.0
    return max(dearest, float(answer.asked["budget_usd_per_month"]))


def _variables(option: Option, ways: dict[int, list[Endpoint]]) -> str:
    asked = {"LITELLM_MASTER_KEY": "key of the proxy itself, which starts with sk-"}
    for stream, ends in ways.items():
        for end in ends:
            if end.offer:
                _, settings, at = _gateway(option, stream, end.offer)
            else:
                settings, at = _settings(PLACES[end.place], "api_base api_key"), f"{PLACES[end.place]}, ends in /v1"
            asked |= {variable: f"{setting} of {at}" for setting, variable in settings.items()}
    return "".join(f"# {one_line(meaning)}\n{name}=\n" for name, meaning in asked.items())


def one_line(text: str) -> str:
    """A text from outside without line breaks or control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
