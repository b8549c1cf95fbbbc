"""A papermill engine that runs a notebook in this process, whose libraries are already loaded.

A fresh kernel spends seconds importing. Here every notebook has a shell and names of its own; modules and what they
remember are shared.
"""

import sys
import traceback
from typing import Any

from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat import NotebookNode
from nbformat.v4 import new_output
from papermill.engines import Engine, papermill_engines

NAME = "warm"


class WarmEngine(Engine):  # type: ignore[misc]
    """Papermill's engine of the name `warm`; for a process that is no kernel itself, which has but one shell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **_: Any) -> Any:
        """Run the cells in order and put their outputs into the notebook; it stops at the first error.

        The notebook is saved at the end alone, not twice a cell: nobody reads half of it.
        """
        nb_man.output_path = None
        shell = _shell()
        try:
            for number, cell in enumerate(nb_man.nb.cells):
                if cell.cell_type != "code":
                    continue
                nb_man.cell_start(cell, number)
                cell.outputs, failed = _run(shell, cell.source)
                cell.execution_count = shell.execution_count - 1
                if failed:
                    nb_man.cell_exception(cell, cell_index=number)
                nb_man.cell_complete(cell, cell_index=number)
                if failed:
                    break
        finally:
            shell.restore_sys_module_state()
            InteractiveShell.clear_instance()
        return nb_man.nb


def _shell() -> InteractiveShell:
    """A shell that keeps no history on disk and prints no errors: they stand in the notebook."""
    setattr(HistoryManager, "enabled", False)  # noqa: B010 - a trait of the class, set before it is made
    shell: InteractiveShell = InteractiveShell.instance()
    setattr(shell, "showtraceback", lambda *_, **__: None)  # noqa: B010 - a method of this one shell
    setattr(shell, "showsyntaxerror", shell.showtraceback)  # noqa: B010
    return shell


def _run(shell: InteractiveShell, source: str) -> tuple[list[NotebookNode], bool]:
    """Run a cell; its outputs as a notebook has them: what it printed, showed and came to, and whether it failed."""
    with capture_output() as said:
        shown: list[dict[str, Any]] = getattr(shell.display_pub, "outputs")  # noqa: B009 - of the publisher that captures
        shell.display_trap.hook = sys.displayhook
        result = shell.run_cell(source, store_history=True)
    texts = (("stdout", said.stdout), ("stderr", said.stderr))
    outputs = [new_output("stream", name=name, text=text) for name, text in texts if text]
    for one in shown:
        # what a cell comes to is captured without what only a display has
        kind = "display_data" if "transient" in one else "execute_result"
        outputs.append(new_output(kind, data=one["data"], metadata=one["metadata"] or {}))
        if kind == "execute_result":
            outputs[-1].execution_count = shell.execution_count - 1
    error = result.error_before_exec or result.error_in_exec
    if error:
        told = traceback.format_exception(error)
        outputs.append(new_output("error", ename=type(error).__name__, evalue=str(error), traceback=told))
    return outputs, error is not None


papermill_engines.register(NAME, WarmEngine)
