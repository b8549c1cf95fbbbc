"""The report and the notebooks, run as a user runs them."""

import base64
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache
from html.parser import HTMLParser
from math import ceil
from pathlib import Path
from unittest import mock

import nbformat
import papermill
import pytest

from where_to_run.batch import report
from where_to_run.batch.report import to_html
from where_to_run.cli import main
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question
from where_to_run.paths import NOTEBOOKS
from where_to_run.views.titles import titles

BIN = Path(sys.executable).parent


def papermill_cli(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run([str(BIN / "papermill"), *arguments], cwd=cwd, capture_output=True, text=True, timeout=180)


class Loads(HTMLParser):
    """Everything a page would fetch, and the alternative texts of its pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fetched, self.pictures, self.scripts = [], [], 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.scripts += tag == "script"
        if tag != "a":
            self.fetched += [
                v for k, v in attrs if k in ("src", "href", "srcset", "data") and not v.startswith("data:")
            ]
        if tag == "img":
            self.pictures.append(given.get("alt", ""))


@pytest.fixture(scope="module")
def hospital(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports") / "hospital"
    assert main(["report", "--preset", "hospital", "--out", str(folder)]) == 0
    return folder


def test_a_report_is_three_files(hospital):
    assert sorted(path.name for path in hospital.iterdir()) == ["decision.json", "report.html", "report.ipynb"]


def test_the_page_loads_nothing_runs_nothing_and_describes_every_picture(hospital):
    page = (hospital / "report.html").read_text()
    loads = Loads(page)
    assert loads.fetched == [] and loads.scripts == 0
    assert "@import" not in page and "url(" not in page.split("</style>")[0]
    # the roadmap of the hospital never orders another step, so its picture of triggers is left out
    assert len(loads.pictures) == 16 and all(len(words) > 20 for words in loads.pictures)


CUT = (
    "at => [...document.querySelectorAll('.celltag_new-page')].slice(at).forEach((one) => {"
    + """
  while (one.nextElementSibling) one.nextElementSibling.remove();
  one.remove(); })"""
)
"""Takes away all that follows a place where a new sheet begins."""


def sheets(page):
    """Sheets of paper that a page takes."""
    return len(re.findall(rb"/Type /Page\b", page.pdf(prefer_css_page_size=True)))


@pytest.mark.parametrize("about", ["hospital", "own"])
def test_on_paper_it_is_one_sheet_then_eight_pages_at_most_then_the_sources(about, request, chromium):
    made = request.getfixturevalue(about)
    folder = made if about == "hospital" else made[0]
    page = chromium.new_page()
    page.goto((folder / "report.html").as_uri())
    whole = sheets(page)
    page.evaluate(CUT, 1)
    details = sheets(page) - 1
    page.evaluate(CUT, 0)
    said = page.locator("main").inner_text()
    assert sheets(page) == 1 and 1 <= details <= 8 < whole
    assert question.presets()["bank" if about == "own" else about]["title"] in said
    assert re.search(r"\b\d{1,2} \w+ 20\d\d\b", page.locator(".case").inner_text())
    page.close()


def test_a_report_holds_no_times_no_paths_and_no_random_names(hospital):
    notebook = nbformat.read(hospital / "report.ipynb", 4)
    assert "papermill" not in notebook.metadata and str(hospital) not in (hospital / "report.ipynb").read_text()
    assert [cell["id"] for cell in notebook.cells] == [f"cell-{number}" for number in range(len(notebook.cells))]


def test_the_page_shows_no_code(hospital):
    assert "from where_to_run" not in (hospital / "report.html").read_text()


def test_the_decision_agrees_with_evaluate(hospital):
    told = json.loads((hospital / "decision.json").read_text())
    answer = evaluate(question.grid("hospital"), facts.load())
    best = answer.options[answer.options["recommended"]].iloc[0]
    assert told["recommended"] == best["option"]
    costs = {row["option"]: row["usd_per_month"] for row in told["options"]}
    assert costs[best["option"]] == pytest.approx(best["usd_per_month"])
    lines = [row["usd_per_month"] for row in told["usd_per_month_by_line"] if row["option"] == best["option"]]
    assert sum(lines) == pytest.approx(best["usd_per_month"])
    worth = [row["usd_per_month"] for row in told["drawbacks"] if row["option"] == best["option"]]
    assert best["level_usd_per_month"] + sum(worth) == pytest.approx(best["generalised_usd_per_month"])


def test_the_page_names_the_rule_its_source_and_what_lifts_it(hospital):
    page = (hospital / "report.html").read_text()
    assert "confidential-data-needs-a-vendor-that-forgets" in page
    assert "https://eur-lex.europa.eu/eli/dir/2016/943/oj" in page and "Sign zero retention and no training" in page


SETTINGS = {"spikiness": 8.0, "sensitive_share": 0.6}
OVERRIDES = """\
table,key,column,value,source,note
api_offers,anthropic/claude-sonnet-5.5,output_usd_per_mtok,7,https://example.com/offer,our contract
gpus,h100,memory_gib,80,https://example.com/x,"<script>alert(1)</script>"
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A report of the bank with settings and overrides, the answer it is about, and what the terminal said."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "my.csv").write_text(OVERRIDES)
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    asked = ["--preset", "bank", *settings, "--facts", str(folder / "my.csv"), "--out", str(folder / "r")]
    with redirect_stdout(io.StringIO()) as told:
        assert main(["report", *asked]) == 0
    answer = evaluate(question.grid("bank", **SETTINGS), facts.load(overrides=folder / "my.csv"))
    return folder / "r", answer, told.getvalue()


def test_the_terminal_shows_a_line_for_every_option(own):
    folder, answer, told = own
    rows = [
        line for line in told.splitlines() if re.search(r"^  \S.*: (\$[\d,]+ a month, \w+|struck out by .+: .+)$", line)
    ]
    named = titles(answer)
    assert [sum(line.startswith(f"  {title}: ") for line in rows) for title in {*named.values()}] == [1] * len(rows)
    assert any(" a month, " in line for line in rows) and any("struck out" in line for line in rows)
    assert str(folder / "report.html") in told


def test_settings_and_overrides_reach_the_report(own):
    folder, _, _ = own
    told = json.loads((folder / "decision.json").read_text())
    assert told["scenario"]["sensitive_share"] == 0.6 and told["scenario"]["spikiness"] == 8
    assert told["facts"]["overrides"][0]["note"] == "our contract"
    assert "our contract" in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--set", "volume=3"], "no field 'volume'"),
        (["--set", "spikiness=many"], "not a number; allowed: 1.05 to 20"),
        (["--set", "spikiness=0.5"], "allowed: 1.05 to 20"),
        (["--set", "cached_share=1.2"], "allowed: 0 to 1 share"),
        (["--set", "growth_per_month=nan"], "allowed: -0.2 to 0.5"),
        (["--set", "spikiness"], "write it as field=value"),
        (["--set", "open_model=gpt-2"], "no 'gpt-2'"),
        (["--set", "regimes=hippa"], "Did you mean hipaa?"),
        (["--preset", "shop"], "no preset 'shop'"),
        (["--facts", "nowhere.csv"], "cannot read the override file"),
        (["--as-of", "yesterday"], "give a day as 2026-11-22"),
        (["--as-of", "2019-01-01"], "Ask for a later day"),
        (["--as-of", "2099-01-01"], "none holds beyond"),
        (["--facts", "/dev/zero"], "is no plain file"),
        (["--set", "spikiness=8", "--set", "spikiness=9"], "given twice"),
    ],
)
def test_a_bad_question_is_refused_in_words_and_leaves_nothing(asked, words, tmp_path, capsys):
    assert main(["report", *asked, "--out", str(tmp_path / "reports" / "r")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "reports").exists() or not list((tmp_path / "reports").iterdir())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["app", "--port", "0"], "--port: got '0'; allowed: 1 to 65,535"),
        (["lab", "--port", "65536"], "allowed: 1 to 65,535"),
        (["check-data", "--today", "x"], "--today: got 'x'; give a day as 2026-11-22"),
        (["sweep", "mine.yaml", "--workers", "-1"], "--workers: got '-1'; allowed: 1 to"),
        (["sweep", "mine.yaml", "--workers", "100000"], "--workers: got '100000'; allowed: 1 to"),
    ],
)
def test_an_option_that_cannot_be_is_refused_in_words(asked, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(asked)
    assert ended.value.code == 2 and words in capsys.readouterr().err


def test_a_report_that_fails_leaves_the_older_one_and_no_trace(hospital, monkeypatch):
    before = (hospital / "report.html").read_bytes()
    answer = evaluate(question.grid("hospital"), facts.load())
    with pytest.raises(papermill.PapermillExecutionError, match="no preset"):
        report.make(answer, {"preset": "shop"}, hospital)
    assert (hospital / "report.html").read_bytes() == before
    assert [path.name for path in hospital.parent.iterdir()] == ["hospital"]


def test_a_report_that_is_killed_leaves_nothing_beside_its_folder(tmp_path):
    def killed(*_, **__):
        assert list(tmp_path.iterdir()) == [], "something is written before the report is whole"
        raise KeyboardInterrupt

    with mock.patch("papermill.execute_notebook", side_effect=killed), pytest.raises(KeyboardInterrupt):
        report.make(evaluate(question.grid("hospital"), facts.load()), {}, tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert main(["report", "--out", str(tmp_path)]) == 2
    assert "holds other things than a report" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with mock.patch("where_to_run.cli.evaluate", side_effect=AssertionError("it was told after the work")):
        assert main(["report", "--out", str(tmp_path / "file" / "r")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_report_is_about_one_scenario(tmp_path):
    answer = evaluate(question.grid(spikiness=[2, 8]), facts.load())
    with pytest.raises(question.ScenarioError, match="one scenario; 2 were asked"):
        report.make(answer, {}, tmp_path / "r")


def test_names_from_outside_become_no_html_and_no_path(own):
    page = (own[0] / "report.html").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert report.folder_name("../../etc", {}) == "______etc"


@pytest.fixture(scope="module")
def by_papermill(tmp_path_factory):
    """Runs a notebook in a kernel by plain papermill, at a volume of its own, once; the notebook that comes of it."""

    @cache
    def run(name):
        folder = tmp_path_factory.mktemp("plain")
        asked = [str(NOTEBOOKS / f"{name}.ipynb"), "out.ipynb", "-p", "requests_per_month", "2e8"]
        done = papermill_cli(*asked, cwd=folder)
        assert done.returncode == 0, done.stderr
        return nbformat.read(folder / "out.ipynb", 4)

    return run


@pytest.mark.parametrize("name", ["report", "1_decide", "2_break_even", "3_hybrid"])
def test_a_notebook_runs_headless_under_plain_papermill(name, by_papermill):
    outputs = [o for cell in by_papermill(name).cells for o in cell.get("outputs", [])]
    shown = "".join(o.get("data", {}).get("text/html", "") for o in outputs)
    answer = evaluate(question.grid(requests_per_month=2e8), facts.load())
    # the page of the break-even names the budget that would open an option, without people who are there anyway
    bills = [answer.options.set_index("option").at["api", "usd_per_month"], *answer.options["running_usd_per_month"]]
    assert shown.count("<img") >= 3 and any(f"{ceil(bill):,}" in shown or f"{bill:,.0f}" in shown for bill in bills)
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]


def test_the_notebook_of_proofs_runs_headless_and_shows_both_studies(tmp_path):
    run = papermill_cli(str(NOTEBOOKS / "7_how_we_know.ipynb"), "out.ipynb", "-p", "preset", "bank", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    outputs = [o for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells for o in cell.get("outputs", [])]
    shown = "".join(o.get("data", {}).get("text/html", "") for o in outputs)
    assert shown.count("<img") == 3 and "18 figures. same: 17" in shown and "29 figures. same: 24" in shown
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]


def test_plain_papermill_stops_in_the_first_cell_with_words(tmp_path):
    run = papermill_cli(str(NOTEBOOKS / "report.ipynb"), "out.ipynb", "-p", "spikiness", "99", cwd=tmp_path)
    assert run.returncode != 0 and "allowed: 1.05 to 20" in run.stderr
    cells = [c for c in nbformat.read(tmp_path / "out.ipynb", 4).cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells if c.get("outputs") or c.execution_count][-1] <= 3


def test_papermill_lists_every_field_with_unit_and_meaning(tmp_path):
    told = papermill_cli("--help-notebook", str(NOTEBOOKS / "report.ipynb"), cwd=tmp_path).stdout
    flat = re.sub(r"\s+", " ", told)
    for field in question.FIELDS:
        assert field.name in flat and f"{field.unit}. {field.meaning}"[:60] in flat


def test_the_warm_engine_gives_what_a_real_kernel_gives(by_papermill, tmp_path):
    from where_to_run.batch import warm_engine

    warm = papermill.execute_notebook(
        str(NOTEBOOKS / "report.ipynb"),
        str(tmp_path / "out.ipynb"),
        {"requests_per_month": 2e8},
        kernel_name="python3",
        progress_bar=False,
        engine_name=warm_engine.NAME,
    )

    def plain(page):
        """The page with its pictures as text, without the random id of the cell papermill injects and clips counted."""
        page = re.sub('base64,([^"]+)', lambda found: base64.b64decode(found[1]).decode(), page)
        return re.sub("cell-id=[0-9a-f]+|clip[0-9]+", "", page)

    warm_page, kernel_page = to_html(warm, "t"), to_html(by_papermill("report"), "t")
    assert plain(warm_page) == plain(kernel_page)


def test_what_a_cell_prints_shows_and_breaks_on_stands_in_the_notebook_and_nothing_of_it_in_this_process(tmp_path):
    from where_to_run.batch import warm_engine

    before = sys.modules["__main__"], sys.stdout, sys.displayhook
    sources = ["import sys\nprint('said')\nprint('warned', file=sys.stderr)\n6 * 7", "1 / 0", "'never'"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(made, tmp_path / "in.ipynb")
    with pytest.raises(papermill.PapermillExecutionError, match="division by zero"):
        papermill.execute_notebook(
            str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"), engine_name=warm_engine.NAME, progress_bar=False
        )
    found = [c for c in nbformat.read(tmp_path / "out.ipynb", 4).cells if c.cell_type == "code"]
    first, second, third = found
    assert [(o.output_type, o.get("name")) for o in first.outputs] == [
        ("stream", "stdout"),
        ("stream", "stderr"),
        ("execute_result", None),
    ]
    assert first.outputs[0].text == "said\n" and first.outputs[2].data == {"text/plain": "42"}
    assert second.outputs[0].ename == "ZeroDivisionError" and third.outputs == []
    assert before == (sys.modules["__main__"], sys.stdout, sys.displayhook)
