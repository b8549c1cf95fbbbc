"""The house stands as designed: rooms in order, definitions in one place, notebooks clean, environments agreeing."""

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

from where_to_run.inputs import question, tables
from where_to_run.paths import DATA, NOTEBOOKS, PROJECT
from where_to_run.places import bill

LIB = PROJECT / "lib" / "where_to_run"
ROOMS = ("units", "paths", "formulas", "inputs", "places", "decision", "analysis", "views", "batch", "app", "cli")
"""In order: a file may use its own room, without a circle, and the rooms before it."""

CORE = ("units", "paths", "formulas", "inputs", "places", "decision")
ASIDE = (
    "formulas.lattice",
    "formulas.risk",
    "inputs.log_file",
    "inputs.log_formats",
    "inputs.log_hours",
    "inputs.log_times",
    "inputs.price_map",
    "inputs.refresh",
    "inputs.usage",
)
"""In rooms of the core, but not of it: the formulas of two pages, and the reading of logs and of price maps."""

MOST_CORE, MOST = 5_274, 15_100
"""Lines of code of the core, and of all; the goal of the core is 3,000."""

FILES = {path.relative_to(LIB).with_suffix("").as_posix().replace("/", "."): path for path in LIB.rglob("*.py")}
OWN_PARAMETERS = {"sweep", "6_your_usage"}
"""Notebooks about a file or a folder, and not about a scenario somebody sets field by field."""

NOTEBOOK_FILES = sorted(NOTEBOOKS.glob("*.ipynb"))


def room(module: str) -> str:
    return module.split(".")[0]


def imported(module: str) -> set[str]:
    """Files of the package that a file imports, wherever in it."""
    found, package = set(), module.split(".")[:-1]
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            for alias in node.names:
                name = ".".join(part for part in (*above, alias.name) if part)
                found.add(name if name in FILES else name.rpartition(".")[0])
    return found & set(FILES)


def reached(module: str) -> set[str]:
    """Files a file imports, and those they import."""
    found, asked = set(), [module]
    while asked:
        new = imported(asked.pop()) - found
        found |= new
        asked += new
    return found


def code_lines(path: Path) -> int:
    """Lines without docstrings, comments and blanks."""
    source = path.read_text()
    texts = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))
    told = {line for n in texts if isinstance(n.value.value, str) for line in range(n.lineno, (n.end_lineno or 0) + 1)}
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in told
        for number, line in enumerate(source.splitlines(), 1)
    )


def core() -> list[str]:
    return [m for m in FILES if room(m) in CORE and m not in ASIDE]


def test_every_file_is_in_a_room():
    assert {room(module) for module in FILES} == {*ROOMS, "__init__", "__main__"}


@pytest.mark.parametrize("module", sorted(m for m in FILES if room(m) in ROOMS))
def test_a_file_uses_its_own_room_and_those_below(module):
    for other in imported(module):
        assert ROOMS.index(room(other)) <= ROOMS.index(room(module)), f"{module} imports {other}"
    assert module not in reached(module), "a circle"


def test_no_file_takes_what_another_keeps_to_itself():
    for module, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.ImportFrom) and node.level else []
            assert not [name for name in names if name.startswith("_")], module


def test_no_file_reaches_into_what_objects_of_another_keep_to_themselves():
    asked, kept = [], set()
    for module, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and re.match("_[a-z]", node.attr):
                mine = ast.unparse(node.value) in ("self", "cls")
                kept |= {(module, node.attr)} if mine else set()
                asked += [] if mine else [(module, node)]
    ours = {name for _, name in kept}
    for module, node in asked:
        assert node.attr not in ours or (module, node.attr) in kept, f"{module} asks for {ast.unparse(node)}"


def test_the_core_is_small_and_stands_alone():
    slow = {
        "altair",
        "IPython",
        "ipykernel",
        "anywidget",
        "voila",
        "nbconvert",
        "dask",
        "distributed",
        "duckdb",
        "papermill",
    }
    for module in core():
        for node in ast.walk(ast.parse(FILES[module].read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not slow & {name.split(".")[0] for name in names}, module
    assert sum(code_lines(FILES[module]) for module in core()) <= MOST_CORE
    assert sum(map(code_lines, FILES.values())) <= MOST


@pytest.mark.parametrize("module", [m for m in FILES if room(m) in ("formulas", "places", "decision")])
def test_formulas_places_and_decisions_touch_no_file_clock_or_chance(module):
    assert not re.search(r"\bopen\(|read_csv|read_text|datetime|\btime\.\w|random|\bos\.", FILES[module].read_text())


ABOVE_PLACES = ROOMS[ROOMS.index("decision") :]
MAKERS = ("decision.staffing", "decision.option")
"""Where, above the places, formulas make cost lines and so name them."""


@pytest.mark.parametrize(
    "module", [m for m in FILES if room(m) in ROOMS[ROOMS.index("decision") :] and m not in MAKERS]
)
def test_who_makes_no_cost_line_lists_no_names_of_them_and_asks_for_none(module):
    """Lists are in data/lines.csv. A name may stand alone; `machines` and `servers` are tables too, and are let be."""
    names = set(bill.declared()) - set(tables.schema()["tables"])
    for node in ast.walk(ast.parse(FILES[module].read_text())):
        named = {n.value for n in ast.iter_child_nodes(node) if isinstance(n, ast.Constant) and n.value in names}
        assert not (isinstance(node, ast.Compare) and named), f"{module} asks for {named}"
        assert not (isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict) and len(named) > 1), (module, named)


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
    assert tagged == [question.parameters_cell()], "run: make parameters"


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
    names = {"yaml": "pyyaml", "vl_convert": "vl-convert-python", "IPython": "ipython", "docx": "python-docx"}
    known = {r.name.lower() for r in declared()} | {
        "packaging",
        "where-to-run",
        "toy",
        "drawn",
        "served",
        "browser",
        "get-browser",
        "logbook",
        "headless",
        "damaged",
        "compliance",
        "kits",
        "validators",
        "hostile",
    }
    for path in [*FILES.values(), *(PROJECT / "tests").rglob("*.py")]:
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
    stories = question.presets()
    assert {"startup", "hospital", "bank", "public_body", "research_lab", "software_company"} <= set(stories)
    for name, story in stories.items():
        assert set(story) == {"title", "story", "fields"} and story["story"].count(".") >= 2
        assert len(question.grid(name)) == 1
    assert all((DATA / "scenarios" / f"{name}.yaml").exists() for name in stories)
