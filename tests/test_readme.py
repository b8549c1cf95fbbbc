"""The README: what it prints to be typed or run does so as printed, but for clusters and what takes minutes."""

import re
import shlex
from pathlib import Path

import pytest

from where_to_run import cli
from where_to_run.batch import sweep_file
from where_to_run.inputs import facts, question
from where_to_run.paths import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")
CLUSTERS = ("dask_jobqueue", "dask_kubernetes")
"""Packages of the extras, which the tests go without."""


def snippets(language: str) -> list[str]:
    """The blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


COMMANDS = [line.partition(" #")[0].strip() for block in snippets("sh") for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_there_is(command):
    program, *arguments = shlex.split(command)
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)
        names = dict(argument.split("=", 1) for argument in arguments[1:])
        assert set(names) <= {"PRESET", "PARAMS", "FILE", "OUT", "PORT"}
        set_ = [f"--set={setting}" for setting in names.get("PARAMS", "").split()]
        arguments = ["report", "--preset", names.get("PRESET", ""), *set_] if arguments[0] == "report" else []
    elif program == ".venv/bin/papermill":
        notebook = next(argument for argument in arguments if argument.endswith(".ipynb"))
        assert (PROJECT / notebook).exists()
        arguments = []
    else:
        assert program == ".venv/bin/where-to-run"
    if arguments:
        options = cli._parser().parse_args(arguments)
        for setting in getattr(options, "settings", []):
            question.grid(**cli._settings([setting]))
        assert getattr(options, "preset", "") in ("", *question.presets())


def test_the_python_runs_as_printed_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hours = "\n".join(
        f"2026-03-{day:02d}T{hour:02d}:00:00,{1000 + hour},90" for day in range(2, 9) for hour in range(24)
    )
    Path("my.csv").write_text(f"when,tokens_in,tokens_out\n{hours}\n")
    names = {}
    for code in snippets("python"):
        compiled = compile(code, "README.md", "exec")
        if not any(package in code for package in CLUSTERS):
            exec(compiled, names)
    assert names["answer"].options["recommended"].any()


def test_the_facts_of_ones_own_and_the_sweep_are_read_as_printed(tmp_path):
    (block,) = [block for block in snippets("csv") if block.startswith("table,")]
    (tmp_path / "my.csv").write_text(block)
    assert len(facts.load(overrides=tmp_path / "my.csv").overrides) == len(block.splitlines()) - 1
    (block,) = snippets("yaml")
    (tmp_path / "mine.yaml").write_text(block)
    (tmp_path / "departments.csv").write_text("name,cached_share\nsales,0.2\nlegal,0.4\n")
    plan, _, _ = sweep_file.read(tmp_path / "mine.yaml")
    assert plan.size == 2 * 256 * 40 * 3
