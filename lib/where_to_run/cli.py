"""The command line: where-to-run report | kit | mcp | usage | sweep | app | lab | check-data | refresh."""

import argparse
import datetime
import getpass
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .decision.answer import Answer
from .decision.evaluate import evaluate
from .inputs import facts, question
from .inputs.log_formats import ROLES
from .inputs.question import ScenarioError
from .inputs.tables import FactsError, is_day
from .paths import DATA, NOTEBOOKS, REPORTS

REFUSED = 2
"""Exit code where the question or the facts cannot be used."""

STOPPED = 130
"""Exit code where somebody pressed Ctrl-C."""


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
    _add_question(report)
    report.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: reports/NAME)")
    report.set_defaults(run=_report)
    kit = commands.add_parser(
        "kit", help="what follows from the answer: routing, serving, monitoring, decision record, finance"
    )
    _add_question(kit)
    kit.add_argument("--out", type=Path, metavar="DIR", help="folder to write (default: reports/kit-NAME)")
    kit.set_defaults(run=_kit)
    mcp = commands.add_parser("mcp", help="answer programs over standard input and output (Model Context Protocol)")
    mcp.add_argument("--log", action="append", default=[], type=Path, metavar="FILE", help="a log that may be read")
    _add_facts(mcp)
    mcp.set_defaults(run=_mcp)
    usage = commands.add_parser("usage", help="say what a log or a usage export shows of a scenario")
    usage.add_argument("file", type=Path, metavar="FILE", help="CSV, JSON, JSON lines or Parquet")
    usage.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="WHAT=COLUMN",
        dest="columns",
        help=f"name a column, or several as a + b, where the layout is not known. What: {', '.join(ROLES)}",
    )
    usage.add_argument("--time-zone", default="UTC", help="of times that do not say theirs, as Europe/Berlin")
    usage.set_defaults(run=_usage)
    _add_sweep(commands)
    _add_servers(commands)
    check = commands.add_parser("check-data", help="check every table and rule, and list what has gone stale")
    today: dict[str, Any] = {"type": _day, "default": datetime.date.today().isoformat()}
    check.add_argument("--today", **today, help="day to count ages from")
    check.set_defaults(run=_check_data)
    refresh = commands.add_parser("refresh", help="compare prices of APIs with two public price maps that pip fetches")
    refresh.add_argument("--write", action="store_true", help="add the new rows to data/api_offers.csv")
    refresh.add_argument("--today", **today, help="day the prices were read")
    refresh.set_defaults(run=_refresh)
    return parser


def _add_question(command: argparse.ArgumentParser) -> None:
    """Add what asks for one scenario."""
    command.add_argument("--preset", default="", help=f"a story to start from: {', '.join(question.presets())}")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        dest="settings",
        help=f"change a field, as often as needed. Fields: {', '.join(question.BY_NAME)}",
    )
    _add_facts(command)


def _add_facts(command: argparse.ArgumentParser) -> None:
    """Add what says which facts hold."""
    command.add_argument("--facts", default="", metavar="CSV", help="overrides: table,key,column,value,source,note")
    command.add_argument("--as-of", default="", metavar="DAY", help="day whose prices hold, as 2026-11-22")


def _add_sweep(commands: Any) -> None:
    sweep = commands.add_parser("sweep", help="answer many scenarios, on this machine or a Dask cluster")
    sweep.add_argument("file", type=Path, metavar="FILE.yaml", help="what to sweep, as data/sweeps/example.yaml")
    sweep.add_argument(
        "--out", metavar="DIR", help="folder to write, or s3://..., gs://... (default: reports/sweep-FILE)"
    )
    sweep.add_argument("--scheduler", default="", metavar="tcp://HOST:8786", help="a Dask scheduler elsewhere")
    sweep.add_argument(
        "--workers", type=_workers, default=0, metavar="N", help="workers here (default: one for each processor)"
    )
    sweep.add_argument("--dry-run", action="store_true", help="say how many scenarios, and answer none")
    sweep.add_argument("--quiet", action="store_true", help="no progress bar")
    sweep.set_defaults(run=_sweep)


def _add_servers(commands: Any) -> None:
    """Add the commands that serve the workbook until Ctrl-C."""
    app = commands.add_parser("app", help="serve the workbook to browsers: no code is shown and none can be run")
    app.add_argument("--port", type=_port, default=8866, help="port of this machine to listen to (default: 8866)")
    app.add_argument("--base-url", default="/", metavar="/PATH/", help="path the app has behind a reverse proxy")
    app.add_argument("--kernels", type=int, default=8, metavar="N", help="visitors at once (default: 8)")
    secret = app.add_mutually_exclusive_group()
    secret.add_argument("--token", help="what visitors must know (or in $WHERE_TO_RUN_TOKEN)")
    secret.add_argument(
        "--password", action="store_true", help="ask for the token here, so that no list of processes has it"
    )
    app.add_argument("--no-browser", action="store_false", dest="browser", help="open no browser")
    app.set_defaults(run=_app)
    lab = commands.add_parser("lab", help="open a notebook in JupyterLab")
    lab.add_argument("notebook", nargs="?", type=Path, default=NOTEBOOKS / "1_decide.ipynb", help="notebook to open")
    lab.add_argument("--port", type=_port, default=8888, help="port of this machine to listen to (default: 8888)")
    lab.add_argument("--token", help="token to open it with (default: one is made up)")
    lab.add_argument("--no-browser", action="store_false", dest="browser", help="open no browser")
    lab.set_defaults(run=_lab)


def _settings(texts: list[str]) -> dict[str, Any]:
    """Fields and values from `field=value` texts."""
    found: dict[str, Any] = {}
    for name, equals, value in [text.partition("=") for text in texts]:
        if not equals:
            raise ScenarioError(f"--set {name!r}: write it as field=value, for example --set spikiness=8")
        if name in found:
            raise ScenarioError(f"--set {name} is given twice; give it once")
        found[name] = question.parse(name, value)
    return found


def _port(text: str) -> int:
    return _whole(text, 1, 65_535)


def _workers(text: str) -> int:
    return _whole(text, 1, 4 * (os.cpu_count() or 1))


def _whole(text: str, low: int, high: int) -> int:
    """A whole number of a range, or words for argparse."""
    if not text.isdecimal() or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}; allowed: {low} to {high:,}")
    return int(text)


def _day(text: str) -> str:
    if not is_day(text):
        raise argparse.ArgumentTypeError(f"got {text[:40]!r}; give a day as 2026-11-22")
    return text


def _asked(options: argparse.Namespace) -> tuple[Answer, dict[str, Any], str]:
    """The answer to one scenario, the parameters of a notebook that asks it, and a name for a folder of it."""
    changes = _settings(options.settings)
    rows = question.grid(options.preset, **changes)
    overrides = str(Path(options.facts).resolve()) if options.facts else ""
    known = facts.load(options.as_of or None, overrides or None)

    from .batch import report

    files = {"facts_file": overrides, "as_of": options.as_of}
    # a number reaches the notebook as it was parsed, so both see the same scenario
    answer = evaluate(rows, known)
    parameters = {"preset": options.preset, **changes, **files}
    return answer, parameters, report.folder_name(options.preset, changes | {k: v for k, v in files.items() if v})


def _report(options: argparse.Namespace) -> int:
    from .batch import report

    answer, parameters, name = _asked(options)
    folder = options.out or REPORTS / name
    report.make(answer, parameters, folder)
    print(report.summary(answer))
    print(f"\n{folder / 'report.html'}")
    return 0


def _kit(options: argparse.Namespace) -> int:
    from .batch import kit

    answer, _, name = _asked(options)
    print(kit.write(answer, options.out or REPORTS / f"kit-{name}") / kit.READ_ME)
    return 0


def _mcp(options: argparse.Namespace) -> int:
    from .batch import mcp_server

    mcp_server.server(facts.load(options.as_of or None, options.facts or None), options.log).run()
    return 0


def _usage(options: argparse.Namespace) -> int:
    from .inputs import log_hours
    from .inputs.usage import usage
    from .views import usage as page

    pairs = [text.partition("=") for text in options.columns]
    found = usage(log_hours.read(options.file, {name: column for name, _, column in pairs}, options.time_zone))
    for title, frame in page.told(found).items():
        print(f"{title}\n{frame.to_string(index=False)}\n")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from .batch import sweep, sweep_file

    out = options.out or str(REPORTS / f"sweep-{options.file.stem}")
    if options.dry_run:
        plan, _, _ = sweep_file.read(options.file)
        print(plan.words)
        return 0
    try:
        return sweep.run(options.file, out, options.scheduler, options.workers, options.quiet)
    except KeyboardInterrupt:
        print(f"\nStopped; what is done is in {out}. Run the same again to go on.", file=sys.stderr)
        return STOPPED


def _app(options: argparse.Namespace) -> int:
    from .app import server

    token = os.environ.get("WHERE_TO_RUN_TOKEN") if options.token is None else options.token
    if options.password:
        token = getpass.getpass("Password for visitors: ")
    if token is not None and not token.strip():
        print("where-to-run: an empty token or password would let everybody in; give one, or none", file=sys.stderr)
        return REFUSED
    return _served(
        lambda: server.app(
            server.Service(
                port=options.port,
                base_url=options.base_url,
                token=token or "",
                browser=options.browser,
                seats=options.kernels,
            )
        )
    )


def _lab(options: argparse.Namespace) -> int:
    from .app import server

    return _served(lambda: server.lab(options.notebook, options.port, options.browser, options.token))


def _served(run: Callable[[], None]) -> int:
    """0 once a server has stopped, 2 where it could not start."""
    from .app.server import ServeError

    try:
        run()
    except ServeError as error:
        print(f"where-to-run: {error}", file=sys.stderr)
        return REFUSED
    return 0


def _check_data(options: argparse.Namespace) -> int:
    from .analysis import data_check

    found = data_check.problems()
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


def _refresh(options: argparse.Namespace) -> int:
    from .batch.store import Store
    from .inputs import refresh

    found = refresh.proposed(options.today)
    new = sum(each.row is not None for each in found)
    print(refresh.words(found) or "The price maps have nothing new.")
    if new and options.write:
        Store(str(DATA)).write(f"{refresh.TABLE}.csv", refresh.extended(found))
    print(f"\n{new} new rows {'are in' if options.write else 'for'} data/{refresh.TABLE}.csv.", end=" ")
    print("Look at them, then run: where-to-run check-data" if options.write else "Nothing is written without --write.")
    return 0
