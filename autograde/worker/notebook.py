"""Runs a notebook's cells as Jupyter would (magics, top-level await, rich output, plots) and collects their outputs."""

from __future__ import annotations

import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.ultratb import AutoFormattedTB
from IPython.utils.text import SList
from traitlets.config import Config

from autograde.exception_names import public_name, public_type
from autograde.worker.exceptions import read_message
from autograde.worker.limits import Bounds
from autograde.worker.outputs import Outputs, Stream

CELL_FILE = "<cell {}>"


class CellTimeoutError(BaseException):
    """Raised inside a cell that ran too long. Not an Exception, so that a bare retry loop does not swallow it."""


class CellCompiler(CachingCompiler):
    """Names each cell's code after the cell, so that a traceback can say where."""

    cell = ""

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        return CELL_FILE.format(self.cell)


class CapturingPublisher(DisplayPublisher):
    """display(...) adds to the running cell's outputs."""

    def publish(self, data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
        shell: NotebookShell = self.shell
        shell.outputs.add({"output_type": "display_data", "data": _plain(data), "metadata": {}})

    def clear_output(self, wait: bool = False) -> None:
        self.shell.outputs.items.clear()


class CapturingHook(DisplayHook):
    """A cell's last expression adds to its outputs."""

    def write_output_prompt(self) -> None:
        """Write none: the notebook shows its own prompt."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        shell: Any = self.shell
        output = {"output_type": "execute_result", "data": _plain(format_dict), "metadata": {}}
        shell.outputs.add(output | {"execution_count": shell.execution_count})


class CellTraceback(AutoFormattedTB):
    """Tracebacks that name the exceptions before the last by their public classes too."""

    def get_parts_of_chained_exception(self, evalue: BaseException | None) -> Any:
        parts = super().get_parts_of_chained_exception(evalue)
        return parts and (public_type(parts[0]), *parts[1:])


class NotebookShell(InteractiveShell):
    """IPython without a terminal: everything shown ends up in `outputs`."""

    compiler_class = CellCompiler
    display_pub_class = CapturingPublisher
    displayhook_class = CapturingHook

    def __init__(self, **options: Any) -> None:
        self.outputs = Outputs()
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def enable_gui(self, gui: Any = None) -> None:
        """Plots are pictures here; there is no window."""

    def init_virtualenv(self) -> None:
        """Do nothing: the grader chose the packages."""

    def system(self, cmd: str) -> None:
        """`!command`, also below `%pip`: skipped with a message, so that the rest of the cell runs."""
        print(f"shell commands do not run while your work is graded: {cmd}", file=sys.stderr)

    def ask_exit(self) -> None:
        """`exit()` and `quit()`, which would end a kernel."""
        print("exit() and quit() do nothing while your work is graded", file=sys.stderr)

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        self.system(cmd)
        return SList() if split else ""

    def init_traceback_handlers(self, custom_exceptions: Any) -> None:
        super().init_traceback_handlers(custom_exceptions)
        self.InteractiveTB = CellTraceback(  # type: ignore[no-untyped-call]
            mode=self.xmode, theme_name=self.colors, tb_offset=1
        )

    def _get_exc_info(self, exc_tuple: Any = None) -> tuple[Any, Any, Any]:
        kind, value, trace = super()._get_exc_info(exc_tuple)  # type: ignore[no-untyped-call]
        return public_type(kind), value, trace

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        value = read_message(evalue)
        lines = [f"{etype.__name__}: {value}"] if etype is CellTimeoutError else [str(line) for line in stb]
        error = {"output_type": "error", "ename": etype.__name__, "evalue": value, "traceback": lines}
        self.outputs.add(error)


def make_shell() -> NotebookShell:
    """A shell that writes no history and reads no profile; made once, in the zygote."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    with tempfile.TemporaryDirectory() as folder:
        shell: NotebookShell = NotebookShell.instance(config=config, ipython_dir=folder)
    return shell


def run_cells(shell: NotebookShell, cells: list[Any], bounds: Bounds) -> Iterator[dict[str, Any]]:
    """Run (cell id, source) pairs and yield the account of each; a cell that fails does not stop the next."""
    shell.outputs.left = bounds.output_bytes
    sys.stdout, sys.stderr = Stream(shell.outputs, "stdout"), Stream(shell.outputs, "stderr")
    for cell, source in cells:
        yield _run_cell(shell, cell, source, bounds.cell_wall_s)


def _run_cell(shell: NotebookShell, cell: str, source: str, wall_s: float) -> dict[str, Any]:
    shell.outputs.begin()
    compiler: Any = shell.compile
    compiler.cell = cell
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, wall_s)
    try:
        result = shell.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
        error = result.error_before_exec or result.error_in_exec
    except BaseException as raised:  # the timer, between IPython's own try blocks
        error = raised
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    outputs = shell.outputs.take()
    if isinstance(error, CellTimeoutError):
        return {"cell": cell, "outputs": outputs, "error": f"stopped after {wall_s:g} s: the cell did not finish"}
    return {"cell": cell, "outputs": outputs, "error": _describe(error, cell) if error is not None else ""}


def _interrupt(signum: int, frame: Any) -> None:
    raise CellTimeoutError("the cell ran longer than the course allows")


def _describe(error: BaseException, cell: str) -> str:
    if isinstance(error, SyntaxError):
        line, said = error.lineno, str(error.msg)  # as text it would name line and cell again
    else:
        line, said = _find_last_line(error, cell), read_message(error)
    where = f" in line {line}" if line else ""
    return f"{public_name(error)}{where}{': ' if said else ''}{said}"[:500]


def _find_last_line(error: BaseException, cell: str) -> int | None:
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == CELL_FILE.format(cell)
    ]
    return lines[-1] if lines else None


def _plain(data: Any) -> dict[str, str]:
    """MIME type to text: bytes as base64, as a notebook file holds them."""
    from base64 import b64encode

    return {
        str(kind): b64encode(part).decode() if isinstance(part, bytes) else str(part) for kind, part in data.items()
    }
