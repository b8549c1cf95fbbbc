"""The notebooks in JupyterLab as an analyst meets them: run all cells, move a slider, and the panels below follow."""

import json
import shutil

import pytest

import served
from browser import HEADLINE, check_answer, check_figures, spoken, truth, visitor, words
from where_to_run.app import controls
from where_to_run.app.board import sent
from where_to_run.inputs import question
from where_to_run.paths import NOTEBOOKS
from where_to_run.views import breakeven, hybrid

LAUNCH = """
import json, sys
from pathlib import Path
from where_to_run.app import server
folder, port = json.loads(sys.argv[1])
server.PROJECT = Path(folder)  # on copies: JupyterLab saves what it runs
server.lab(Path(folder) / "1_decide.ipynb", port, False, "")
"""
DECIDE = {"line": "bottom_line", "options": "options_table", "costs": "costs"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    for path in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(path, folder)
    port = served.free_port()
    arguments = ["-c", LAUNCH, json.dumps([str(folder), port])]
    with served._running(arguments, f"http://127.0.0.1:{port}/", "api/status", folder / "lab.log") as server:
        yield server


@pytest.fixture
def analyst(chromium, lab):
    """Somebody with a fresh browser; at the end nothing was asked elsewhere and nothing went wrong."""
    with visitor(chromium, lab.root, viewport={"width": 1600, "height": 1100}) as one:
        yield one


def run_all(analyst, notebook: str) -> None:
    """Open a notebook and run all its cells from the menu."""
    page = analyst.page
    page.goto(f"{analyst.root}lab/tree/{notebook}.ipynb?reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    panels = (NOTEBOOKS / f"{notebook}.ipynb").read_text().count("book.show(")
    everything = "number => document.querySelectorAll('.wtr-slot[data-rev]').length === number"
    page.wait_for_function(everything, arg=panels)
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    analyst.settled()


def line(analyst) -> str:
    """The recommendation as its cell says it."""
    return analyst.panel("bottom_line").evaluate("panel => panel.textContent")


def check_decide(analyst, **fields) -> None:
    check_answer(analyst, truth(question.grid(**fields)), line(analyst), "options_table", "costs")


def test_the_decide_notebook_follows_every_headline_slider_by_mouse_and_by_keyboard(analyst):
    run_all(analyst, "1_decide")
    check_decide(analyst)
    moved = {}
    for name, share in zip(HEADLINE, (0.75, 0.9, 0.1, 0.8), strict=True):
        with analyst.moving():
            analyst.drag(name, share)
        moved[name] = analyst.stop(name)
        assert moved[name] != question.BY_NAME[name].default
        check_decide(analyst, **moved)
    for name in HEADLINE:
        stops = controls.stops(question.BY_NAME[name])
        with analyst.moving():
            analyst.slider(name).press("ArrowLeft")
        moved[name] = stops[stops.index(moved[name]) - 1]
        assert analyst.stop(name) == moved[name]
    check_decide(analyst, **moved)
    with analyst.moving():
        analyst.page.select_option("#wtr-preset", "hospital")
    check_decide(analyst, preset="hospital")
    assert analyst.page.locator(".Toastify__toast, .jp-Notification-Toast").count() == 0
    assert analyst.page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0


@pytest.mark.parametrize(
    ("notebook", "panel", "pieces"),
    [("2_break_even", "decision_map", breakeven.decision_map), ("3_hybrid", "routes", hybrid.routes)],
)
def test_the_other_notebooks_follow_a_slider(analyst, notebook, panel, pieces):
    run_all(analyst, notebook)
    with analyst.moving():
        analyst.slider("requests_per_month").press("ArrowRight")
    answer = truth(question.grid(requests_per_month=analyst.stop("requests_per_month")))
    assert "".join(line(analyst).split()) == "".join(spoken(answer).split())
    drawn = pieces(answer)
    check_figures(analyst, panel, drawn)
    said = "".join(words(piece["html"]) for piece in sent(drawn) if "html" in piece)
    shown = "".join(analyst.panel(panel).evaluate("panel => panel.textContent").split())
    assert "".join(said.split()) in shown or not said
    assert analyst.page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0
    assert analyst.page.locator(".Toastify__toast, .jp-Notification-Toast").count() == 0
