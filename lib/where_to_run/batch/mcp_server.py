"""A server of the Model Context Protocol over standard input and output: questions in, answers as plain data out."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import pandas as pd
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from ..decision import prices
from ..decision.answer import Answer
from ..decision.evaluate import evaluate
from ..inputs import log_hours, question, usage
from ..inputs.facts import Facts
from ..inputs.question import ScenarioError
from ..inputs.tables import FactsError
from ..views.titles import titles

MOST = 20
"""Scenarios that are compared at once."""

Fields = dict[str, float | str | list[str]]
"""Fields of a question that differ from the preset's."""

SHOWN = (
    *("option", "verdict", "because", "unlock", "usd_per_month", "running_usd_per_month", "capex_usd", "npv_usd"),
    *("level_usd_per_month", "generalised_usd_per_month", "launch_weeks", "gpus", "hires", "rank", "recommended"),
)
"""Columns of the options that are told; `evaluate` says what they are."""

FIELDS = "Fields and what they allow: " + "; ".join(f"{f.name} ({f.allowed})" for f in question.FIELDS)


def server(facts: Facts, logs: Sequence[Path] = ()) -> MCPServer:
    """The server with its tools, over some facts; it reads no file but the logs named here, each by its file name."""
    made: MCPServer = MCPServer("where-to-run", instructions=f"Where should a team run its LLM? {FIELDS}")
    tools = Tools(facts, {path.name: path for path in logs})
    for tool in (tools.evaluate, tools.compare, tools.price_of_rules, tools.read_usage):
        made.add_tool(_refusing(tool))
    return made


class Tools:
    """What may be asked, over some facts and logs by name; money is in US dollars."""

    def __init__(self, facts: Facts, logs: Mapping[str, Path]) -> None:
        self.facts, self.logs = facts, logs

    def evaluate(self, preset: str = "", fields: Fields | None = None) -> dict[str, Any]:
        """Answer one scenario: the recommendation, and cost, verdict and reason of every option.

        `fields` are those that differ from the preset's, or from the defaults without one. Money is in US dollars.
        """
        answer = self._asked(preset, fields)
        told = answer.options.assign(title=answer.options["option"].map(titles(answer)))
        return {"as_of": self.facts.as_of, **_recommended(answer), "options": _records(told[["title", *SHOWN]])}

    def compare(self, scenarios: list[dict[str, Any]]) -> dict[str, Any]:
        """Answer up to 20 scenarios, each with `preset` and `fields`, and say what is recommended in each."""
        if not 1 <= len(scenarios) <= MOST:
            raise ScenarioError(f"{len(scenarios)} scenarios were asked; give 1 to {MOST}")
        for one in scenarios:
            if set(one) - {"preset", "fields"} or not isinstance(one.get("fields", {}), dict):
                raise ScenarioError(
                    f"a scenario is a `preset` and `fields`, each with its value; got {str(one)[:60]!r}"
                )
        told = [one | _recommended(self._asked(**one)) for one in scenarios]
        return {"as_of": self.facts.as_of, "scenarios": told}

    def price_of_rules(self, preset: str = "", fields: Fields | None = None) -> dict[str, Any]:
        """What a scenario would cost without a rule, a limit or a demand, or without two: a row each that saves."""
        answer = self._asked(preset, fields)
        return {"as_of": self.facts.as_of, **_recommended(answer), "prices": _records(prices.prices(answer))}

    def read_usage(self, file: str) -> dict[str, Any]:
        """The fields of a scenario as a log of requests shows them, with ranges; of the logs named at the start."""
        if file not in self.logs:
            raise ScenarioError(f"no log {file[:60]!r} is named; there are: {', '.join(self.logs) or 'none'}")
        found = usage.usage(log_hours.read(self.logs[file]))
        return {"fields": _records(found.fields), "counted": found.counted}

    def _asked(self, preset: str = "", fields: Fields | None = None) -> Answer:
        rows = question.grid(preset, **(fields or {}))
        if len(rows) != 1:
            raise ScenarioError(
                f"one scenario is answered at a time; {len(rows)} were asked. Give each field one value"
            )
        return evaluate(rows, self.facts)


def _refusing(tool: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A tool whose refusals reach who asks, word by word."""

    @wraps(tool)
    def asked(**given: Any) -> dict[str, Any]:
        try:
            return tool(**given)
        except (ScenarioError, FactsError) as error:
            raise ToolError(str(error)) from None

    return asked


def _recommended(answer: Answer) -> dict[str, Any]:
    """What is recommended, and at which cost; null where nothing is allowed."""
    best: Mapping[str, Any] = next((row for row in answer.rows if row["recommended"]), {})
    usd = best.get("usd_per_month")
    return {
        "recommended": best.get("option"),
        "title": titles(answer)[best["option"]] if best else None,
        "usd_per_month": usd if usd is None else float(usd),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data, null for what is not a number."""
    found: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=15))
    return found
