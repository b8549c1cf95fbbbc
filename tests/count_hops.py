"""How often a slider's move goes from file to file: `python tests/count_hops.py`.

The second move of the spikiness slider on the first page of the default scenario: the files of lib/ it passes through,
how many calls of a function go to another file than the caller's, and which pairs of files talk most.
"""

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from where_to_run.app.workbook import Workbook
from where_to_run.decision.evaluate import evaluate
from where_to_run.inputs import facts, question

LIB = str(Path(sys.modules["where_to_run"].__file__ or "").parent)


def touches(frame: FrameType) -> bool:
    """Whether a call is given facts: a memo lies in the same file."""
    return isinstance(next(iter(frame.f_locals.values()), None), facts.Facts)


def traced(job: Callable[[], object], counts: Callable[[FrameType], bool] = bool) -> Counter[tuple[str, str]]:
    """Calls between functions of two files of lib/, by caller and callee; other code in between does not count."""
    found: Counter[tuple[str, str]] = Counter()

    def own(frame: FrameType | None) -> str:
        while frame is not None and not frame.f_code.co_filename.startswith(LIB):
            frame = frame.f_back
        return "" if frame is None else str(Path(frame.f_code.co_filename).relative_to(LIB))

    def noticed(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(LIB):
            caller, callee = own(frame.f_back), own(frame)
            found[caller, callee] += caller != callee and counts(frame)

    threading.setprofile(noticed)
    sys.setprofile(noticed)
    try:
        job()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return found


def told(name: str, found: Counter[tuple[str, str]]) -> None:
    files = {file for pair in found for file in pair if file}
    print(f"{name}: {len(files)} files, {sum(found.values()):,} changes of file")
    for (caller, callee), times in found.most_common(12):
        print(f"{times:>8,}  {caller or '(outside)'} > {callee}")


async def main() -> None:
    known = facts.load()
    book = Workbook(question.grid(), known)
    book.app()
    messages = [{"type": "move", "id": n, "values": {"spikiness": value}} for n, value in enumerate((6.0, 7.0))]
    book._heard(None, messages[0], None)
    told("one move of the spikiness slider on the first page", traced(lambda: book._heard(None, messages[1], None)))
    row = question.grid(spikiness=8)
    told("evaluate of one scenario", traced(lambda: evaluate(row, known)))
    calls = traced(lambda: evaluate(question.grid(spikiness=9), known), touches)
    print(f"the facts are touched {sum(n for (_, to), n in calls.items() if to == 'inputs/facts.py'):,} times for it")


if __name__ == "__main__":
    asyncio.run(main())
