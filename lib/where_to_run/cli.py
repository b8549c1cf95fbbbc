"""The command line: where-to-run report | check-data."""

import argparse
import datetime
import sys
from pathlib import Path
from typing import Any

from . import evaluate, facts, scenario
from .facts import FactsError
from .paths import REPORTS
from .scenario import ScenarioError

REFUSED = 2
"""Exit code where the question or the facts cannot be used."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns 0, 1 where check-data found a problem, 2 where what was asked cannot be done."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ScenarioError, FactsError) as error:
        print(f"where-to-run: {error}", file=sys.stderr)
        return REFUSED
    except OSError as error:
        print(f"where-to-run: cannot write: {error}", file=sys.stderr)
        return REFUSED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="where-to-run", description="Where should a team run its LLM?")
    commands = parser.add_subparsers(required=True, metavar="command")
    report = commands.add_parser("report", help="answer one scenario: HTML page, notebook, decision.json")
    report.add_argument("--preset", default="", help=f"a story to start from: {', '.join(scenario.presets())}")
    report.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        dest="settings",
        help=f"change a field, as often as needed. Fields: {', '.join(scenario.BY_NAME)}",
    )
    report.add_argument("--facts", default="", metavar="CSV", help="overrides: table,key,column,value,source,note")
    report.add_argument("--as-of", default="", metavar="DAY", help="day whose prices hold, as 2026-11-22")
    report.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: reports/NAME)")
    report.set_defaults(run=_report)
    check = commands.add_parser("check-data", help="check every table and rule, and list what has gone stale")
    check.add_argument("--today", default=datetime.date.today().isoformat(), help="day to count ages from")
    check.set_defaults(run=_check_data)
    return parser


def _settings(texts: list[str]) -> dict[str, Any]:
    """Fields and values from `field=value` texts."""
    pairs = [text.partition("=") for text in texts]
    for name, equals, _ in pairs:
        if not equals:
            raise ScenarioError(f"--set {name!r}: write it as field=value, for example --set spikiness=8")
    return {name: scenario.parse(name, value) for name, _, value in pairs}


def _report(options: argparse.Namespace) -> int:
    changes = _settings(options.settings)
    rows = scenario.grid(options.preset, **changes)
    overrides = str(Path(options.facts).resolve()) if options.facts else ""
    answer = evaluate(rows, facts.load(options.as_of or None, overrides or None))

    from . import report

    # a number reaches the notebook as it was parsed, so both see the same scenario
    parameters = {"preset": options.preset, **changes, "facts_file": overrides, "as_of": options.as_of}
    folder = options.out or REPORTS / report.folder_name(
        options.preset, changes | {k: v for k, v in (("facts", overrides), ("as_of", options.as_of)) if v}
    )
    report.make(answer, parameters, folder)
    print(report.summary(answer))
    print(f"\n{folder / 'report.html'}")
    return 0


def _check_data(options: argparse.Namespace) -> int:
    from . import audit

    found = audit.problems()
    if not found:
        loaded = facts.load()
        old = facts.stale(loaded, options.today)
        counts = ", ".join(f"{len(rows)} {name}" for name, rows in loaded.tables.items())
        print(f"In force on {loaded.as_of}: {counts}, {len(loaded.rules['rules'])} rules.")
        print(
            f"Gone stale on {options.today}: {len(old)} facts." if len(old) else f"Nothing is stale on {options.today}."
        )
        if len(old):
            print(old.to_string(index=False))
    for problem in found:
        print(f"PROBLEM  {problem}")
    print("The tables are sound." if not found else f"{len(found)} problems.")
    return 1 if found else 0
