"""Panel: words, figures and folds in order."""

import html
from collections.abc import Callable
from dataclasses import dataclass

from .figure import Figure


@dataclass(frozen=True)
class Fold:
    """A line that opens to more, as HTML both; the more is made where it is wanted."""

    key: str
    summary: str
    make: Callable[[], str]

    def whole(self) -> str:
        """The fold with what it opens to, which needs no script to open."""
        return f'<details data-key="{html.escape(self.key)}"><summary>{self.summary}</summary>{self.make()}</details>'


Piece = str | Figure | Fold


class Pieces(list[Piece]):
    """Pieces of a page in order: HTML, figures and folds. In a notebook or a report figures are shown as pictures."""

    def __add__(self, others: "list[Piece]") -> "Pieces":  # type: ignore[override]
        return Pieces([*self, *others])

    @property
    def words(self) -> str:
        """The pieces as HTML, every figure told by its words."""
        return "".join(f"<p>{html.escape(p.words)}</p>" if isinstance(p, Figure) else _still(p) for p in self)

    def _repr_html_(self) -> str:
        return "".join(_still(p) for p in self)

    def __repr__(self) -> str:
        return f"Pieces: {len(self)}, {sum(isinstance(p, Figure) for p in self)} of them figures"


def aside(panel: Callable[..., Pieces]) -> Callable[..., Pieces]:
    """A panel that many scenarios are answered for, so that the charts of a page do not wait for it."""
    panel.aside = True  # type: ignore[attr-defined]
    return panel


def _still(piece: Piece) -> str:
    """A piece as HTML that needs no script."""
    if isinstance(piece, Figure):
        return piece.picture()
    return piece.whole() if isinstance(piece, Fold) else piece
