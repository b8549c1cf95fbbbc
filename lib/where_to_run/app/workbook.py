"""The workbook: one scenario, the answer to it, and the board and panels that follow when a visitor changes it."""

import asyncio
import ctypes
import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import display

from ..batch import kit
from ..decision.answer import Answer
from ..decision.evaluate import evaluate
from ..inputs import question, share
from ..inputs.facts import Facts
from ..inputs.log_formats import ROLES
from ..inputs.question import IN_USE, ScenarioError
from ..inputs.tables import FactsError
from ..inputs.usage import Usage
from ..units import Array
from ..views import decide, order, summary, usage
from ..views.figure import Figure
from ..views.pages import LATE, PAGES, QUIET, REFINED, SORRY, USAGE, Panel, timed
from ..views.panel import Pieces
from . import controls, downloads
from .board import Board, Slot, sent
from .controls import told
from .downloads import LARGEST, Upload

log = logging.getLogger(__name__)

QUICK = 0.05
"""A panel that took longer the last time is drawn beside the conversation, so that sliders stay at hand [second]."""

BREATH = 0.001
"""Time left to the thread that sends, so that the page paints charts while the words are written [second]."""


SOON = "<p>How sure this is follows when nothing is moved for a moment.</p>"


class Workbook:
    """One scenario and what is shown of it. Panels that are not quick are drawn in a thread of their own, newest first.

    `rows` is a frame of one scenario, `preset` the story it starts from, `files` the parameters that name files of
    facts, `hours` a measured series of hourly loads in place of the spikiness.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        facts: Facts,
        preset: str = "",
        files: Mapping[str, str] | None = None,
        hours: Array | None = None,
    ) -> None:
        self.facts, self.preset, self.files = facts, preset, dict(files or {})
        self.usage: Usage | None = None
        self._message, self._busy, self._rev, self._ack, self._finest = "", "", 0, 0, 0
        self._shown: dict[str, Panel] = {}
        self._slots: dict[str, Slot] = {}
        self._seconds: dict[str, float] = {}
        self._pending: list[str] = []
        self._unfolded, self._charted = set[str](), set[str]()
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="panels")
        # a thread of its own: a page that is opened meanwhile does not wait for it
        finer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="finer")
        self._upload, self._refining = Upload(self._got), Refining(finer, self._say, self._finer)
        self.board: Board | None = None
        self._ask(rows, preset, hours)

    def controls(self) -> Board:
        """The controls with the bottom line; the panels shown in later cells follow them."""
        return self._board({})

    def app(self) -> Board:
        """Everything on one board: controls, bottom line, a tab for each page."""
        first = next(iter(PAGES))
        self._open(first)
        return self._board(PAGES)

    def visited(self, query: str) -> None:
        """Take the scenario of a link; one that cannot be answered is told in words, and the answer stays as it is."""
        try:
            if query:
                rows, preset, words = share.from_query(query)
                self._ask(rows, preset)
                self._message = words
        except (ScenarioError, FactsError) as error:
            self._message = f"The link could not be followed. {error}"
        if self.board is not None:
            self._put({name: self._drawn(name, panel) for name, panel in self._shown.items()})

    def show(self, panel: Panel) -> None:
        """Show a panel here, and keep it in step with the controls."""
        name = f"panel {len(self._slots)}"
        pieces = self._drawn(name, panel)
        self._shown[name] = panel
        self._slots[name] = Slot(pieces._repr_html_(), content=self._content(panel, pieces))
        self._slots[name].on_msg(self._heard)
        display(self._slots[name])

    def kit(self, folder: str) -> str:
        """Write the kit of the answer into a folder, or say how where none is named; returns where it is, in words."""
        if not folder:
            return 'Name a folder, as in book.kit("kit"), and run this cell: the files of the kit are written there.'
        return f"The kit is in {kit.write(self.answer, Path(folder))}."

    def _board(self, pages: Mapping[str, Any]) -> Board:
        tabs = [
            {
                "name": name,
                "sections": [{"name": s.name, "title": s.title, "note": s.note} for s in sections],
                "upload": name == USAGE,
            }
            for name, sections in pages.items()
        ]
        drawn = {name: self._sent(self._drawn(name, panel)) for name, panel in self._shown.items()}
        self.board = Board(
            question={
                "fields": controls.controls(self.facts),
                "presets": [{"name": "", "title": "The default scenario", "story": ""}]
                + [{"name": name, **{k: s[k] for k in ("title", "story")}} for name, s in question.presets().items()],
                "tabs": tabs,
                "files": [{"name": name, "title": title} for name, title in downloads.TITLES.items()],
                "longest": share.LONGEST,
                "largest": LARGEST,
                "columns": [{"name": name, "title": title} for name, title in ROLES.items()],
            },
            state=self._state(),
            panels={"complete": True, "parts": drawn},
        )
        self.board.on_msg(self._heard)
        return self.board

    def _open(self, page: str) -> None:
        """Turn to a page: its panels are the ones shown."""
        self._shown = {s.name: self._of_usage(s.panel) if page == USAGE else s.panel for s in PAGES[page]}

    def _of_usage(self, panel: Callable[[Usage], Pieces]) -> Panel:
        """A panel of the log that was read, whatever the answer."""
        return lambda _: panel(self.usage) if self.usage else usage.NOTHING

    def _ask(self, rows: pd.DataFrame, preset: str, hours: Array | None = None) -> None:
        """Answer a scenario, with measured hours if any, or leave the last answer standing and raise."""
        answer = evaluate(rows, self.facts, hours)
        self.rows, self.preset, self.answer = rows, preset, answer
        self._rev += 1
        self._kept: dict[str, Pieces] = {}
        self._refining.ask(answer)
        self._changes = question.changed(rows, preset)
        self._bottom_line = decide.bottom_line(answer)._repr_html_()
        self._sure = SOON if order.allowed(answer) else ""

    def _heard(self, _: Any, message: Mapping[str, Any], buffers: Any) -> None:
        """What the visitor does in the page; an error is told in words and leaves the last answer standing."""
        self._message = ""
        part_of_log = message.get("type") == "usage"
        try:
            if part_of_log:
                self._busy = ""
                self._busy = self._upload.take(message, buffers)
            else:
                self._do(message)
        except (ScenarioError, FactsError) as error:
            self._message = str(error)
        except Exception:
            log.exception("the workbook could not answer %s", message)
            self._message = SORRY
        # not before: what is sent meanwhile, a panel that was drawn aside, still shows the answer to what came before
        self._ack = int(message.get("id", 0))
        if part_of_log or message.get("type") == "ready":
            self._put({})
            self._refine()
        else:
            self._tell()

    def _do(self, message: Mapping[str, Any]) -> None:
        match message["type"]:
            case "move":
                values = dict(message["values"])
                self._move(values, None if {*IN_USE} & {*values} else self.answer.hours)
            case "use" if self.usage is not None:
                found = self.usage.changes(self.rows.iloc[0])
                self._move(found, self.usage.hours)
            case "preset" | "reset":
                self._ask(*share.one(message.get("name", self.preset), {}))
            case "tab" if message["name"] in PAGES:
                self._open(message["name"])
            case "link":
                rows, preset, words = share.from_query(str(message["query"]))
                self._ask(rows, preset)
                self._message = words
            case "load":
                self._ask(*share.from_yaml(downloads.text(message["name"], message["text"])))
            case "download" if message["name"] in downloads.TITLES:
                self._hand(message["name"])
            case "unfold":
                self._unfolded.add(str(message["key"]))
            case "hello" if message.get("tab") in PAGES:
                self._open(message["tab"])

    def _move(self, values: Mapping[str, Any], hours: Array | None) -> None:
        """Ask with other values, as spiky as the hours in use make it; say so where that is more than was set."""
        rows, preset = share.one(self.preset, self._changes | dict(values))
        rows, words = question.lifted(rows)
        self._ask(rows, preset, hours)
        self._message = words

    def _got(self, found: Usage | None, words: str) -> None:
        """Show what a log says; where it could not be read the last one stands."""
        self.usage, self._busy, self._message = found or self.usage, "", words
        for section in PAGES[USAGE]:
            self._kept.pop(section.name, None)
        self._tell()

    def _tell(self) -> None:
        """Send the state with every panel that is quick to draw, charts first, and have the others drawn aside."""
        slow = [
            name
            for name, panel in self._shown.items()
            if name not in self._kept and (getattr(panel, "aside", False) or self._seconds.get(name, QUICK) >= QUICK)
        ]
        self._pending = [*slow]
        quick = [name for name in self._shown if name not in slow]
        charts = [name for name in quick if name in self._charted] or quick
        words = [name for name in quick if name not in charts]
        self._put({name: self._drawn(name, self._shown[name]) for name in charts}, more=bool(words))
        if words:
            time.sleep(BREATH)
            self._put({name: self._drawn(name, self._shown[name]) for name in words})
        for name in slow:
            asked = (self._rev, name, self._shown[name], self.answer)
            self._aside.submit(self._draw_aside, asyncio.get_running_loop(), *asked)
        self._refine()

    def _refine(self) -> None:
        """Have worked out, once nobody moves anything, how sure the answer is and what the page shows of it."""
        self._refining.begin([summary.sure, *self._shown.values()])

    def _finer(self, drawn: Collection[Panel]) -> None:
        """Draw panels anew of which the answer was made finer, those of a page left meanwhile when it is opened."""
        self._finest += 1  # so that the page, which waits for another state, takes the panels
        if summary.sure in drawn:
            self._sure = summary.sure(self.answer)._repr_html_()
        known = {section.name: section.panel for page in PAGES.values() for section in page} | self._shown
        self._kept = {name: pieces for name, pieces in self._kept.items() if known[name] not in drawn}
        if {REFINED[panel] for panel in drawn} <= {*QUIET}:
            self._put({name: self._drawn(name, panel) for name, panel in self._shown.items() if panel in drawn})
        else:
            self._tell()

    def _say(self) -> None:
        """Send the state alone."""
        if self.board is not None:
            self.board.state = self._state()

    def _draw_aside(self, loop: asyncio.AbstractEventLoop, rev: int, name: str, panel: Panel, answer: Answer) -> None:
        """Draw a panel in the thread, unless something newer is asked by now."""
        if rev == self._rev and name in self._pending:
            pieces, seconds = timed(panel, answer)
            loop.call_soon_threadsafe(self._take, rev, name, pieces, seconds)
            give_back()

    def _take(self, rev: int, name: str, pieces: Pieces, seconds: float) -> None:
        """Show a panel that was drawn aside, if it is still what is asked."""
        self._seconds[name] = seconds
        if rev == self._rev:
            self._kept[name] = pieces
            if name in self._pending:
                self._pending.remove(name)
                self._put({name: pieces})

    def _drawn(self, name: str, panel: Panel) -> Pieces:
        """A panel of the answer, drawn once."""
        if name not in self._kept:
            self._kept[name], self._seconds[name] = pieces, _ = timed(panel, self.answer)
            if any(isinstance(piece, Figure) for piece in pieces):
                self._charted.add(name)
        return self._kept[name]

    def _put(self, drawn: Mapping[str, Pieces], more: bool = False) -> None:
        """Send panels and the state to the page, in a message for each widget; `more` follows at once."""
        for name, slot in self._slots.items():
            if name in drawn:
                slot.content = self._content(self._shown[name], drawn[name])
            elif name in self._pending:
                slot.content = {**slot.content, "pending": True}
        if self.board is not None:
            parts = {name: self._sent(pieces) for name, pieces in drawn.items() if name not in self._slots}
            with self.board.hold_sync():
                self.board.panels = {"complete": len(parts) == len(self._shown), "parts": parts}
                self.board.state = {**self._state(), "more": more}

    def _sent(self, pieces: Pieces) -> list[dict[str, Any]]:
        return sent(pieces, self._unfolded)

    def _content(self, panel: Panel, pieces: Pieces) -> dict[str, Any]:
        return {"name": panel.__name__, "rev": self._rev, "pending": False, "pieces": self._sent(pieces)}

    def _state(self) -> dict[str, Any]:
        """What the page needs to know beside the panels."""
        row = self.rows.iloc[0].to_dict()
        return {
            "rev": self._rev,
            "ack": self._ack,
            "finest": self._finest,
            "values": controls.values(row),
            "preset": self.preset,
            "changed": told(self._changes) + (usage.IN_USE if self.answer.hours is not None else ""),
            "bottom_line": self._bottom_line,
            "sure": self._sure,
            "message": self._message,
            "busy": self._busy or self._refining.words,
            "pending": list(self._pending),
            "more": False,
            "query": share.query(self._changes, self.preset),
        }

    def _hand(self, name: str) -> None:
        """Make a file in the thread and give it to the visitor."""
        loop, asked = asyncio.get_running_loop(), (self.answer, self.preset, self.files)
        self._busy = f"Making the file: {downloads.TITLES[name]}"

        def make() -> None:
            try:
                made, words = downloads.make(name, *asked), ""
            except ScenarioError as error:
                made, words = None, str(error)
            except Exception:
                log.exception("could not make %s", name)
                made, words = None, f"The file could not be made: {downloads.TITLES[name]}. The log says why."
            loop.call_soon_threadsafe(self._handed, made, words)

        self._aside.submit(make)

    def _handed(self, made: tuple[str, str, bytes] | None, words: str) -> None:
        self._busy, self._message = "", words
        if self.board is not None:
            if made:
                self.board.hand(*made)
            self.board.state = self._state()


def give_back() -> None:
    """Have the C library give the system what drawing took, which for the map is some 500 MB; elsewhere nothing."""
    if trim := getattr(ctypes.CDLL(None) if os.name == "posix" else None, "malloc_trim", None):
        trim(0)


CALM = 0.5
"""It is begun when nobody has moved anything for so long [second]."""

AnswerPanel = Callable[[Answer], Pieces]
Refine = Callable[[Answer, Callable[[float], None]], None]


class Stale(Exception):
    """Something newer is asked."""


class Refining:
    """Makes the answer that was asked last finer, for the panels of `pages.REFINED`, in a thread.

    `words` tell how far that is, and `say` is called when they change; `finer` gets the panels to be drawn anew.
    """

    def __init__(
        self, aside: ThreadPoolExecutor, say: Callable[[], None], finer: Callable[[Collection[AnswerPanel]], None]
    ) -> None:
        self._aside, self._say, self._finer = aside, say, finer
        self.words = ""
        self._answer: Answer | None = None
        self._begun: set[Refine] = set()

    def ask(self, answer: Answer) -> None:
        """Something newer is asked: what is underway ends."""
        self._answer, self._begun, self.words = answer, set(), ""

    def begin(self, shown: Iterable[AnswerPanel]) -> None:
        """Refine what the panels shown need, unless that is done already."""
        # without a loop nobody is there to see it
        with suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            for refine in dict.fromkeys(REFINED[panel] for panel in shown if panel in REFINED):
                if refine not in self._begun:
                    loop.call_later(LATE.get(refine, CALM), self._start, self._answer, refine)

    def _start(self, answer: Answer | None, refine: Refine) -> None:
        if answer and answer is self._answer and refine not in self._begun:
            self._begun.add(refine)
            self._aside.submit(self._make, asyncio.get_running_loop(), answer, refine)

    def _make(self, loop: asyncio.AbstractEventLoop, answer: Answer, refine: Refine) -> None:
        def tell(share: float) -> None:
            if answer is not self._answer:
                raise Stale
            if refine not in QUIET:
                loop.call_soon_threadsafe(self._tell, answer, f"Making the figures finer: {share:.0%}")

        try:
            refine(answer, tell)
            loop.call_soon_threadsafe(self._take, answer, refine)
            give_back()
        except Stale:
            return
        except Exception:
            log.exception("could not refine the answer to %s", answer.scenarios.to_dict("records"))
            loop.call_soon_threadsafe(self._tell, answer, "")

    def _tell(self, answer: Answer, words: str) -> None:
        if answer is self._answer:
            self.words = words
            self._say()

    def _take(self, answer: Answer, refine: Refine) -> None:
        if answer is self._answer:
            self.words = ""
            self._finer([panel for panel, made_by in REFINED.items() if made_by is refine])
