"""Board: the widgets in the page that show a question, an answer and its panels; all thinking is done elsewhere."""

from collections.abc import Collection
from typing import Any

import anywidget
import traitlets

from . import bundle
from .figures import Figure, Fold, Pieces


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
        super().__init__(_esm=bundle.script(), _css=bundle.style(), **state)

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
