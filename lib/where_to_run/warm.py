"""A papermill engine that runs a notebook in a fork of this process, whose libraries are already loaded.

A fresh kernel spends seconds importing; a fork starts with everything imported and still cannot touch its parent.
Needs POSIX. State cannot leak from one notebook to the next, because each has a process of its own.
"""

import os
import pickle
import random
import sys
from typing import IO, Any

import nbformat
import numpy as np
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from papermill.engines import Engine, papermill_engines
from traitlets import Type

from . import figures

NAME = "warm"
Output = dict[str, Any]


class _Stream:
    """What a cell prints, kept as stream outputs in order with its displays."""

    encoding = "utf-8"

    def __init__(self, name: str, outputs: list[Output]) -> None:
        self.name, self.outputs = name, outputs

    def write(self, text: str) -> int:
        last = self.outputs[-1] if self.outputs else {}
        if last.get("name") == self.name:
            last["text"] += text
        elif text:
            self.outputs.append({"output_type": "stream", "name": self.name, "text": text})
        return len(text)

    def flush(self) -> None:
        """Nothing is buffered."""

    def isatty(self) -> bool:
        return False


def _shell(outputs: list[Output]) -> InteractiveShell:
    """An IPython shell whose displays, results and errors land in `outputs` as notebook outputs."""

    class Publisher(DisplayPublisher):
        def publish(self, data: Any, metadata: Any = None, *args: Any, transient: Any = None, **options: Any) -> None:
            identity = (transient or {}).get("display_id")
            output = {"output_type": "display_data", "data": data, "metadata": metadata or {}, "id": identity}
            shown = [o for o in outputs if identity and o.get("id") == identity]
            if options.get("update") and shown:
                shown[-1].update(data=data, metadata=metadata or {})
            elif not options.get("update"):
                outputs.append(output)

        def clear_output(self, wait: bool = False) -> None:
            outputs.clear()

    class Hook(DisplayHook):
        def write_output_prompt(self) -> None:
            """The notebook has its own prompt."""

        def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
            outputs.append(
                {
                    "output_type": "execute_result",
                    "data": format_dict,
                    "metadata": md_dict or {},
                    "execution_count": self.prompt_count,
                }
            )

        def finish_displayhook(self) -> None:
            """Nothing to flush."""

    class Shell(InteractiveShell):
        display_pub_class = Type(Publisher)
        displayhook_class = Type(Hook)

        def enable_gui(self, gui: Any = None) -> None:
            """There is no screen."""

        def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
            outputs.append(
                {"output_type": "error", "ename": etype.__name__, "evalue": str(evalue), "traceback": list(stb)}
            )

    setattr(HistoryManager, "enabled", False)  # noqa: B010 - a trait of the class, set before it is made
    InteractiveShell.clear_instance()
    shell: InteractiveShell = Shell.instance()
    return shell


def run_cells(cells: list[tuple[int, str]], pipe: IO[bytes]) -> None:
    """Run cells in order in this process, telling of each start and end through the pipe; stop at the first error."""
    outputs: list[Output] = []
    shell = _shell(outputs)
    sys.stdout, sys.stderr = _Stream("stdout", outputs), _Stream("stderr", outputs)
    random.seed()
    np.random.seed()
    for number, source in cells:
        outputs.clear()
        pickle.dump(("start", number), pipe)
        pipe.flush()
        result = shell.run_cell(source, store_history=True)
        found = [{k: v for k, v in output.items() if k != "id"} for output in outputs]
        pickle.dump(("done", number, shell.execution_count - 1, found, bool(result.success)), pipe)
        pipe.flush()
        if not result.success:
            break


class WarmEngine(Engine):  # type: ignore[misc]
    """Papermill's engine of the name `warm`."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> Any:
        """Run the notebook in a fork and take its outputs over; a fork that dies is an error.

        Refuses to fork a process that has drawn a chart: its fork would wait for ever for threads it does not have.
        """
        if figures.DRAWN.is_set():
            raise RuntimeError("this process has drawn a chart; run the notebook with papermill's own engine")
        cells = [(i, cell.source) for i, cell in enumerate(nb_man.nb.cells) if cell.cell_type == "code"]
        read, write = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(read)
                with os.fdopen(write, "wb") as pipe:
                    run_cells(cells, pipe)
                status = 0
            finally:
                os._exit(status)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            take_over(nb_man, pipe)
        died = os.waitpid(child, 0)[1]
        if died:
            raise RuntimeError(f"the notebook's process died with status {died}")
        return nb_man.nb


def take_over(nb_man: Any, pipe: IO[bytes]) -> None:
    """Put what the fork reports into the notebook, cell by cell."""
    while True:
        try:
            message = pickle.load(pipe)
        except EOFError:
            return
        cell = nb_man.nb.cells[message[1]]
        if message[0] == "start":
            nb_man.cell_start(cell, message[1])
            continue
        number, count, outputs, success = message[1:]
        cell.execution_count, cell.outputs = count, [nbformat.from_dict(output) for output in outputs]
        if not success:
            nb_man.cell_exception(cell, cell_index=number)
        nb_man.cell_complete(cell, cell_index=number)


papermill_engines.register(NAME, WarmEngine)
