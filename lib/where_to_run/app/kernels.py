"""Kernels for visitors: a seat for each, warm ones handed out, and ended when their page has gone."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Float, Integer
from voila.request_info_handler import RequestInfoSocketHandler

TRIES = 3
"""Warm kernels asked for before a visitor is told that none would start."""

MAKING_S = 300
"""Time a page may take to be made, after which its visitor counts as gone."""


class NoKernel(RuntimeError):
    """No kernel would start, whatever was tried."""


@dataclass(frozen=True)
class Warm:
    """A warm kernel and its page: what was rendered before the visitor came, and a generator of the rest."""

    kernel_id: str
    rendering: Any

    async def page(self) -> Any:
        """The page's HTML, piece by piece."""
        done, rest = await self.rendering
        for piece in done:
            yield piece
        async for piece, _ in rest:
            yield piece


class VisitorKernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """Voila's kernels, of which `seats` serve visitors at once; those waiting in its pool come on top.

    Voila makes a subclass of this one, with the pool of warm kernels. Its culler also ends kernels that were just
    handed out and whose page has not connected yet; the page would then wait for ever. Here only kernels with a
    visitor are ended, by the rules of `cull_kernel_if_idle`.
    """

    seats = Integer(8, help="visitors at once").tag(config=True)
    grace_s = Float(60, help="time a page has to connect to its kernel").tag(config=True)
    closed_s = Float(120, help="idle time after which the kernel of a closed page ends").tag(config=True)
    open_s = Float(7200, help="idle time after which the kernel of an open page ends").tag(config=True)

    def __init__(self, **options: Any) -> None:
        self.visits: dict[str, float] = {}
        self.arriving = 0
        self.starters: set[Any] = set()
        self.closing = False
        super().__init__(**options)

    def full(self) -> bool:
        """Whether every seat is taken, by a visitor with a kernel or one on the way to it."""
        self.visits = {kernel_id: since for kernel_id, since in self.visits.items() if kernel_id in self}
        return self.arriving + len(self.visits) >= self.seats

    async def seat(self, notebook: str) -> Warm:
        """A warm kernel of its own for a visitor; the seat counts as taken from the call on. Raises NoKernel."""
        self.arriving += 1
        try:
            warm = await self._alive(notebook)
            self.visits[warm.kernel_id] = time.monotonic() + MAKING_S
            return warm
        finally:
            self.arriving -= 1

    def sent(self, kernel_id: str) -> None:
        """From now on the page has `grace_s` to connect: it was sent whole, or its visitor has left."""
        if kernel_id in self.visits:
            self.visits[kernel_id] = time.monotonic()

    async def _alive(self, notebook: str) -> Warm:
        """The next kernel of the pool that lives; what died while waiting is cleared away and made up for."""
        for _ in range(TRIES):
            try:
                rendering, _, kernel_id = await self.get_rendered_notebook(notebook)
            except Exception:
                self.log.exception("a warm kernel did not start")
                self.fill_if_needed(delay=0, notebook_name=notebook)
                continue
            if await self.get_kernel(kernel_id).is_alive():
                return Warm(kernel_id, rendering)
            self.log.error("kernel %s died while it waited for a visitor", kernel_id)
            await self.shutdown_kernel(kernel_id, now=True)
        raise NoKernel

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a visitor's kernel that has died, whose page has closed, or whose open page nobody has used for long.

        A kernel at work counts as used while it says something; one that hangs does not, or it would hold its seat.
        """
        if kernel_id not in self.visits:
            return
        kernel = self.get_kernel(kernel_id)
        if not await kernel.is_alive():
            await self._end(kernel_id, "it died")
        elif time.monotonic() - self.visits[kernel_id] > self.grace_s:
            is_open = bool(self._kernel_connections.get(kernel_id, 0))
            idle_s = (datetime.now(UTC) - kernel.last_activity).total_seconds()
            if idle_s > (self.open_s if is_open else self.closed_s):
                await self._end(kernel_id, f"idle for {idle_s:.0f} s, page {'open' if is_open else 'closed'}")

    async def _end(self, kernel_id: str, reason: str) -> None:
        self.log.info("ending kernel %s: %s", kernel_id, reason)
        await self.shutdown_kernel(kernel_id, now=True)

    async def start_kernel(self, *arguments: Any, **options: Any) -> str:
        """Start a kernel, unless the server is closing; returns its id."""
        if self.closing:
            raise NoKernel("the server is closing")
        self.starters.add(asyncio.current_task())
        try:
            return str(await super().start_kernel(*arguments, **options))
        finally:
            self.starters.discard(asyncio.current_task())

    async def shutdown_kernel(self, kernel_id: str, *arguments: Any, **options: Any) -> None:
        """End a kernel; its seat is free at once."""
        self.visits.pop(kernel_id, None)
        RequestInfoSocketHandler._cache.pop(kernel_id, None)
        await super().shutdown_kernel(kernel_id, *arguments, **options)

    async def close(self) -> None:
        """End every kernel; one that is just starting is waited for, one that is yet to start does not."""
        self.closing = True
        for pool in self._pools.values():
            for task in [task for task in pool if not task.done() and task not in self.starters]:
                task.cancel()
                pool.remove(task)
            pool[:] = [task for task in pool if not (task.done() and task.exception())]
        await self.shutdown_all(now=True)
