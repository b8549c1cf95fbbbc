"""The app as visitors meet it: Voila, a browser that reaches nothing else, and what it shows against `evaluate`."""

import csv
import io
import json
import os
import signal
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
import yaml
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

import served
from browser import HEADLINE, check_answer, check_figures, check_page, spoken, truth, visitor, without_blanks, words
from logbook import lines
from where_to_run.app import controls
from where_to_run.batch import report
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, log_hours, question
from where_to_run.inputs.usage import usage
from where_to_run.paths import NOTEBOOKS
from where_to_run.views import breakeven, decide, summary
from where_to_run.views.pages import PAGES, USAGE
from where_to_run.views.titles import distinct

PANELS = {section.name: section.panel for section in PAGES[USAGE]}

SCRIPT = "<img src=x onerror=window.ran=1><script>window.ran=1</script>"
FILES = ["Report (HTML)", "Answer (JSON)", "Lines (CSV)", "Scenario (YAML)"]
WRONG_FILES = {
    "garbage": (bytes(range(256)) * 9, "is not YAML"),
    "picture.png": (b"\x89PNG\r\n\x1a\n" + bytes(200), "is not YAML"),
    "bomb.yaml": (
        b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (c, c, c - 1, c - 1) for c in range(98, 122)),
        "YAML",
    ),
    "deep.yaml": (b"[" * 9000, "is not YAML"),
    "large.yaml": (b"# " + b"x" * 30_000, "larger than a scenario file"),
    "list.yaml": (b"- spikiness\n- 8\n", "holds no scenario"),
    "unknown.yaml": (f"fields:\n  '{SCRIPT}': 1\n".encode(), "no field"),
    "text.yaml": (f"fields:\n  spikiness: '{SCRIPT}'\n".encode(), "not a number"),
    f"{SCRIPT.replace('/', '')}.yaml": (b"x" * 30_000, "<img src=x"),
}
BAD_QUERIES = {
    "requests_per_month=many": "not a number",
    "spikiness=2&spikiness=3": "more than once",
    "regimes=" + "x" * 30_000: "are no scenario",
}
ANSWERED = """([line, before]) =>
  document.querySelector("#wtr-bottom-line").textContent.replace(/\\s+/g, "") === line
  && +document.querySelector(".wtr-board").dataset.rev > before"""
FOCUSED = """() => {
  const it = document.activeElement, style = getComputedStyle(it), box = it.getBoundingClientRect();
  return { body: it === document.body, id: it.id, text: it.textContent.trim().slice(0, 60),
    role: it.getAttribute("role"), tag: it.tagName.toLowerCase(),
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
    inside: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight };
}"""
AXE = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((n) => n.target + " " + n.failureSummary).join(" | ")}`)"""


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    with served.app(folder, seats=40, closed_s=10, cull_every_s=5) as server:
        yield server


@pytest.fixture
def guest(chromium, house):
    """A visitor with a fresh browser; at its end nothing was asked elsewhere and nothing went wrong."""
    with visitor(chromium, house.root) as one:
        yield one


@pytest.fixture(scope="module")
def open_page(chromium, house):
    with visitor(chromium, house.root) as one:
        yield one.open()


@pytest.fixture
def regular(open_page):
    """A visitor whose page is open already, at the default scenario: to open one anew takes as long as many moves."""
    open_page.afresh()
    yield open_page
    open_page.unharmed()


def test_every_headline_slider_moved_by_mouse_gives_the_answer_of_evaluate(regular):
    check_page(regular)
    told, moved = regular.bottom_line(), {}
    for name, share in zip(HEADLINE, (0.75, 0.9, 0.1, 0.8), strict=True):
        with regular.moving():
            regular.drag(name, share)
        moved[name] = regular.stop(name)
        assert moved[name] != question.BY_NAME[name].default
        answer = check_page(regular, **moved)
        check_figures(regular, "costs", decide.costs(answer))
    assert regular.bottom_line() != told


def test_every_headline_slider_moved_by_keyboard_gives_the_answer_of_evaluate(regular):
    moved = {}
    for name in HEADLINE:
        stops = controls.stops(question.BY_NAME[name])
        above = next(stop for stop in stops if stop > question.BY_NAME[name].default)
        keys = {"ArrowRight": above, "End": stops[-1], "ArrowLeft": stops[-2], "Home": stops[0]}
        for key, value in keys.items():
            with regular.moving():
                regular.slider(name).press(key)
            assert regular.stop(name) == value
            regular.linked(question.grid(**moved | {name: value}))
            said = regular.slider(name).get_attribute("aria-valuetext")
            assert said.startswith(controls.readout(question.BY_NAME[name], value))
        moved[name] = value
        check_page(regular, **moved)


def test_a_burst_of_key_presses_ends_at_the_last_value_and_an_even_newer_one_wins(regular):
    with regular.moving():
        for _ in range(25):
            regular.page.keyboard.press("ArrowRight") if _ else regular.slider("spikiness").press("ArrowRight")
    assert regular.stop("spikiness") == 5 + 25 * 0.25
    check_page(regular, spikiness=11.25)


def test_a_number_can_be_typed_and_one_that_is_refused_comes_back_as_it_was(regular):
    page = regular.page
    typed = {"requests_per_month": ("4.2 M", 4.2e6), "sensitive_share": ("35", 0.35), "spikiness": ("1,100e-2", 0)}
    for name, (text, value) in typed.items():
        box = page.locator(f"#wtr-{name}-typed")
        if value:
            with regular.moving():
                box.fill(text)
                box.press("Enter")
        else:
            box.fill(text)
            box.press("Enter")
            expect(page.locator("#wtr-alert")).to_contain_text("not a number")
            expect(box).to_have_value("5")
    check_page(regular, requests_per_month=4.2e6, sensitive_share=0.35)


def test_more_says_how_many_fields_stand_at_their_default(regular):
    more, rest = regular.page.locator(".wtr-more > summary"), sum(not f.ask for f in question.FIELDS)
    assert more.inner_text() == f"More: all {rest} at their default"
    with regular.moving():
        regular.page.select_option("#wtr-preset", "hospital")
    changed = sum(not question.BY_NAME[name].ask for name in question.changed(question.grid("hospital")))
    assert changed and more.inner_text() == f"More: {rest - changed} of {rest} at their default"


def test_how_sure_the_answer_is_follows_when_nothing_is_moved_for_a_moment(regular):
    expected = summary.sure(truth(question.grid(spikiness=5.25))).words
    with regular.moving():
        regular.slider("spikiness").press("ArrowRight")
    expect(regular.page.locator("#wtr-sure")).to_have_text(words(expected))


def open_groups(page) -> None:
    for group in page.locator("details.wtr-group").all():
        if group.get_attribute("open") is None:
            group.locator("> summary").click()


def test_every_control_that_is_no_slider_sets_its_field(regular):
    page = regular.page
    open_groups(page)
    chosen = {"latency": "interactive", "control": "own_tenancy", "customisation": "fine_tuning"}
    for name, value in chosen.items():
        with regular.moving():
            page.select_option(f"select#wtr-{name}", value)
    ticked = {"regimes": ["gdpr", "hipaa"], "evidence": ["baa"]}
    for name, keys in ticked.items():
        for key in keys:
            with regular.moving():
                page.locator(f"#wtr-{name} input[value={key}]").check()
    button = page.get_by_role("button", name="Move control up")
    with regular.moving():
        button.click()
    order = ["control", *(name for name in question.PRIORITIES if name != "control")]
    check_page(regular, **chosen, **ticked, priorities=order)
    assert "Change to the model fine_tuning" in page.locator("#wtr-changed").inner_text()
    assert page.evaluate("document.activeElement.textContent") == "↑"


def test_presets_and_reset_give_their_scenarios(regular):
    page = regular.page
    for name, story in question.presets().items():
        with regular.moving():
            page.select_option("#wtr-preset", name)
        check_page(regular, name)
        assert story["story"][:40] in page.inner_text(".wtr-story")
        assert "Nothing is changed" in page.inner_text("#wtr-changed")
    with regular.moving():
        regular.slider("spikiness").press("End")
    assert "Spikiness 20" in page.inner_text("#wtr-changed")
    check_page(regular, name, spikiness=20)
    with regular.moving():
        page.get_by_role("button", name="Reset").click()
    check_page(regular, name)
    with regular.moving():
        page.select_option("#wtr-preset", "")
    check_page(regular)


def test_the_link_opens_the_same_scenario_for_somebody_else(guest, chromium, house):
    page = guest.open("?preset=hospital&spikiness=8.1&regimes=gdpr,hipaa").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    with guest.moving():
        guest.slider("budget_usd_per_month").press("ArrowRight")
    fields = {"spikiness": 8.1, "regimes": ["gdpr", "hipaa"], "budget_usd_per_month": 2e5}
    check_page(guest, "hospital", **fields)
    page.get_by_role("button", name="Copy link").click()
    page.get_by_role("button", name="Copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    with visitor(chromium, house.root) as other:
        other.open(link.removeprefix(house.root))
        assert other.page.url == link and other.bottom_line() == guest.bottom_line()
        check_page(other, "hospital", **fields)
        assert other.slider("spikiness").get_attribute("aria-valuetext").startswith("8.1 ")
        assert other.page.locator("#wtr-regimes input:checked").count() == 2


def test_a_reload_keeps_the_scenario(guest):
    guest.open()
    with guest.moving():
        guest.slider("spikiness").press("Home")
    check_page(guest, spikiness=1.05)
    guest.page.reload()
    guest.settled()
    check_page(guest, spikiness=1.05)


def test_back_in_the_browser_goes_one_step_back(guest):
    guest.open("?utm_source=mail&spikiness=8")
    check_page(guest, spikiness=8)
    with guest.moving():
        guest.slider("spikiness").press("End")
    check_page(guest, spikiness=20)
    with guest.moving():
        guest.page.go_back()
    check_page(guest, spikiness=8)
    with guest.moving():
        guest.page.go_forward()
    check_page(guest, spikiness=20)


def test_two_visitors_at_once_do_not_see_each_others_scenario(guest, chromium, house):
    guest.open()
    with visitor(chromium, house.root) as other:
        other.open("?preset=bank")
        with guest.moving():
            guest.slider("requests_per_month").press("End")
        with other.moving():
            other.slider("spikiness").press("End")
        with guest.moving():
            guest.slider("budget_usd_per_month").press("End")
        check_page(guest, requests_per_month=1e10, budget_usd_per_month=1e8)
        check_page(other, "bank", spikiness=20)


def a_file(name: str, content: bytes) -> dict:
    return {"name": name, "mimeType": "application/yaml", "buffer": content}


def download(guest, name: str) -> bytes:
    with guest.page.expect_download(timeout=60_000) as coming:
        guest.page.get_by_role("button", name=name).click()
    return Path(coming.value.path()).read_bytes()


def test_every_download_holds_what_the_page_shows(guest, chromium, house, tmp_path):
    guest.open("?preset=hospital&spikiness=8.1&evidence=baa,dpa")
    answer = check_page(guest, "hospital", spikiness=8.1, evidence=["baa", "dpa"])
    rows = answer.scenarios
    made = {name: download(guest, name) for name in FILES}

    assert json.loads(made["Answer (JSON)"]) == json.loads(json.dumps(report.decision(answer)))

    months, sums = rows["horizon_months"].iloc[0], {}
    for line in csv.DictReader(io.StringIO(made["Lines (CSV)"].decode())):
        sums[line["option"]] = sums.get(line["option"], 0) + float(line["usd"]) / months
    costed = answer.options.dropna(subset=["usd_per_month"])
    assert sums == pytest.approx(dict(zip(costed["option"], costed["usd_per_month"], strict=True)))

    held = yaml.safe_load(made["Scenario (YAML)"])
    assert held == {"preset": "hospital", "fields": {"spikiness": 8.1, "evidence": "baa,dpa"}}
    with visitor(chromium, house.root) as other:
        other.open()
        with other.moving():
            other.page.set_input_files(
                "#wtr-load", {"name": "s.yaml", "mimeType": "", "buffer": made["Scenario (YAML)"]}
            )
        check_page(other, "hospital", spikiness=8.1, evidence=["baa", "dpa"])

    page = tmp_path / "report.html"
    page.write_bytes(made["Report (HTML)"])
    with visitor(chromium, page.as_uri()) as reader:  # whatever is asked beside the file itself counts as elsewhere
        reader.page.goto(page.as_uri())
        said = without_blanks(reader.page.locator("body").text_content())
        assert without_blanks(guest.bottom_line()) in said
        assert reader.page.locator("img").count() > 5
        assert reader.page.evaluate("[...document.images].every((one) => one.naturalWidth > 0)")


@pytest.mark.parametrize("query", BAD_QUERIES, ids=lambda query: query[:25])
def test_a_bad_link_is_told_in_words_and_the_default_scenario_stands(guest, query):
    guest.open(f"?{query}")
    assert "The link could not be followed" in guest.alert() and BAD_QUERIES[query] in guest.alert()
    assert guest.page.locator("#wtr-alert").get_attribute("role") == "alert"
    check_page(guest)
    with guest.moving():
        guest.slider("spikiness").press("End")
    assert guest.alert() == ""
    check_page(guest, spikiness=20)


def test_html_in_a_link_is_shown_as_text_and_runs_nothing(guest):
    bad = "%3Cimg%20src%3Dx%20onerror%3Dwindow.ran%3D1%3E%3Cscript%3Ewindow.ran%3D1%3C/script%3E"
    for query in (f"{bad}=1&theme={bad}", f"spikiness={bad}", f"preset={bad}"):
        guest.open(f"?{query}")
        assert "<img src=x" in guest.alert()
        assert guest.page.evaluate("window.ran") is None and guest.page.locator("img").count() == 0


def test_wrong_files_are_told_in_words_and_the_answer_stands(regular):
    page = regular.page
    with regular.moving():
        page.select_option("#wtr-preset", "bank")
    told = regular.bottom_line()
    for name, (content, said) in WRONG_FILES.items():
        page.set_input_files("#wtr-load", a_file(name, content))
        page.wait_for_function("document.querySelector('#wtr-alert').textContent")
        regular.settled()
        assert said in regular.alert(), name
        assert regular.bottom_line() == told
        with regular.moving():
            page.get_by_role("button", name="Reset").click()
        assert regular.alert() == ""
    check_page(regular, "bank")
    assert page.evaluate("window.ran") is None and page.locator("img").count() == 0


def test_html_in_the_facts_is_shown_as_text_and_runs_nothing(chromium, tmp_path):
    page = json.loads((NOTEBOOKS / "app.ipynb").read_text())
    overrides = tmp_path / "facts.csv"
    source = f"https://example.com/'><{SCRIPT.split('><')[1]}"
    overrides.write_text(
        f'table,key,column,value,source,note\nassumptions,people.benefits_share,value,0.31,"{source}","{SCRIPT}"\n'
    )
    for cell in page["cells"]:
        source = "".join(cell["source"])
        if "facts_file: str" in source:
            cell["source"] = source.replace('facts_file: str = ""', f"facts_file: str = {str(overrides)!r}")
    notebook = tmp_path / "app.ipynb"
    notebook.write_text(json.dumps(page))
    with served.app(tmp_path, notebook) as server, visitor(chromium, server.root) as one:
        one.open()
        one.tab("Sources")
        assert "<img src=x onerror=window.ran=1>" in one.panel("sources").text_content()
        assert one.page.evaluate("window.ran") is None
        assert one.page.locator("img").count() == 0
        held = download(one, "Answer (JSON)")
        assert json.loads(held)["facts"]["overrides"][0]["note"] == SCRIPT


def kernel_process(house, page) -> int:
    """Process of the kernel behind a page."""
    kernel = json.loads(page.locator("#jupyter-config-data").text_content())["kernelId"]
    return next(pid for pid in house.kernels() if f"kernel-{kernel}.json" in Path(f"/proc/{pid}/cmdline").read_text())


def test_a_kernel_killed_in_mid_session_is_told_and_the_page_opens_again_at_the_same_scenario(guest, house):
    page = guest.open("?preset=startup").page
    guest.forgiven = ["Failed to load resource", "WebSocket connection", "Failed to fetch"]
    with guest.moving():
        guest.slider("spikiness").press("End")
    told, url = guest.bottom_line(), f"{house.root}?preset=startup&spikiness=20"
    check_page(guest, "startup", spikiness=20)
    os.kill(kernel_process(house, page), signal.SIGKILL)
    with page.expect_navigation(timeout=60_000):
        guest.slider("budget_usd_per_month").press("End")
        page.locator("#wtr-alert", has_text="Your scenario is kept").wait_for(timeout=30_000)
        assert "session" in guest.alert() or "kernel" in guest.alert()
    guest.settled()
    assert page.url == url and guest.bottom_line() == told
    with guest.moving():
        guest.slider("spikiness").press("Home")
    check_page(guest, "startup", spikiness=1.05)


def test_the_slow_pages_say_that_they_work_and_a_slider_moved_meanwhile_is_answered_at_once(guest):
    page = guest.open().page
    page.get_by_role("tab", name="Break-even").click()
    page.locator(".wtr-progress", has_text="Working out this page").wait_for(state="visible")
    before = guest.rev()
    guest.slider("spikiness").press("End")
    expected = spoken(truth(question.grid(spikiness=20)))
    page.wait_for_function(ANSWERED, arg=[without_blanks(expected), before], timeout=5000)
    assert page.locator(".wtr-board").get_attribute("data-settled") == "false", "answered only when all was drawn"
    guest.settled(before)
    page.locator(".wtr-progress").wait_for(state="hidden")
    answer = truth(question.grid(spikiness=20))
    check_figures(guest, "along_spikiness", breakeven.along("spikiness")(answer))
    check_figures(guest, "map", breakeven.decision_map(answer))
    assert guest.table("what_would_it_take")


def test_every_other_page_shows_what_its_panels_make_of_the_answer(regular):
    with regular.moving():
        regular.page.select_option("#wtr-preset", "hospital")
    regular.tab("Hybrid")
    with regular.moving():
        regular.slider("spikiness").press("ArrowRight")
    answer = truth(question.grid("hospital", spikiness=4.25))
    for section in PAGES["Hybrid"]:
        check_figures(regular, section.name, section.panel(answer))
    assert without_blanks(regular.bottom_line()) == without_blanks(spoken(answer))
    regular.tab("Sources")
    asked = {cells[0]["text"]: cells[1]["text"] for cells in regular.table("asked")}
    assert set(asked) == {f.name for f in question.FIELDS} and asked["spikiness"] == "4.25"
    assert regular.panel("sources").locator("tbody tr").count() > 30
    regular.tab("Decide")
    check_answer(regular, answer)
    for section in PAGES["Decide"]:
        check_figures(regular, section.name, section.panel(answer))


def tabbed(page, at_most: int = 240) -> list[dict]:
    """Every element the Tab key comes to, until it leaves the page."""
    found = []
    for _ in range(at_most):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["body"]:
            break
        found.append(focused)
    return found


def test_the_tab_key_reaches_everything_on_the_decide_page_and_shows_where_it_is(guest):
    page = guest.open().page
    found = tabbed(page)
    assert len(found) < 240, "the Tab key does not leave the page"
    assert [f for f in found if not (f["seen"] and f["inside"])] == []
    ids = {f["id"] for f in found}
    assert {"wtr-preset", "wtr-reset", "wtr-tab-Decide", "wtr-load", "wtr-copy", "wtr-theme"} <= ids
    assert {f"wtr-{name}" for name in HEADLINE} <= ids
    assert set(FILES) <= {f["text"] for f in found}
    assert len([f for f in found if f["tag"] == "summary"]) >= 6 + len(distinct(truth(question.grid())))
    assert [f["id"] for f in found if f["role"] == "tab"] == ["wtr-tab-Decide"]


def focus(page, selector: str) -> None:
    """Come to an element by the Tab key alone."""
    for _ in range(240):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"the Tab key does not reach {selector}")


def test_the_whole_decide_page_works_from_the_keyboard(guest):
    page = guest.open().page
    press = page.keyboard.press
    focus(page, "#wtr-preset")
    with guest.moving():
        press("ArrowDown")
    check_page(guest, "bank")
    focus(page, "#wtr-spikiness")
    with guest.moving():
        press("End")
    focus(page, ".wtr-more > summary")
    press("Enter")
    focus(page, ".wtr-more .wtr-group > summary")
    press("Enter")
    focus(page, "#wtr-input_tokens")
    with guest.moving():
        press("PageUp")
    focus(page, "#wtr-tab-Decide")
    press("ArrowRight")
    guest.settled()
    assert page.evaluate("document.activeElement.id") == "wtr-tab-Break-even"
    assert page.locator("#wtr-sheet-Break-even").is_visible() and not page.locator("#wtr-sheet-Decide").is_visible()
    press("End")
    guest.settled()
    assert page.evaluate("document.activeElement.id") == "wtr-tab-Sources"
    press("Home")
    guest.settled()
    check_page(guest, "bank", spikiness=20, input_tokens=guest.stop("input_tokens"))

    focus(page, "[data-panel=options] th:nth-child(3) button")
    for key, order in (("Enter", sorted), ("Space", lambda values: sorted(values, reverse=True))):
        press(key)
        costs = [cells[2]["sort"] for cells in guest.table("options") if cells[2]["sort"] is not None]
        assert costs == order(costs) and len(costs) > 3
    assert page.locator("[data-panel=options] th:nth-child(3)").get_attribute("aria-sort") == "descending"

    focus(page, "[data-panel=options] details:not([data-key=figures]) > summary")
    press("Enter")
    opened = page.locator("[data-panel=options] details[open]")
    expect(opened).to_have_count(1)
    expect(opened).to_contain_text("read 20")
    key = opened.get_attribute("data-key")
    with guest.moving():
        guest.slider("requests_per_month").press("ArrowRight")
    assert page.locator("[data-panel=options] details[open]").get_attribute("data-key") == key
    costs = [cells[2]["sort"] for cells in guest.table("options") if cells[2]["sort"] is not None]
    assert costs == sorted(costs, reverse=True), "the order its reader chose is lost when a slider moves"

    focus(page, ".wtr-files button")
    with page.expect_download():
        focus(page, ".wtr-files button:nth-child(4)")
        press("Enter")


def test_axe_finds_no_serious_problem_light_or_dark_on_a_phone_or_a_projector(guest):
    page = guest.open().page
    open_groups(page)
    page.evaluate(AXE_SCRIPT)
    found = {}
    for tab in PAGES:
        guest.tab(tab)
        for scheme, width in product(("light", "dark"), (390, 1920)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(f"document.querySelector('.wtr-board').dataset.theme === '{scheme}'")
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found[tab, scheme, width, "wider than the screen"] = True
            if page.evaluate(AXE):
                page.wait_for_timeout(1000)  # a chart may be in the middle of being drawn for the new width
                if problems := page.evaluate(AXE):
                    found[tab, scheme, width] = problems
    assert found == {}


def test_the_reader_may_choose_dark_on_a_light_machine_and_it_stays_readable(guest):
    page = guest.open().page
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_function("document.querySelector('.wtr-board').dataset.theme === 'dark'")
    page.evaluate(AXE_SCRIPT)
    assert page.evaluate(AXE) == []
    page.reload()
    guest.settled()
    assert page.locator(".wtr-board").get_attribute("data-theme") == "dark"


def test_a_chart_keeps_its_drawing_while_a_slider_moves(regular):
    page = regular.page
    page.evaluate("window.before = [...document.querySelectorAll('[data-panel=costs] canvas')]")
    with regular.moving():
        regular.slider("spikiness").press("ArrowRight")
    assert page.evaluate("window.before.length === 2 && window.before.every((canvas) => canvas.isConnected)"), (
        "the charts of costs were made anew"
    )


def test_a_log_is_read_in_memory_and_used_in_the_workbook(guest, tmp_path):
    page = guest.open().page
    guest.tab("Your usage")
    assert "No log was read yet" in guest.panel("usage_fields").inner_text()
    times = pd.date_range("2026-03-02", periods=336, freq="h")
    rows = [[t, 180_000 if 8 <= t.hour < 20 else 60_000, 6e7, 6e6, SCRIPT] for t in times]
    log = lines(["t", "n", "in", "out", SCRIPT], *rows, *([["soon", 1, 1, 1, ""]] * 40_000))
    assert len(log) > 1 << 19
    page.set_input_files("#wtr-log", a_file(f"{SCRIPT.replace('/', '')}.csv", log))
    expect(page.locator("#wtr-alert")).to_contain_text("none of the layouts known by name")
    page.get_by_text("Its columns have other names").click()
    for name, column in {"time": "t", "requests": "n", "input": "in", "output": "out"}.items():
        page.locator(f".wtr-upload input[name={name}]").fill(column)
    page.set_input_files("#wtr-log", a_file("log.csv", log))
    expect(guest.panel("usage_read")).to_contain_text("time not understood")
    guest.settled()
    found = usage(log_hours.read(log, {"time": "t", "requests": "n", "input": "in", "output": "out"}))
    assert {cells[0]["text"]: cells[1]["sort"] for cells in guest.table("usage_read")}["Rows"] == 40_336
    for panel in ("usage_hours", "usage_week", "usage_curve"):
        check_figures(guest, panel, PANELS[panel](found))
    with guest.moving():
        page.locator("#wtr-use").click()
    guest.tab("Decide")
    rows = question.grid(**found.changes(question.grid().iloc[0]))
    guest.linked(rows)
    check_answer(guest, evaluate(rows, facts.load(), hours=found.hours))
    assert "do not have them" in page.inner_text("#wtr-changed")
    assert page.evaluate("window.ran") is None
