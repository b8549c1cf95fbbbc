"""A browser for the tests: Chromium that reaches one server and nothing else, and a visitor who reads and moves."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html import unescape

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

import get_browser
from where_to_run.app import controls
from where_to_run.decision.answer import Answer
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question
from where_to_run.inputs import share as the_share
from where_to_run.views import decide
from where_to_run.views.figure import Figure
from where_to_run.views.titles import titles

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
PATIENCE_MS = 90_000
HEADLINE = ("requests_per_month", "spikiness", "budget_usd_per_month", "capex_limit_usd")

SETTLED = """([before]) => {
  const boards = [...document.querySelectorAll(".wtr-board")];
  const board = boards.find((one) => !one.classList.contains("wtr-slot"));
  if (!board || !(+board.dataset.rev > before)) return false;
  const newest = (one) => one === board || +one.dataset.rev === +board.dataset.rev;
  return boards.every((one) => one.dataset.settled === "true" && newest(one));
}"""
STATE = """() => [document.body.innerText.slice(0, 300),
  ...[...document.querySelectorAll(".wtr-board")].map(({ dataset: d }) => [d.panel, d.rev, d.settled].join())]"""
DROPPED = """(slider) => {
  delete slider.dataset.dropped;
  slider.addEventListener("change", () => { slider.dataset.dropped = true; }, { once: true });
}"""
TABLE = """(table) => [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => ({
  text: cell.textContent.trim(), sort: cell.dataset.sort === undefined ? null : +cell.dataset.sort })))"""
PAINTED = """(canvas) => {
  const { width, height } = canvas;
  const dots = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
  return new Set(dots).size;
}"""


@contextlib.contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """The browser of this machine, with more flags; fails where there is none."""
    path = get_browser.find()
    assert path, get_browser.HELP
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        yield browser
        browser.close()


@dataclass
class Visitor:
    """A page, what it asked of other hosts, and what went wrong in it."""

    page: Page
    root: str
    elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    # on a machine that is busy for four seconds the widget manager gives up, and the page opens again by itself
    forgiven: list[str] = field(default_factory=lambda: ["widget model not found"])

    def open(self, path: str = "") -> "Visitor":
        """Open an address of the server and wait for the board."""
        self.page.goto(self.root + path)
        self.settled()
        return self

    def unharmed(self) -> None:
        """Fails where something was asked of another host or went wrong; what was found is told once."""
        elsewhere, errors = self.elsewhere[:], self.errors[:]
        self.elsewhere.clear()
        self.errors.clear()
        assert elsewhere == [], "the page asked other hosts"
        bad = [error for error in errors if not any(words in error for words in self.forgiven)]
        assert bad == [], f"errors in the page: {bad}"

    def afresh(self) -> None:
        """Go back to the default scenario on the first page."""
        self.tab("Decide")
        if self.page.locator("#wtr-preset").input_value():
            with self.moving():
                self.page.select_option("#wtr-preset", "")
        with self.moving():
            self.page.get_by_role("button", name="Reset").click()

    def rev(self) -> int:
        """Number of the state that is painted."""
        return int(self.page.locator(".wtr-board:not(.wtr-slot)").get_attribute("data-rev"))

    def settled(self, since: int = 0) -> None:
        """Wait until a state newer than `since` is painted on every board of the page."""
        try:
            self.page.wait_for_function(SETTLED, arg=[since], timeout=PATIENCE_MS)
        except TimeoutError as error:
            raise AssertionError(f"the page did not settle: {self.page.evaluate(STATE)}, {self.errors}") from error

    @contextlib.contextmanager
    def moving(self) -> Iterator[None]:
        """Do something that changes the scenario, and wait until the page shows the answer."""
        before = self.rev()
        yield
        self.settled(before)

    def slider(self, name: str):
        """The slider of a field."""
        return self.page.locator(f"input#wtr-{name}")

    def drag(self, name: str, share: float) -> None:
        """Take the knob of a slider with the mouse to a share of its length."""
        slider, knob = self.slider(name), 16
        at = int(slider.input_value()) / int(slider.get_attribute("max"))
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        # waits until the page lies still: what was painted last may have moved the slider
        slider.hover(position={"x": knob / 2 + at * (box["width"] - knob), "y": box["height"] / 2})
        box = slider.bounding_box()
        x = lambda part: box["x"] + knob / 2 + part * (box["width"] - knob)  # noqa: E731
        y = box["y"] + box["height"] / 2
        slider.evaluate(DROPPED)
        self.page.mouse.down()
        self.page.mouse.move(x((at + share) / 2), y, steps=3)
        self.page.mouse.move(x(share), y, steps=3)
        self.page.mouse.up()
        # a busy browser hears of the last moves some time after they were made: the slider says when it was let go
        self.page.wait_for_function("slider => slider.dataset.dropped", arg=slider.element_handle())

    def stop(self, name: str) -> float:
        """The value at which the slider of a field stands."""
        return controls.stops(question.BY_NAME[name])[int(self.slider(name).input_value())]

    def linked(self, rows, preset: str = "") -> None:
        """Wait until the page's address is the link to a scenario; it follows a moment after the answer."""
        query = the_share.query(question.changed(rows, preset), preset)
        self.page.wait_for_function("query => location.search.slice(1) === query", arg=query, timeout=5000)

    def bottom_line(self) -> str:
        """The recommendation as the page says it, with what opens by a click."""
        return one_line(self.page.locator("#wtr-bottom-line").text_content())

    def alert(self) -> str:
        """What the page says went wrong."""
        return self.page.locator("#wtr-alert").inner_text()

    def panel(self, name: str):
        """A panel of the page."""
        return self.page.locator(f"[data-panel={name}]")

    def table(self, panel: str) -> list[list[dict]]:
        """The cells of a panel's first table: what they show, and the figure they are sorted by."""
        return self.panel(panel).locator("table.wtr").first.evaluate(TABLE)

    def chart(self, panel: str, number: int = 0, dataset: str = "d0") -> list[dict]:
        """The rows that a chart of a panel is drawn from, in the page."""
        return self.panel(panel).locator("figure").nth(number).evaluate(f"figure => figure.wtrView.data('{dataset}')")

    def tab(self, name: str) -> None:
        """Turn to a page of the app and wait until it is whole."""
        self.page.get_by_role("tab", name=name).click()
        self.settled()


@contextlib.contextmanager
def visitor(browser: Browser, root: str, **context) -> Iterator[Visitor]:
    """A visitor with a fresh browser; at the end nothing was asked of another host and nothing went wrong."""
    fresh = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | context))
    page = fresh.new_page()
    page.set_default_timeout(PATIENCE_MS)
    one = Visitor(page, root)

    def guard(route) -> None:
        if route.request.url.startswith(root):
            route.continue_()
        else:
            one.elsewhere.append(route.request.url)
            route.abort()

    fresh.route(lambda url: not url.startswith(("data:", "blob:")), guard)
    fresh.route_web_socket(
        lambda url: not url.replace("ws://", "http://").startswith(root), lambda ws: one.elsewhere.append(ws.url)
    )
    page.on("pageerror", lambda error: one.errors.append(f"page error: {error}"))
    page.on("console", lambda message: message.type == "error" and one.errors.append(f"console: {message.text}"))
    try:
        yield one
        one.unharmed()
    finally:
        if not page.is_closed():
            page.goto("about:blank")  # leaves the page, which gives its seat back
        fresh.close()


def one_line(text: str) -> str:
    """Text with every run of white space as one blank."""
    return " ".join(unescape(text).split())


def words(html: str) -> str:
    """What HTML says."""
    return one_line(re.sub(r"<[^>]+>", " ", html))


KNOWN = cache(facts.load)


def truth(rows) -> Answer:
    """What evaluate says of rows."""
    return evaluate(rows, KNOWN())


def spoken(answer: Answer) -> str:
    """The recommendation in words."""
    return words(decide.bottom_line(answer).words)


def without_blanks(text: str) -> str:
    """Text without its white space, which HTML and a page set each in their own way."""
    return re.sub(r"\s+", "", text)


def check_page(seen: Visitor, preset: str = "", **fields) -> Answer:
    """The address and the answer are those of a scenario, which is given back answered."""
    rows = question.grid(preset, **fields)
    seen.linked(rows, preset)
    answer = truth(rows)
    check_answer(seen, answer)
    return answer


def check_answer(seen: Visitor, answer: Answer, line: str = "", options: str = "options", costs: str = "costs") -> None:
    """The recommendation, the table of options and the chart of costs are what evaluate says."""
    said = without_blanks(line or seen.bottom_line())
    assert said == without_blanks(spoken(answer)), f"the page says {said}, evaluate says {spoken(answer)}"
    shown, named = {cells[0]["text"]: cells for cells in seen.table(options)}, titles(answer)
    assert set(shown) == set(named.values())
    charted = {}
    for row in seen.chart(costs):
        charted[row["option"]] = charted.get(row["option"], 0) + row["usd"]
    for row in answer.options.to_dict("records"):
        cells, title = shown[named[row["option"]]], named[row["option"]]
        assert cells[1]["text"] == row["verdict"]
        if row["usd_per_month"] == row["usd_per_month"]:
            assert cells[2]["sort"] == pytest.approx(row["usd_per_month"])
            assert charted[title] == pytest.approx(row["usd_per_month"], abs=0.01)
            assert cells[3]["sort"] == pytest.approx(row["level_usd_per_month"])


def check_figures(seen: Visitor, panel: str, pieces) -> None:
    """Every chart of a panel is drawn, from the data that the pieces have."""
    expected = [piece for piece in pieces if isinstance(piece, Figure)]
    figures = seen.panel(panel).locator("figure")
    assert figures.count() == len(expected)
    for number, figure in enumerate(expected):
        assert figures.nth(number).locator("canvas").evaluate(PAINTED) > 5
        for dataset, columns in figure.data.items():
            rows = seen.chart(panel, number, dataset)
            names = [name for name in columns if name != "colour"]
            assert len(rows) == len(next(iter(columns.values()), []))
            for name in names:
                assert (
                    [row[name] for row in rows] == pytest.approx(columns[name], nan_ok=True)
                    if all_numbers(columns[name])
                    else [row[name] for row in rows] == columns[name]
                )


def all_numbers(values: list) -> bool:
    """Whether a column holds numbers only."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
