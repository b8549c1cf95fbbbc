"""Refining: the answer behind some panels made finer in the background, once nobody moves anything."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor

from .evaluate import Answer
from .figures import Pieces
from .pages import REFINED

log = logging.getLogger(__name__)

CALM = 0.5
"""It is begun when nobody has moved anything for so long [second]."""

Panel = Callable[[Answer], Pieces]
Refine = Callable[[Answer, Callable[[float], None]], None]


class Stale(Exception):
    """Something newer is asked."""


class Refining:
    """Makes the answer that was asked last finer, for the panels of `pages.REFINED`, in a thread.

    `words` tell how far that is, and `say` is called when they change; `finer` gets the panels to be drawn anew.
    """

    def __init__(
        self, aside: ThreadPoolExecutor, say: Callable[[], None], finer: Callable[[Collection[Panel]], None]
    ) -> None:
        self._aside, self._say, self._finer = aside, say, finer
        self.words = ""
        self._answer: Answer | None = None
        self._begun: set[Refine] = set()

    def ask(self, answer: Answer) -> None:
        """Something newer is asked: what is underway ends."""
        self._answer, self._begun, self.words = answer, set(), ""

    def begin(self, shown: Iterable[Panel]) -> None:
        """Refine what the panels shown need, unless that is done already."""
        for refine in {REFINED[panel] for panel in shown if panel in REFINED} - self._begun:
            asyncio.get_running_loop().call_later(CALM, self._start, self._answer, refine)

    def _start(self, answer: Answer | None, refine: Refine) -> None:
        if answer and answer is self._answer and refine not in self._begun:
            self._begun.add(refine)
            self._aside.submit(self._make, asyncio.get_running_loop(), answer, refine)

    def _make(self, loop: asyncio.AbstractEventLoop, answer: Answer, refine: Refine) -> None:
        def tell(share: float) -> None:
            if answer is not self._answer:
                raise Stale
            loop.call_soon_threadsafe(self._tell, answer, f"Making the figures finer: {share:.0%}")

        try:
            refine(answer, tell)
            loop.call_soon_threadsafe(self._take, answer, refine)
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
