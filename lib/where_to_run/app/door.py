"""Door: how long the server waits for others, how fast a token can be guessed, and what of its inside gets out."""

import asyncio
import json
import secrets
import socket
from collections import defaultdict
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import PasswordIdentityProvider
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import HTTPError
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler, read_header_from_binary_message
from voila.voila_identity_provider import VoilaLoginHandler

PATIENCE_S = 30
"""Time that half a request, an answer nobody reads and a connection without a request are kept."""

CONNECTIONS = 256
"""Connections of one address; all who come through a proxy share one."""

LARGEST_FORM = 1 << 16
"""Bytes of a request: a token or a farewell; logs come by the page's websocket."""

WRONG_S = 1
"""Time a wrong token costs, and all of an address wait in line for."""


class Door(HTTPServer):
    """Tornado's server, with limits to what one address can hold and to how long."""

    def initialize(self, *arguments: Any, **options: Any) -> None:
        """Set the limits; the address of a visitor is what the proxy says."""
        limits: dict[str, Any] = {
            "xheaders": True,
            "idle_connection_timeout": PATIENCE_S,
            "body_timeout": PATIENCE_S,
            "max_body_size": LARGEST_FORM,
        }
        super().initialize(*arguments, **limits | options)
        self.open: list[tuple[IOStream, str]] = []

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Take a connection up, or close it where its address has as many as it can."""
        self.open = [(each, of) for each, of in self.open if not each.closed()]
        if sum(of == address[0] for _, of in self.open) >= CONNECTIONS:
            stream.close()
            return
        self.open.append((stream, address[0]))
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # the system closes what is not read for so long
            stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(PATIENCE_S * 1000))
        super().handle_stream(stream, address)


class Guests(PasswordIdentityProvider):  # type: ignore[misc]
    """Who knows the token. The guesses of an address are looked at one after the other, and a wrong one takes a while.

    Whoever is logged in has a cookie and waits for nobody.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"login_handler_class": Login})
        self.turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get_user(self, handler: Any) -> Any:
        """The user of a request, or None."""
        if not self.token or not self.get_token(handler) or self.get_user_cookie(handler):
            return await super().get_user(handler)
        async with self.turns[handler.request.remote_ip]:
            user = await super().get_user(handler)
            await asyncio.sleep(0 if user else WRONG_S)
        return user


class Login(VoilaLoginHandler):  # type: ignore[misc]
    """The page that asks for the token."""

    @allow_unauthenticated  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        """Let in who knows it."""
        async with self.identity_provider.turns[self.request.remote_ip]:
            super().post()
            await asyncio.sleep(0 if self.current_user else WRONG_S)


SECRET = secrets.token_urlsafe()
"""Part of the address at which warm kernels wait, which nobody else is told."""


class Waiting(RequestInfoSocketHandler):  # type: ignore[misc]
    """Where a warm kernel waits to be told of its visitor: kernels of this server alone, and one socket each."""

    async def get(self, kernel_id: str) -> None:
        """Let a kernel wait."""
        if kernel_id not in self.settings["kernel_manager"] or kernel_id in self._waiters:
            raise HTTPError(404)
        await super().get(kernel_id)

    def on_close(self) -> None:
        """Forget it."""
        for kernel_id in [each for each, waiter in self._waiters.items() if waiter is self]:
            del self._waiters[kernel_id]


class Channels(VoilaKernelWebsocketHandler):  # type: ignore[misc]
    """A page's line to its kernel. What the kernel prints and its errors go to the log, never to the page."""

    def write_message(self, message: Any, binary: bool = False) -> Any:
        """Send what the page is to have."""
        header = (
            read_header_from_binary_message(message) if isinstance(message, bytes) else json.loads(message)["header"]
        )
        if (header or {}).get("msg_type") not in ("stream", "error"):
            return super().write_message(message, binary)
        told = json.loads(deserialize_msg_from_ws_v1(message)[1][3] if isinstance(message, bytes) else message)
        told = told.get("content", told)
        self.log.warning("kernel %s: %s", self.kernel_id, told.get("text") or "\n".join(told.get("traceback", [])))
        return None

    def on_message(self, message: Any) -> None:
        """Pass on what a page says; what is no message ends the line with a word in the log."""
        try:
            super().on_message(message)
        except Exception as error:
            self.log.warning("closed a line to kernel %s: a broken message, %s", self.kernel_id, type(error).__name__)
            self.close(1003)
