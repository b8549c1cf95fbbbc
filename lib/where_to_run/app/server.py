"""The workbook served: `app` by Voila for anybody with a browser, `lab` in JupyterLab for those who write notebooks."""

import atexit
import errno
import gc
import logging
import os
import posixpath
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import warnings
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from jupyter_core.paths import jupyter_path
from jupyter_server.utils import url_path_join
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, authenticated
from traitlets.config import Config
from voila._version import __version__
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.static_file_handler import AllowListFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler
from voila.utils import ENV_VARIABLE

from ..analysis import draws
from ..decision.evaluate import evaluate
from ..inputs import facts, question
from ..inputs.share import ours
from ..paths import NOTEBOOKS, PROJECT
from ..views import decide
from ..views.figure import Figure
from ..views.panel import Pieces
from .door import SECRET, Channels, Door, Guests, Waiting
from .kernels import VisitorKernels, Warm

TEMPLATES = Path(__file__).with_name("templates")
NAME = "where_to_run"
"""The page's template, in templates/voila/templates/."""

HERE = "127.0.0.1"
"""Only this machine is listened to; others come through a proxy."""

HEADERS = {
    # Vega compiles its expressions (unsafe-eval), Voila's page has inline scripts, anywidget loads modules from blobs
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; font-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; connect-src 'self'; "
    "frame-ancestors 'self'; form-action 'self'; object-src 'none'; base-uri 'self'",
    "Referrer-Policy": "same-origin",  # a token in the address goes to no other site
}
STOP_S = 10
"""Time the kernels have to end by themselves; what is left then is killed."""

EXTENSIONS = ["@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8", "anywidget"]
"""Extensions of JupyterLab that the page loads; whatever else is installed is not made for Voila."""


class ServeError(RuntimeError):
    """What was asked of the server cannot be done, in words for the terminal."""


@dataclass(frozen=True)
class Service:
    """How the app is served: what, where, to whom, to how many at once."""

    notebook: Path = NOTEBOOKS / "app.ipynb"
    port: int = 8866
    base_url: str = "/"
    token: str = ""
    browser: bool = True
    seats: int = 8
    warm: int = 2
    fill_delay_s: float = 5
    turn_s: float = 5
    grace_s: float = 60
    closed_s: float = 120
    open_s: float = 7200
    cull_every_s: int = 5

    @property
    def root(self) -> str:
        """The base URL with a stroke at each end."""
        return "/".join(["", *(part for part in self.base_url.split("/") if part), ""])

    def config(self) -> Config:
        """Voila's configuration; nothing is read from files of the machine."""
        kernels = {
            "seats": self.seats,
            "grace_s": self.grace_s,
            "closed_s": self.closed_s,
            "open_s": self.open_s,
            "cull_idle_timeout": max(1, int(self.closed_s)),  # starts the culler; the rules are in kernels.py
            "cull_interval": self.cull_every_s,
            "fill_delay": self.fill_delay_s,
            "turns": self.warm,
            "turn_s": self.turn_s,
        }
        served = {
            "ip": HERE,
            "port": self.port,
            "port_retries": 0,
            "base_url": self.root,
            "token": self.token or None,
            "identity_provider_class": Guests,
            "open_browser": self.browser,
            "notebook_path": str(self.notebook),
            "config_file_paths": [],
            "tornado_settings": {"headers": HEADERS},
        }
        page = {
            "template": NAME,
            "allow_template_override": "NO",
            "allow_theme_override": "NO",
            "strip_sources": True,
            "show_tracebacks": False,
            "file_allowlist": [],
            "extension_allowlist": EXTENSIONS,
            "preheat_kernel": True,
            "default_pool_size": self.warm,
            "multi_kernel_manager_class": "where_to_run.app.kernels.VisitorKernels",
            "page_config_hook": without_mathjax,
        }
        each = {"autorestart": False}  # a kernel that starts again is empty; the page says that its session ended
        if hasattr(socket, "AF_UNIX"):
            each["transport"] = "ipc"  # type: ignore[assignment]
        return Config(
            {
                "Voila": served,
                "VoilaConfiguration": page,
                "MappingKernelManager": kernels,
                "KernelManager": each,
                "PasswordIdentityProvider": {"allow_password_change": False},
            }
        )


def without_mathjax(page: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Voila's hook on the settings of its page: in place of MathJax on another host, a stand-in that does nothing."""
    stand_in = url_path_join(page["baseUrl"], "voila/templates", NAME, "static/no-mathjax.js")
    return page | {"fullMathjaxUrl": stand_in, "mathjaxConfig": "none"}


class App(Voila):  # type: ignore[misc]
    """Voila with our page, our kernels and an example that is drawn while the server starts."""

    name = "where-to-run"

    @property
    def themes_dir(self) -> str:
        """Voila's own themes; the first Voila folder on the path is ours and has none."""
        return next(str(path) for folder in jupyter_path("voila") if (path := Path(folder) / "themes").exists())

    def init_settings(self) -> Any:
        """Voila's settings, with the example and with our pages for login and errors."""
        settings = super().init_settings()
        self.log.addFilter(worth_saying)
        self.example = Example()
        settings["example"] = self.example.html
        settings["jinja2_env"].loader.searchpath.insert(0, str(TEMPLATES / "voila" / "templates" / NAME))
        return settings

    def init_handlers(self) -> list[Any]:
        """Voila's handlers, without files, with our page, and with the login below the base URL."""
        ours = {
            TornadoVoilaHandler: Visit,
            TemplateStaticFileHandler: Assets,
            VoilaKernelWebsocketHandler: Channels,
            RequestInfoSocketHandler: Waiting,
        }
        handlers = []
        for pattern, handler, *rest in super().init_handlers():
            under = pattern if pattern.startswith(self.server_url) else url_path_join(self.server_url, pattern)
            if handler is RequestInfoSocketHandler:
                under = under.replace("/voila/query/", f"/{SECRET}/voila/query/")
            if handler is not AllowListFileHandler:
                handlers.append((under, ours.get(handler, handler), *rest))
        return handlers

    def listen(self) -> None:
        """Serve until a signal, having said where."""
        Door(self.app).listen(self.port, HERE)
        print(f"Open {self.connection_url} in a browser. Ctrl-C here ends the app.", flush=True)
        if self.open_browser:
            self.launch_browser()
        self.ioloop = IOLoop.current()
        try:
            self.ioloop.start()
        finally:
            self.stop()

    def launch_browser(self) -> None:
        """Open the page once the example is drawn; the token is not told to the browser's command line."""

        def when_ready() -> None:
            self.example.wait()
            webbrowser.open(self.connection_url)

        threading.Thread(target=when_ready, daemon=True).start()

    def _handle_signal_stop(self, number: int, _: Any) -> None:
        """Ctrl-C and SIGTERM: leave the loop, after which Voila calls `stop`; before there is a loop, just leave."""
        if not hasattr(self, "ioloop"):
            raise SystemExit(0)
        self.ioloop.add_callback_from_signal(self.ioloop.stop)

    def stop(self) -> None:
        """End every kernel and clear away their files."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # it is on its way out; a second signal would leave kernels behind
        self.log.info("stopping: %d kernels end", len(self.kernel_manager))
        logging.disable(logging.ERROR)  # what a kernel was doing fails now, and is no fault
        self.example.stop()
        try:
            self.ioloop.run_sync(self.kernel_manager.close, timeout=STOP_S)
        except Exception as error:  # whatever Jupyter cannot end, a kernel that only starts for one, ends below
            self.log.info("stopping: %r", error)
        for process in psutil.Process().children():
            process.kill()
        shutil.rmtree(self.connection_dir, ignore_errors=True)


class Example:
    """The default scenario's recommendation and first chart, drawn by a process of its own."""

    def __init__(self) -> None:
        self._page = ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from where_to_run.app import server; print(server.html())"],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the server, which ends it
        )
        atexit.register(self.stop)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        page, _ = self._process.communicate()
        self._page = page if self._process.returncode == 0 else ""

    def html(self) -> str:
        """The example as HTML; empty until it is drawn."""
        return self._page

    def wait(self, at_most_s: float = 10) -> None:
        """Wait until it is drawn, or long enough."""
        self._reader.join(at_most_s)

    def stop(self) -> None:
        """End the process if it still draws."""
        self._process.kill()


def app(service: Service) -> None:
    """Serve the app until Ctrl-C or SIGTERM; raises ServeError where it cannot start."""
    if not service.notebook.exists():
        raise ServeError(f"there is no notebook {service.notebook}")
    if service.seats < 1:
        raise ServeError(f"--kernels {service.seats}: give 1 or more, or nobody finds a seat")
    free(service.port, "app")
    warnings.filterwarnings("ignore", "coroutine .* was never awaited")  # of kernels that have not begun at Ctrl-C
    on_path("JUPYTER_PATH", TEMPLATES)
    os.environ["VOILA_WS_BASE_URL"] = url_path_join(service.root, SECRET, "/")  # where warm kernels wait
    server = App.instance(config=service.config())
    server.initialize(argv=[])
    signal.signal(signal.SIGINT, server._handle_signal_stop)
    server.start()


def lab(notebook: Path, port: int, browser: bool, token: str | None = None) -> None:
    """Open a notebook in JupyterLab: no news, no look for updates, nothing asked of another host.

    Without a token JupyterLab makes one up.
    """
    from jupyterlab.labapp import LabApp

    if not notebook.is_file():
        raise ServeError(f"there is no notebook {notebook}")
    free(port, "lab")
    warnings.simplefilter("ignore", DeprecationWarning)  # of JupyterLab's own settings
    logging.getLogger("ServerApp").addFilter(worth_saying)
    token = secrets.token_hex() if token is None else token
    root = PROJECT if notebook.resolve().is_relative_to(PROJECT) else notebook.resolve().parent
    on_path("JUPYTER_CONFIG_PATH", TEMPLATES / "lab")  # its labconfig switches the news off in the page
    path = quote(notebook.resolve().relative_to(root).as_posix())
    address = f"http://{HERE}:{port}/lab/tree/{path}" + (f"?token={token}" if token else "")
    print(f"Open {address} in a browser. Ctrl-C here, twice, ends JupyterLab.", flush=True)
    ipc = ["--KernelManager.transport=ipc"] if hasattr(socket, "AF_UNIX") else []
    LabApp.launch_instance(
        [
            str(notebook.resolve()),
            f"--ServerApp.root_dir={root}",
            f"--ServerApp.ip={HERE}",
            f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.allow_root=True",  # containers run as root; only this machine is listened to
            f"--ServerApp.open_browser={browser}",
            # named in the page though MathJax comes with JupyterLab
            "--ServerApp.tornado_settings={'mathjax_url': 'no-mathjax.js'}",
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
            f"--IdentityProvider.token={token}",
            "--Application.log_level=WARN",
            *ipc,
        ]
    )


def worth_saying(record: logging.LogRecord) -> bool:
    """Whether a line of a server's log is one: that notebooks are not signed is so for all that come by Git."""
    return "is not trusted" not in record.getMessage()


def on_path(variable: str, folder: Path) -> None:
    """Put a folder first on a path that Jupyter reads from the environment."""
    old = os.environ.get(variable)
    os.environ[variable] = os.pathsep.join([str(folder), *([old] if old else [])])


def free(port: int, command: str) -> None:
    """Raise ServeError, saying what to do, where a port of this machine cannot be listened to."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HERE, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "something else listens there already" if taken else (error.strerror or str(error)).lower()
            raise ServeError(
                f"port {port} cannot be used: {reason}. "
                f"Stop that, or choose another: where-to-run {command} --port {port + 1 if port < 65_535 else port - 1}"
            ) from None


RETRY_S = 10
"""Time after which a visitor who found no place in the line is let try again; the page does so by itself."""


class Visit(TornadoVoilaHandler):  # type: ignore[misc]
    """The page at the base URL; every other address of the server that nothing else serves is not found."""

    @authenticated
    async def get(self, path: str = "") -> None:
        """Write the page when its visitor's turn has come, or a page with status 503 where too many wait already."""
        if path:
            raise HTTPError(404)
        kernels: VisitorKernels = self.kernel_manager
        if kernels.crowded(self.request.remote_ip):
            return self._turn_away()
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.write(self.render_template("opening.html", **self._opening()))
        self.flush()  # not waited for: the place in the line is taken before anybody else is asked
        try:
            async with kernels.in_line(self.request.remote_ip, self._tell):
                warm = await kernels.seat(self.notebook_path)
            try:
                await self._rest(warm)
                kernels.sent(warm.kernel_id)
            except BaseException:  # there is no page that could give the seat back
                await kernels.shutdown_kernel(warm.kernel_id, now=True)
                raise
        except StreamClosedError:
            self.log.info("a visitor left before the page was made")
        except Exception:
            self.log.exception("the page could not be made")
            self.finish(self.render_template("trouble.html"))

    async def _tell(self, place: int, full: bool) -> None:
        """Tell a visitor who waits the place in the line; raises StreamClosedError where nobody listens any more."""
        self.write(f"<script>wtr_place({place}, {str(full).lower()});</script>")
        await self.flush()

    def _turn_away(self) -> None:
        self.log.warning("turned a visitor away: too many wait")
        self.set_status(503)
        self.set_header("Retry-After", str(RETRY_S))
        self.finish(self.render_template("503.html", retry_s=RETRY_S))

    def _opening(self) -> dict[str, Any]:
        """What the head of the page says; a link to a scenario of its own is not shown the example."""
        return {
            "example": self.settings["example"](),
            "asked": any(map(ours, self.request.query_arguments)),
            "xsrf": self.xsrf_token.decode(),
        }

    async def _rest(self, warm: Warm) -> None:
        """Tell the warm kernel who came, which it may be waiting for, and pass on what it makes of the page."""
        RequestInfoSocketHandler.send_updates({"kernel_id": warm.kernel_id, "payload": self._request()})
        async for piece in warm.page():
            self.write(piece)
            await self.flush()

    def _request(self) -> dict[str, str]:
        """What the notebook may know of the request, as Voila words it."""
        return {
            ENV_VARIABLE.SCRIPT_NAME: self.request.path,
            ENV_VARIABLE.PATH_INFO: "",
            ENV_VARIABLE.QUERY_STRING: str(self.request.query),
            ENV_VARIABLE.SERVER_SOFTWARE: f"voila/{__version__}",
            ENV_VARIABLE.SERVER_PROTOCOL: str(self.request.version),
        }


class Assets(TemplateStaticFileHandler):  # type: ignore[misc]
    """Voila's styles and scripts; an address of another form is not found, where Voila's own handler stumbles."""

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send a file of a template's `static` folder."""
        template, _, rest = posixpath.normpath(path).partition("/")
        if template != path.partition("/")[0] or not rest.startswith("static/"):
            raise HTTPError(404)
        await super().get(path, include_body)


def link_query() -> str:
    """The query of the page's address in Voila, "" elsewhere. A warm kernel waits here for its visitor."""
    if "VOILA_BASE_URL" not in os.environ:
        return ""
    from voila.utils import get_query_string

    draws.points(2, 2)  # loads what drawing takes, which would keep the first to ask for it waiting
    gc.collect()
    gc.freeze()  # what is loaded by now stays; searching it for garbage again would make some moves of a slider late
    return get_query_string() or ""


def html() -> str:
    """The recommendation and the first chart of the costs, as one piece of static HTML."""
    answer = evaluate(question.grid(), facts.load())
    chart = next(piece for piece in decide.costs(answer) if isinstance(piece, Figure))
    return f"<style>{decide.STYLE}</style>{Pieces([*decide.bottom_line(answer), chart])._repr_html_()}"
