"""A visit to the app: the page's head and an example at once, then the rest from a warm kernel of the visitor's own."""

import posixpath
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, authenticated
from voila._version import __version__
from voila.request_info_handler import RequestInfoSocketHandler
from voila.static_file_handler import TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.utils import ENV_VARIABLE

from .kernels import VisitorKernels, Warm
from .sharing import NOT_OURS

RETRY_S = 10
"""Time after which a visitor who found no seat is let try again; the page does so by itself."""


class Visit(TornadoVoilaHandler):  # type: ignore[misc]
    """The page at the base URL; every other address of the server that nothing else serves is not found."""

    @authenticated
    async def get(self, path: str = "") -> None:
        """Write the page, or a page with status 503 where every seat is taken."""
        if path:
            raise HTTPError(404)
        kernels: VisitorKernels = self.kernel_manager
        if kernels.full():
            return self._turn_away(kernels.seats)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.write(self.render_template("opening.html", **self._opening()))
        self.flush()  # not waited for: the seat is taken before anybody else is asked
        try:
            warm = await kernels.seat(self.notebook_path)
            try:
                await self._rest(warm)
            finally:
                kernels.sent(warm.kernel_id)
        except StreamClosedError:
            self.log.info("a visitor left before the page was made")
        except Exception:
            self.log.exception("the page could not be made")
            self.finish(self.render_template("trouble.html"))

    def _turn_away(self, seats: int) -> None:
        self.log.warning("turned a visitor away: all %d seats are taken", seats)
        self.set_status(503)
        self.set_header("Retry-After", str(RETRY_S))
        self.finish(self.render_template("503.html", retry_s=RETRY_S))

    def _opening(self) -> dict[str, Any]:
        """What the head of the page says; a link to a scenario of its own is not shown the example."""
        return {
            "example": self.settings["example"](),
            "asked": bool(set(self.request.query_arguments) - NOT_OURS),
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
