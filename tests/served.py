"""Servers for the tests: the app and JupyterLab as processes of their own, on a free port, with a log."""

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

import nbformat
import psutil

LAUNCH = """
import json, sys
from pathlib import Path
from where_to_run.app.server import Service, app
options = json.loads(sys.argv[1])
app(Service(**options | {"notebook": Path(options["notebook"]), "browser": False}))
"""


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Message
    body: str


class _Stay(urllib.request.HTTPRedirectHandler):
    """Redirects are answers too."""

    def redirect_request(self, *_: object) -> None:
        return None


@dataclass(frozen=True)
class Server:
    """A server's process, its address and its log."""

    process: subprocess.Popen
    root: str
    log: Path

    def url(self, path: str = "") -> str:
        """The address of a path below the base URL."""
        return self.root + path

    def get(self, path: str = "", form: bytes | None = None, cookies: str = "", **headers: str) -> Reply:
        """Ask for a path below the base URL, or post a form to it; redirects are not followed."""
        request = urllib.request.Request(self.url(path), form, headers | ({"Cookie": cookies} if cookies else {}))
        opener = urllib.request.build_opener(_Stay, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return Reply(answer.status, answer.headers, answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.headers, error.read().decode(errors="replace"))

    @contextlib.contextmanager
    def reading(self, path: str = "") -> Iterator[Callable[[str], str]]:
        """A page while it comes; called with a word it gives what came until that did."""
        with urllib.request.urlopen(self.url(path), timeout=60) as answer:
            came = ""

            def until(word: str) -> str:
                nonlocal came
                while word not in came:
                    more = answer.read1()
                    assert more, f"the page ended before {word}: {came[-500:]}"
                    came += more.decode(errors="replace")
                return came

            yield until

    def upgrade(self, path: str, **headers: str) -> int:
        """The status that asking for a websocket gives: 101 where it is let in."""
        address = urllib.parse.urlsplit(self.url(path))
        asking = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        line = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        with contextlib.closing(line):
            key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
            line.request("GET", f"{address.path}?{address.query}", headers=asking | key | headers)
            return line.getresponse().status

    def logged(self) -> str:
        """What the server has logged so far."""
        return self.log.read_text(errors="replace")

    def kernels(self) -> list[int]:
        """Process ids of its kernels, those in its pool included."""
        found = re.search(r"connection files in (\S+)\.", self.logged())
        processes = [(p.pid, p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
        return [pid for pid, words in processes if found and any(w.startswith(found[1] + "/") for w in words)]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()


def free_port() -> int:
    """A port of this machine that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition, at_most_s: float = 30, what: str = ""):
    """What a condition gives once it holds; fails where it does not in time."""
    end = time.monotonic() + at_most_s
    while not (found := condition()):
        assert time.monotonic() < end, what or "waited in vain"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def _running(arguments: list[str], root: str, ready: str, log: Path) -> Iterator[Server]:
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, *arguments], stdout=out, stderr=subprocess.STDOUT)
    server = Server(process, root, log)

    def answers() -> bool:
        assert process.poll() is None, server.logged()
        try:
            return server.get(ready).status == 200
        except OSError:
            return False

    try:
        wait_until(answers, 60, f"no answer; see {log}")
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def app(folder: Path, notebook: Path | None = None, base_url: str = "/", **service) -> Iterator[Server]:
    """The app while the block runs; `service` are fields of serve.Service, the log is in `folder`."""
    from where_to_run.paths import NOTEBOOKS

    port = free_port()
    options = {"notebook": str(notebook or NOTEBOOKS / "app.ipynb"), "port": port, "base_url": base_url, **service}
    root = f"http://127.0.0.1:{port}{base_url}"
    with _running(["-c", LAUNCH, json.dumps(options)], root, "voila/static/voila.js", folder / "app.log") as server:
        yield server


@contextlib.contextmanager
def lab(folder: Path, notebook: str = "1_decide.ipynb") -> Iterator[Server]:
    """JupyterLab without a token while the block runs; its log is in `folder`."""
    from where_to_run.paths import NOTEBOOKS

    port = free_port()
    arguments = ["-m", "where_to_run", "lab", str(NOTEBOOKS / notebook), "--no-browser", "--token=", f"--port={port}"]
    with _running(arguments, f"http://127.0.0.1:{port}/", "api/status", folder / "lab.log") as server:
        yield server


def notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells under a heading; returns its path."""
    code = [nbformat.v4.new_code_cell(cell) for cell in cells]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Small"), *code])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, path)
    return path
