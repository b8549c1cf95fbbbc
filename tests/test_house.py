"""The house stands as designed: floors, definitions in one place, notebooks clean, environments agreeing."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

from where_to_run import scenario
from where_to_run.paths import DATA, NOTEBOOKS, PROJECT

LIB = PROJECT / "lib" / "where_to_run"
FLOORS = [
    ["units", "paths", "overrides"],
    ["scenario", "facts"],
    ["levers", "layouts"],
    ["demand", "serving", "throughput", "finance", "rules", "people", "fit", "routings", "programme", "risk"],
    ["ranking"],
    ["curves", "kinds", "sharing", "controls"],
    ["audit", "replicas", "staffing"],
    ["bills", "bursts"],
    ["vendor_api", "rented_gpus", "own_gpus"],
    ["hourly"],
    ["tiers", "own_base", "calls", "moves"],
    ["pools"],
    ["options"],
    ["search"],
    ["judgement", "reasons"],
    ["evaluate"],
    ["parts"],
    ["stages"],
    ["journey"],
    ["unlock", "breakeven", "frontier", "hybrid", "roadmap"],
    ["published", "simulation"],
    ["draws", "logfile"],
    ["uncertainty", "logs"],
    ["usage"],
    ["figures", "markup", "simple_rules"],
    ["behind", "bundle"],
    ["stakes"],
    ["charts"],
    ["panels", "maps", "hybrid_charts", "roadmap_charts", "doubt_charts"],
    ["provenance", "crossings", "mixing", "moving", "proofs", "doubt", "your_usage"],
    ["pages", "board", "upload", "warm", "kernels", "visitor"],
    ["report", "example", "visit", "refining"],
    ["takeaway", "serve"],
    ["lined", "sampling", "stores"],
    ["plan", "cluster"],
    ["tablefile", "identity"],
    ["planfile", "batch"],
    ["results", "reporter"],
    ["choosing", "findings", "hot"],
    ["sweep_charts", "sweep"],
    ["sweep_panels", "estimate"],
    ["workbook", "cli"],
    ["__main__"],
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}
# the one step within a floor of the plan
STEP = {("throughput", "serving")}
OWN_PARAMETERS = {"sweep", "6_your_usage"}
"""Notebooks about a file or a folder, and not about a scenario somebody sets field by field."""

NOTEBOOK_FILES = sorted(NOTEBOOKS.glob("*.ipynb"))


def imported(module: str) -> set[str]:
    """Modules of the package that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse((LIB / f"{module}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
    return found


def test_every_module_has_a_floor():
    assert {path.stem for path in LIB.glob("*.py")} - {"__init__"} == set(FLOOR)


@pytest.mark.parametrize("module", sorted(FLOOR))
def test_a_module_imports_only_from_floors_below(module):
    for other in imported(module):
        assert FLOOR[other] < FLOOR[module] or (module, other) in STEP, f"{module} imports {other}"


@pytest.mark.parametrize("module", [m for m, floor in FLOOR.items() if floor >= 2 and floor <= FLOOR["breakeven"]])
def test_formulas_and_questions_touch_no_file_clock_or_chance(module):
    source = (LIB / f"{module}.py").read_text()
    assert not re.search(r"\bopen\(|read_csv|read_text|datetime|\btime\.\w|random|\bos\.", source)


def test_no_module_is_longer_than_three_hundred_lines():
    long = {path.name: n for path in LIB.glob("*.py") if (n := len(path.read_text().splitlines())) > 300}
    assert not long


@pytest.mark.parametrize("path", NOTEBOOK_FILES, ids=lambda p: p.stem)
def test_a_notebook_is_an_essay_without_outputs_functions_or_long_cells(path):
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)
    body = [cell.source for cell in code if "parameters" not in cell.metadata.get("tags", [])]
    assert all(len(source.splitlines()) <= 8 for source in body)
    assert not any(re.search(r"^\s*(def|for|while) ", source, re.M) for source in body)
    assert cells[0].cell_type == "markdown" and cells[0].source.startswith("# ")


@pytest.mark.parametrize("path", [p for p in NOTEBOOK_FILES if p.stem not in OWN_PARAMETERS], ids=lambda p: p.stem)
def test_the_parameters_cell_is_the_one_the_question_defines(path):
    cells = nbformat.read(path, as_version=4).cells
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    assert tagged == [scenario.parameters_cell()], "run: make parameters"


def locked() -> dict[str, str]:
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lines)
    return {name.lower().replace("_", "-"): pin for name, pin in (line.split("==") for line in lines)}


def project() -> dict:
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())


def declared() -> list[Requirement]:
    asked = [*project()["project"]["dependencies"], *project()["dependency-groups"]["dev"]]
    return [Requirement(text) for text in asked]


def test_the_lock_pins_what_pyproject_asks_for():
    pins = locked()
    for requirement in declared():
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement


def test_what_is_installed_is_what_is_locked():
    pins = locked()
    assert {r.name: version(r.name) for r in declared()} == {r.name: pins[r.name.lower()] for r in declared()}


def test_environment_yml_installs_the_lock_and_the_python_pyproject_asks_for():
    asked = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    assert f"python {project()['project']['requires-python']}" in asked
    assert {"pip": ["-r requirements.lock", "--no-deps -e ."]} in asked and "pip" in asked


def test_every_package_that_is_imported_is_declared():
    names = {"yaml": "pyyaml", "vl_convert": "vl-convert-python", "IPython": "ipython"}
    known = {r.name.lower() for r in declared()} | {
        "packaging",
        "where-to-run",
        "toy",
        "served",
        "browser",
        "get-browser",
        "logbook",
        "headless",
    }
    for path in [*LIB.glob("*.py"), *(PROJECT / "tests").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            tops = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            tops += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            for top in {t.split(".")[0] for t in tops} - set(sys.stdlib_module_names) - {"where_to_run"}:
                assert names.get(top, top.replace("_", "-").lower()) in known, f"{path.name} imports {top}"


def test_no_file_names_a_registry_or_a_path_of_this_machine():
    files = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout.split()
    home, above = str(Path.home()), str(PROJECT.parent).rstrip("/") + "/"
    for name in files:
        text = (PROJECT / name).read_text(errors="ignore")
        assert home + "/" not in text and (above == "/" or above not in text), name
        assert not re.search(r"pypi\.org|files\.pythonhosted|registry\.npmjs", text) or name == "tests/test_house.py", (
            name
        )


def test_every_preset_is_a_story_with_valid_fields():
    stories = scenario.presets()
    assert {"startup", "hospital", "bank", "public_body", "research_lab", "software_company"} <= set(stories)
    for name, story in stories.items():
        assert set(story) == {"title", "story", "fields"} and story["story"].count(".") >= 2
        assert len(scenario.grid(name)) == 1
    assert all((DATA / "scenarios" / f"{name}.yaml").exists() for name in stories)
