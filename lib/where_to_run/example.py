"""What the app shows before its live page is ready: the default scenario's recommendation and first chart."""

from . import facts, panels, scenario
from .evaluate import evaluate
from .figures import Figure, Pieces


def html() -> str:
    """The recommendation and the first chart of the costs, as one piece of static HTML."""
    answer = evaluate(scenario.grid(), facts.load())
    chart = next(piece for piece in panels.costs(answer) if isinstance(piece, Figure))
    return f"<style>{panels.STYLE}</style>{Pieces([*panels.bottom_line(answer), chart])._repr_html_()}"
