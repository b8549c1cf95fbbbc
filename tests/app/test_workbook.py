"""The workbook: what a visitor does becomes an answer, an error becomes words, slow panels are drawn aside."""

import asyncio
import contextlib
import logging
import threading
import time
from weakref import WeakKeyDictionary

import pandas as pd
import pytest

from browser import spoken, truth, without_blanks, words
from logbook import lines
from where_to_run.app import controls, downloads, server, workbook
from where_to_run.app.board import sent
from where_to_run.app.downloads import LARGEST
from where_to_run.app.workbook import Workbook
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, log_hours
from where_to_run.inputs.question import grid, presets
from where_to_run.inputs.usage import usage
from where_to_run.views import order, pages, rules_prices, summary
from where_to_run.views.pages import PAGES, REFINED, USAGE
from where_to_run.views.panel import Pieces
from where_to_run.views.usage import NOTHING

SCRIPT = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def known():
    return facts.load()


@pytest.fixture
def book(known):
    """A workbook with its controls and no panels, so that every message is answered at once."""
    made = Workbook(grid(), known)
    made.controls()
    return made


def say(book, kind: str, **more) -> dict:
    """Send what the page sends; the state that it gets."""
    book._heard(None, {"type": kind, "id": 7, **more}, None)
    return book.board.state


def asked(book) -> dict:
    return book.rows.iloc[0].to_dict()


def check(book, preset: str = "", **fields) -> None:
    """The state is that of a scenario, as evaluate answers it."""
    rows = grid(preset, **fields)
    state = book.board.state
    assert asked(book) == rows.iloc[0].to_dict() and state["preset"] == preset and state["message"] == ""
    assert without_blanks(words(state["bottom_line"])) == without_blanks(spoken(truth(rows)))


def test_a_move_is_answered_and_acknowledged(book):
    before = book.board.state["rev"]
    state = say(book, "move", values={"spikiness": 8.0, "regimes": ["hipaa", "gdpr"], "latency": "batch"})
    check(book, spikiness=8, regimes=["gdpr", "hipaa"], latency="batch")
    assert (state["rev"], state["ack"]) == (before + 1, 7)
    assert state["query"] == "spikiness=8&latency=batch&regimes=gdpr%2Chipaa"
    assert state["values"]["spikiness"] == {"value": 8.0, "text": "8 (one team)"}
    assert state["values"]["regimes"]["value"] == ["gdpr", "hipaa"]
    assert "Spikiness 8 (one team)" in state["changed"]


def test_moves_add_up_and_a_move_back_is_no_change(book):
    say(book, "move", values={"spikiness": 8.0})
    say(book, "move", values={"latency": "batch"})
    check(book, spikiness=8, latency="batch")
    state = say(book, "move", values={"spikiness": 5.0, "latency": "chat"})
    assert (state["query"], state["changed"]) == ("", "<p>Nothing is changed.</p>")


def test_a_preset_takes_the_place_of_what_was_changed_and_reset_goes_back_to_it(book):
    say(book, "move", values={"spikiness": 8.0})
    assert say(book, "preset", name="hospital")["query"] == "preset=hospital"
    check(book, "hospital")
    say(book, "move", values={"spikiness": 8.0})
    check(book, "hospital", spikiness=8)
    assert book.board.state["query"] == "preset=hospital&spikiness=8"
    say(book, "reset")
    check(book, "hospital")
    say(book, "preset", name="")
    check(book)


def test_a_move_to_a_default_that_a_preset_changes_is_a_change(book):
    say(book, "preset", name="hospital")
    say(book, "move", values={"regimes": [], "spikiness": 5.0})
    check(book, "hospital", regimes=[], spikiness=5)
    assert book.board.state["query"] == "preset=hospital&spikiness=5&regimes="
    book.visited("preset=hospital&spikiness=5&regimes=")
    check(book, "hospital", regimes=[], spikiness=5)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"type": "move", "values": {"spikiness": 999}}, "allowed: 1.05 to 20"),
        ({"type": "move", "values": {"spikiness": "many"}}, "not a number"),
        ({"type": "move", "values": {"nonsense": 1}}, "no field 'nonsense'"),
        ({"type": "move", "values": {SCRIPT: 1}}, "no field '<img"),
        ({"type": "move", "values": {"spikiness": [2, 3]}}, "give one value"),
        ({"type": "move", "values": {"regimes": ["castle"]}}, "no 'castle'"),
        ({"type": "move", "values": {"regimes": {"a": 1}}}, "give names"),
        ({"type": "move", "values": {"gpu": "abacus"}}, "no 'abacus'"),
        ({"type": "move", "values": 3}, pages.SORRY),
        ({"type": "move"}, pages.SORRY),
        ({"type": "preset", "name": "castle"}, "no preset 'castle'"),
        ({"type": "preset", "name": 3}, "give one name"),
        ({"type": "load", "name": "a.yaml", "text": "- 1"}, "holds no scenario"),
        ({"type": "load", "name": f"{SCRIPT}.yaml", "text": None}, "<img src=x onerror=alert(1)>.yaml is larger"),
        ({}, pages.SORRY),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_told_in_words_and_the_answer_stands(book, message, said):
    say(book, "move", values={"spikiness": 8.0})
    before = book.board.state
    book._heard(None, {"id": 8} | message, None)
    after = book.board.state
    assert said in after["message"] and "Traceback" not in after["message"]
    assert after == before | {"message": after["message"], "ack": 8}
    say(book, "move", values={"latency": "batch"})
    check(book, spikiness=8, latency="batch")


@pytest.mark.parametrize("message", [{"type": "nonsense"}, {"type": "tab", "name": "castle"}])
def test_an_unknown_message_changes_nothing(book, message):
    before = book.board.state
    book._heard(None, {"id": 8} | message, None)
    assert book.board.state == before | {"ack": 8}


def test_a_link_is_followed_and_a_bad_one_told(book):
    book.visited("preset=bank&spikiness=8")
    check(book, "bank", spikiness=8)
    book.visited("")
    check(book, "bank", spikiness=8)
    book.visited(f"preset={SCRIPT}")
    assert book.board.state["message"].startswith("The link could not be followed. no preset '<img")
    assert asked(book) == grid("bank", spikiness=8).iloc[0].to_dict()


def test_a_scenario_file_is_loaded(book):
    say(book, "load", name="s.yaml", text="preset: hospital\nfields:\n  spikiness: 8\n")
    check(book, "hospital", spikiness=8)


def test_nothing_that_is_shown_of_a_scenario_is_html_from_outside(book):
    state = say(book, "move", values={"api_model": "anthropic/claude-sonnet-5.5", "regimes": [SCRIPT]})
    assert "<img" in state["message"]  # the page sets it as text
    assert "<img" not in state["changed"] + state["bottom_line"]
    assert "&lt;" in controls.told({"regimes": SCRIPT})


def test_a_panel_that_fails_becomes_words_and_the_others_stand(known, caplog):
    def broken(answer):
        raise ZeroDivisionError("an inner detail")

    book = Workbook(grid(), known)
    with caplog.at_level(logging.ERROR), contextlib.redirect_stdout(None):
        book.show(broken)
        book.show(rules_prices.price_of_rules)
    assert book._slots["panel 0"].content["pieces"] == [{"html": f"<p role='alert'>{pages.SORRY}</p>"}]
    assert "Light quality in place of medium" in book._slots["panel 1"].content["pieces"][0]["html"]
    assert "an inner detail" in caplog.text


def test_an_answer_that_fails_is_told_and_the_last_one_stands(book, monkeypatch, caplog):
    def broken(*_):
        raise ZeroDivisionError("an inner detail")

    before = book.board.state
    monkeypatch.setattr(workbook, "evaluate", broken)
    say(book, "move", values={"spikiness": 8.0})
    assert book.board.state == before | {"message": pages.SORRY, "ack": 7}
    assert "an inner detail" in caplog.text


def test_panels_in_cells_follow_the_controls(known):
    book = Workbook(grid(), known)
    book.controls()
    with contextlib.redirect_stdout(None):
        book.show(order.explained)
    slot = book._slots["panel 0"]
    book._seconds["panel 0"] = 0.0
    first = slot.content
    say(book, "move", values={"requests_per_month": 1e9})
    assert slot.content["rev"] == first["rev"] + 1 == book.board.state["rev"]
    assert slot.content["name"] == "explained" and slot.content["pieces"] != first["pieces"]
    assert slot.content["pieces"] == sent(order.explained(truth(grid(requests_per_month=1e9))))


def test_charts_go_ahead_of_words_and_what_takes_many_scenarios_comes_last(known):
    async def move():
        book = Workbook(grid(), known)
        board, told, aside = book.app(), [], ["price_of_rules", "assurance"]
        board.observe(lambda change: told.append((set(board.panels["parts"]), change["new"]["more"])), "state")
        book._seconds = dict.fromkeys(book._seconds, 0.0)
        say(book, "move", values={"requests_per_month": 1e9})
        (charts, more), (words, still_more) = told
        assert charts == {"costs", "order", "sizing"} and more
        assert words == {s.name for s in PAGES["Decide"]} - charts - {*aside} and not still_more
        assert board.state["rev"] == book._rev and board.state["pending"] == aside
        await until(lambda: not board.state["pending"])
        assert [parts for parts, _ in told[-2:]] == [{name} for name in aside]

    asyncio.run(move())


class Slow:
    """A panel that takes as long as a test wants, and says which scenarios it drew."""

    def __init__(self):
        self.drawn, self.go, self.begun = [], threading.Event(), threading.Event()

    def __call__(self, answer):
        self.begun.set()
        assert self.go.wait(10)
        self.drawn.append(float(answer.scenarios["spikiness"].iloc[0]))
        return Pieces([f"<p>{self.drawn[-1]}</p>"])


@pytest.fixture
def slow(monkeypatch):
    """A first page with one slow panel."""
    panel = Slow()
    page = (PAGES["Decide"][0]._replace(name="slow", panel=panel),)
    monkeypatch.setitem(PAGES, "Decide", page)
    monkeypatch.delitem(REFINED, summary.sure)
    return panel


def app(known, slow):
    """An app whose page has been drawn once, slowly."""
    slow.go.set()
    book = Workbook(grid(), known)
    book.app()
    book._seconds["slow"] = 1.0
    slow.drawn.clear()
    slow.begun.clear()
    slow.go.clear()
    return book


async def until(condition):
    """Let the loop turn until something holds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.005)


def test_what_is_sent_while_a_move_is_answered_acknowledges_only_what_came_before(book, monkeypatch):
    """Or the page takes it for the answer, and sets the slider back under the visitor's hand."""
    say(book, "move", id=1, values={"spikiness": 8.0})
    meanwhile = []

    def answered(*asked):
        book._say()
        meanwhile.append(book.board.state)
        return evaluate(*asked)

    monkeypatch.setattr(workbook, "evaluate", answered)
    then = say(book, "move", id=2, values={"spikiness": 9.0})
    assert [(s["ack"], s["values"]["spikiness"]["value"]) for s in [*meanwhile, then]] == [(1, 8.0), (2, 9.0)]


def test_a_slow_panel_is_drawn_aside_and_the_bottom_line_does_not_wait_for_it(known, slow):
    async def move():
        book = app(known, slow)
        say(book, "move", values={"spikiness": 8.0})
        check(book, spikiness=8)
        assert book.board.state["pending"] == ["slow"] and book.board.panels["parts"] == {}
        slow.go.set()
        await until(lambda: not book.board.state["pending"])
        assert book.board.panels["parts"] == {"slow": [{"html": "<p>8.0</p>"}]}

    asyncio.run(move())


def test_panels_that_share_one_roadmap_are_drawn_aside_however_quick_they_were(book):
    async def move():
        book._seconds.update(dict.fromkeys((section.name for section in PAGES["Roadmap"]), 0.001))
        seen = []
        book.board.observe(lambda change: seen.extend(change["new"]["parts"].get("what_to_do", [])), "panels")
        say(book, "tab", name="Roadmap")
        assert book.board.state["pending"] == [section.name for section in PAGES["Roadmap"]]
        await until(lambda: not book.board.state["pending"])
        assert any("Begin with" in piece.get("html", "") for piece in seen)

    asyncio.run(move())


def test_what_was_asked_meanwhile_is_drawn_and_what_became_stale_is_dropped(known, slow):
    async def move():
        book = app(known, slow)
        seen = []
        book.board.observe(lambda change: seen.extend(change["new"]["parts"].get("slow", [])), "panels")
        say(book, "move", values={"spikiness": 6.0})
        await until(slow.begun.is_set)
        for spikiness in (7.0, 8.0, 9.0):
            say(book, "move", values={"spikiness": spikiness})
        slow.go.set()
        await until(lambda: not book.board.state["pending"])
        assert slow.drawn == [6.0, 9.0], "moves overtaken while another was drawn need no drawing"
        assert seen == [{"html": "<p>9.0</p>"}], "a stale panel was shown"

    asyncio.run(move())


def test_a_slow_panel_of_a_page_left_meanwhile_is_not_shown(known, slow):
    async def leave():
        book = app(known, slow)
        say(book, "move", values={"spikiness": 8.0})
        await until(slow.begun.is_set)
        say(book, "tab", name="Sources")
        assert "slow" not in book.board.state["pending"]
        slow.go.set()
        await until(lambda: slow.drawn)
        await until(lambda: not book.board.state["pending"])
        assert set(book.board.panels["parts"]) <= {section.name for section in PAGES["Sources"]}
        say(book, "tab", name="Decide")
        assert slow.drawn == [8.0], "what is drawn already is not drawn again"
        assert book.board.panels["parts"] == {"slow": [{"html": "<p>8.0</p>"}]}

    asyncio.run(leave())


@pytest.fixture
def refined(monkeypatch):
    """A first page whose panel shows a figure that is made finer, at the tester's word; nobody need be calm."""
    go, fine = threading.Event(), WeakKeyDictionary()

    def rough(answer):
        return Pieces([fine.get(answer, "rough")])

    def finer(answer, tell):
        for share in range(100):
            tell(share / 100)
            if go.wait(0.02):
                fine[answer] = f"fine at {answer.scenarios['spikiness'].iloc[0]}"
                return

    monkeypatch.setattr(workbook, "CALM", 0.0)
    monkeypatch.delitem(REFINED, summary.sure)
    monkeypatch.setitem(REFINED, rough, finer)
    monkeypatch.setitem(PAGES, "Decide", (PAGES["Decide"][0]._replace(name="refined", panel=rough),))
    return go


def shown(book) -> str:
    return book._kept["refined"][0]


def test_an_answer_is_shown_at_once_and_made_finer_with_progress(known, refined):
    async def move():
        book = Workbook(grid(), known)
        book.app()
        say(book, "move", values={"spikiness": 8.0})
        await until(lambda: book.board.state["busy"].startswith("Making the figures finer: "))
        assert shown(book) == "rough"
        refined.set()
        await until(lambda: not book.board.state["busy"] and not book.board.state["pending"])
        assert shown(book) == "fine at 8.0" and book.board.panels["parts"] == {"refined": [{"html": "fine at 8.0"}]}

    asyncio.run(move())


def test_how_sure_the_answer_is_is_told_when_it_is_worked_out_and_not_of_an_older_one(known, monkeypatch):
    monkeypatch.setattr(workbook, "CALM", 0.0)

    async def move():
        book = Workbook(grid(), known)
        book.controls()
        say(book, "ready")
        assert book.board.state["sure"] == workbook.SOON
        await until(lambda: book.board.state["sure"] != workbook.SOON)
        assert book.board.state["sure"] == summary.sure(book.answer).words and not book.board.state["busy"]
        assert say(book, "move", values={"spikiness": 9.0})["sure"] == workbook.SOON

    asyncio.run(move())


def test_what_is_made_finer_ends_when_something_newer_is_asked(known, refined):
    async def move():
        book = Workbook(grid(), known)
        book.app()
        say(book, "move", values={"spikiness": 8.0})
        await until(lambda: book.board.state["busy"])
        stale = book.answer
        say(book, "move", values={"spikiness": 9.0})
        assert not book.board.state["busy"]
        await until(lambda: book.board.state["busy"])
        refined.set()
        await until(lambda: "refined" in book._kept and shown(book) == "fine at 9.0")
        assert PAGES["Decide"][0].panel(stale) == ["rough"]

    asyncio.run(move())


def test_a_page_left_meanwhile_shows_the_finer_answer_when_opened_again(known, refined):
    async def move():
        book = Workbook(grid(), known)
        book.app()
        say(book, "move", values={"spikiness": 8.0})
        await until(lambda: book.board.state["busy"])
        say(book, "tab", name="Sources")
        refined.set()
        await until(lambda: not book.board.state["busy"])
        say(book, "tab", name="Decide")
        await until(lambda: "refined" in book._kept)
        assert shown(book) == "fine at 8.0"

    asyncio.run(move())


def test_what_cannot_be_made_finer_stays_as_it_is_and_is_told_to_the_log(known, refined, monkeypatch, caplog):
    def broken(answer, tell):
        raise RuntimeError("inner detail")

    async def move():
        book = Workbook(grid(), known)
        book.app()
        monkeypatch.setitem(REFINED, PAGES["Decide"][0].panel, broken)
        say(book, "move", values={"spikiness": 8.0})
        await until(lambda: "inner detail" in caplog.text)
        await asyncio.sleep(0.05)
        assert shown(book) == "rough" and not book.board.state["busy"]

    asyncio.run(move())


def test_a_file_is_made_aside_and_handed_over(book):
    handed = []

    async def fetch():
        book.board.hand = lambda *file: handed.append(file)
        state = say(book, "download", name="scenario")
        assert "Scenario (YAML)" in state["busy"]
        await until(lambda: handed)
        assert book.board.state["busy"] == ""

    asyncio.run(fetch())
    assert handed == [("where-to-run-default.yaml", "application/yaml", b"preset: ''\nfields: {}\n")]


def test_a_file_that_cannot_be_made_is_told_in_words(book, monkeypatch, caplog):
    def broken(*_):
        raise OSError("an inner detail")

    async def fetch():
        monkeypatch.setattr(downloads, "make", broken)
        say(book, "download", name="report")
        await until(lambda: book.board.state["message"])

    asyncio.run(fetch())
    told = book.board.state["message"]
    assert "could not be made: Report (HTML)" in told and "inner detail" not in told and "inner detail" in caplog.text


def test_the_app_shows_every_page_of_the_plan(known):
    question = Workbook(grid(), known).app().question
    names = ["Decide", "Break-even", "Hybrid", "Uncertainty", "Roadmap", "Your usage", "Sources"]
    assert [tab["name"] for tab in question["tabs"]] == names
    names = [section["name"] for tab in question["tabs"] for section in tab["sections"]]
    assert len(names) == len(set(names)) > 10
    assert [preset["name"] for preset in question["presets"]] == ["", *presets()]
    assert all(section["title"] for tab in question["tabs"] for section in tab["sections"])


def test_outside_voila_there_is_no_link(monkeypatch):
    monkeypatch.delenv("VOILA_BASE_URL", raising=False)
    assert server.link_query() == ""


def give(book, content: bytes, name: str = "log.csv", part: int = 1 << 20, **asked) -> None:
    """Send a log in parts, as the page does."""
    asked = {"columns": {}, "zone": ""} | asked
    for at in range(0, max(1, len(content)), part):
        message = {"type": "usage", "id": 7, "name": name, "size": len(content), "at": at, **asked}
        book._heard(None, message, [content[at : at + part]])


async def read_log(book, content: bytes, **how) -> None:
    """Send a log and wait until it was read."""
    give(book, content, **how)
    await until(lambda: book.board.state["busy"] == "" and not book.board.state["pending"])


def two_weeks() -> bytes:
    """An export of two weeks: 60,000 requests an hour by night, 180,000 by day, with prompts of 500 tokens."""
    times = pd.date_range("2026-03-02", periods=336, freq="h")
    counts = [180_000 if 8 <= t.hour < 20 else 60_000 for t in times]
    return lines(["t", "n", "in", "out"], *([t, n, 500 * n, 50 * n] for t, n in zip(times, counts, strict=True)))


NAMED = {"columns": {"time": "t", "requests": "n", "input": "in", "output": "out"}}


def test_a_log_that_was_read_is_used_with_its_hours_until_the_spikiness_is_moved(known):
    async def use():
        book = Workbook(grid("bank"), known, "bank")
        book.app()
        say(book, "tab", name=USAGE)
        await until(lambda: not book.board.state["pending"])
        assert all(book._kept[section.name] == NOTHING for section in PAGES[USAGE])
        await read_log(book, two_weeks(), part=1000, **NAMED)
        assert book.board.state["message"] == "" and "p99" in book._kept["usage_fields"].words
        assert asked(book) == grid("bank").iloc[0].to_dict(), "reading alone changes nothing"
        state = say(book, "use")
        # by hand: a mean of 120,000 an hour is 87.6 million in 730 hours; p99 over mean is 180 over 120
        found = {"requests_per_month": 87.6e6, "spikiness": 1.5, "input_tokens": 500.0, "output_tokens": 50.0}
        rows = grid("bank", **found)
        assert asked(book) == rows.iloc[0].to_dict() and "not have them" in state["changed"]
        truth_measured = evaluate(rows, known, hours=usage(log_hours.read(two_weeks(), NAMED["columns"])).hours)
        assert book.answer.options.equals(truth_measured.options)
        assert not book.answer.options.equals(truth(rows).options)
        say(book, "move", values={"latency": "batch"})
        assert book.answer.hours is not None, "another field keeps the hours"
        state = say(book, "move", values={"spikiness": 8.0})
        assert book.answer.hours is None and "not have them" not in state["changed"]
        say(book, "use")
        say(book, "reset")
        assert book.answer.hours is None and asked(book) == grid("bank").iloc[0].to_dict()

    asyncio.run(use())


@pytest.mark.parametrize(
    ("content", "how", "said"),
    [
        (b"", {}, "log.csv is empty"),
        (bytes(range(256)) * 20, {}, "not text"),
        (f"b,{SCRIPT}\n1,2\n".encode(), {}, "none of the layouts known by name"),
        (two_weeks(), {"columns": {"time": "nowhere"}}, "no column 'nowhere'"),
        (two_weeks(), {"columns": {"time": 3}}, "no column '3'"),
        (two_weeks(), {"zone": "Mars"}, "no time zone 'Mars'"),
        (two_weeks(), {"columns": 3}, pages.SORRY),
        (b"/etc/passwd", {"name": "/etc/passwd"}, "these columns: /etc/passwd"),
    ],
    ids=str,
)
def test_what_is_no_log_is_told_in_words_and_the_last_one_stands(known, content, how, said):
    async def refuse():
        book = Workbook(grid(), known)
        book.app()
        await read_log(book, two_weeks(), **NAMED)
        last = book.usage
        give(book, content, **how)
        await until(lambda: book.board.state["message"])
        assert said in book.board.state["message"] and book.usage is last and book.board.state["busy"] == ""

    asyncio.run(refuse())


def test_a_log_that_is_too_large_or_torn_is_refused_before_it_is_kept(book):
    message = {"id": 7, "type": "usage", "name": SCRIPT, "columns": {}, "zone": ""}
    book._heard(None, message | {"size": LARGEST + 1, "at": 0}, [b"x"])
    assert "at most 100,000,000 can be uploaded" in book.board.state["message"]
    book._heard(None, message | {"size": 30, "at": 10}, [b"x"])
    assert "did not come whole" in book.board.state["message"] and not book._upload._parts


def test_sliders_move_while_a_log_is_read(known, monkeypatch):
    go = threading.Event()
    read = log_hours.read
    monkeypatch.setattr(log_hours, "read", lambda *given: go.wait(10) and read(*given))

    async def move():
        book = Workbook(grid(), known)
        book.app()
        give(book, two_weeks(), **NAMED)
        state = say(book, "move", values={"latency": "batch"})
        assert state["busy"] == "Reading log.csv" and state["values"]["latency"]["value"] == "batch"
        go.set()
        await until(lambda: book.usage is not None)

    asyncio.run(move())


def test_nothing_is_used_before_a_log_was_read(book):
    before = book.board.state
    assert say(book, "use") == before | {"ack": 7}


def test_a_slider_lifts_the_spikiness_to_that_of_the_hours_in_use_and_says_so(book):
    state = say(book, "move", values={"hours_per_week": 20})
    assert asked(book) == grid(hours_per_week=20, spikiness=8.4).iloc[0].to_dict()
    assert "20 hours a week make the busiest hours at least 8.4 times the mean" in state["message"]
    assert state["values"]["spikiness"]["value"] == 8.4
    state = say(book, "move", values={"hours_per_week": 50})
    check(book, hours_per_week=50, spikiness=8.4)
    say(book, "move", values={"spikiness": 2.0})
    assert asked(book)["spikiness"] == 3.36
