"""Board: the widgets in the page that show a question, an answer and its panels; all thinking is done elsewhere."""

import hashlib
import os
import tempfile
from collections.abc import Collection
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import anywidget
import traitlets
import vl_convert

from .. import views
from ..views.figure import VEGA_LITE, Figure
from ..views.panel import Fold, Pieces


class Board(anywidget.AnyWidget):
    """Controls, the bottom line, tabs of panels and what can be taken away.

    `question` never changes; `state` is what is asked and told now; `panels` has the panels drawn last by name, and
    whether they are all there are.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    question = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    panels = traitlets.Dict().tag(sync=True)

    def __init__(self, **state: Any) -> None:
        super().__init__(_esm=script(), _css=style(), **state)

    def hand(self, name: str, mime: str, content: bytes) -> None:
        """Give the visitor a file."""
        self.send({"type": "file", "name": name, "mime": mime}, buffers=[content])


class Slot(anywidget.AnyWidget):
    """One panel in a cell of its own, drawn by the script that came with the Board; still where no script runs."""

    _esm = """
    const ready = async () => {
      while (!globalThis.whereToRun) await new Promise((done) => setTimeout(done, 50));
      return globalThis.whereToRun;
    };
    export default { render: async (context) => (await ready()).slot(context) };
    """
    content = traitlets.Dict().tag(sync=True)

    def __init__(self, still: str, **state: Any) -> None:
        super().__init__(**state)
        self.still = still

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        shown = super()._repr_mimebundle_(**kwargs)
        bundle, metadata = shown if isinstance(shown, tuple) else (shown, {})
        return {**(bundle or {}), "text/html": self.still}, metadata


def sent(pieces: Pieces, unfolded: Collection[str] = ()) -> list[dict[str, Any]]:
    """Pieces as the page takes them; of folds only those `unfolded` have what they open to."""
    shown: list[dict[str, Any]] = []
    for piece in pieces:
        if isinstance(piece, Figure):
            shown.append({"spec": piece.spec, "data": piece.data})
        elif isinstance(piece, Fold):
            body = piece.make() if piece.key in unfolded else ""
            shown.append({"fold": piece.key, "summary": piece.summary, "html": body})
        else:
            shown.append({"html": piece})
    return shown


STATIC = Path(__file__).with_name("static")
SOURCES = ("figures.js", "pieces.js", "controls.js", "board.js")
KEPT = STATIC / "bundle.js"


@lru_cache(maxsize=1)
def script() -> str:
    """The Board's script as one module that loads nothing; made anew, in some seconds, where its sources changed."""
    source = "\n".join((STATIC / name).read_text(encoding="utf-8") for name in SOURCES)
    made_of = f"{metadata.version('vl-convert-python')} {VEGA_LITE} {source}"
    tag = f"// {hashlib.sha256(made_of.encode()).hexdigest()}\n"
    if KEPT.exists() and (kept := KEPT.read_text(encoding="utf-8")).startswith(tag):
        return kept
    made = tag + vl_convert.javascript_bundle(source, vl_version=VEGA_LITE)
    _keep(made)
    return made


def style() -> str:
    """How the Board and what it shows look."""
    panels = Path(views.__file__).with_name("panels.css")
    return panels.read_text(encoding="utf-8") + (STATIC / "board.css").read_text(encoding="utf-8")


def _keep(made: str) -> None:
    """Keep a bundle for the next process; where the folder is closed to us each process makes its own."""
    try:
        handle, aside = tempfile.mkstemp(dir=STATIC, suffix=".tmp")
    except OSError:
        return
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(made)
    Path(aside).replace(KEPT)
