"""Kernels for visitors: a seat for each, warm ones handed out, and ended when their page has gone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
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

LOOK_S, TELL_S = 0.2, 5
"""How often somebody who waits looks whether it is their turn, and is told the place though it is the same."""

LONGEST, LONGEST_OF_ONE = 200, 50
"""People who can wait in the line, and of one address."""

Tell = Callable[[int, bool], Awaitable[None]]


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

    fill_delay: float
    """Voila's: time after which the pool is filled again."""

    seats = Integer(8, help="visitors at once").tag(config=True)
    grace_s = Float(60, help="time a page has to connect to its kernel").tag(config=True)
    closed_s = Float(120, help="idle time after which the kernel of a closed page ends").tag(config=True)
    open_s = Float(7200, help="idle time after which the kernel of an open page ends").tag(config=True)
    turns = Integer(2, help="pages that are made at once").tag(config=True)
    turn_s = Float(5, help="time a page that was sent has to connect before the next has a turn").tag(config=True)

    def __init__(self, **options: Any) -> None:
        self.visits: dict[str, float] = {}
        self.loading: dict[str, float] = {}
        self.line: dict[object, str] = {}
        self.arriving = 0
        self.starters: set[Any] = set()
        self.closing = False
        super().__init__(**options)
        self.calm_delay = self.fill_delay

    def crowded(self, address: str) -> bool:
        """Whether too many wait already, in all or of one address."""
        return len(self.line) >= LONGEST or [*self.line.values()].count(address) >= LONGEST_OF_ONE

    @asynccontextmanager
    async def in_line(self, address: str, tell: Tell) -> AsyncIterator[None]:
        """Wait for a free seat and a turn to take it, first come, first served; `tell` is given the place meanwhile.

        Few pages are made at once, or all of them would be late.
        """
        ticket, told, at = object(), (0, False), 0.0
        self.line[ticket] = address
        try:
            while (place := 1 + [*self.line].index(ticket)) > 1 or not self._turn():
                now = place, self.full()
                if now != told or time.monotonic() - at > TELL_S:
                    told, at = now, time.monotonic()
                    await tell(*now)
                await asyncio.sleep(LOOK_S)
            if told[0]:
                await tell(0, False)  # who has left meanwhile takes no seat
            self.fill_delay = 0 if len(self.line) > 1 else self.calm_delay
            self.line.pop(ticket)
            yield
        finally:
            self.line.pop(ticket, None)

    def _turn(self) -> bool:
        """Whether the first in the line may go: a seat is free, and few pages are on their way."""
        now = time.monotonic()
        self.loading = {k: end for k, end in self.loading.items() if now < end and not self._connected(k)}
        return not self.full() and self.arriving + len(self.loading) < max(1, self.turns)

    def _connected(self, kernel_id: str) -> bool:
        """Whether a kernel has a page, or is gone."""
        return kernel_id not in self or bool(self._kernel_connections.get(kernel_id, 0))

    def full(self) -> bool:
        """Whether every seat is taken, by a visitor with a kernel or one on the way to it."""
        self.visits = {kernel_id: since for kernel_id, since in self.visits.items() if kernel_id in self}
        return self.arriving + len(self.visits) >= self.seats

    async def seat(self, notebook: str) -> Warm:
        """A warm kernel of its own for a visitor; the seat counts as taken from the call on. Raises NoKernel."""
        self.arriving += 1
        try:
            warm = await self._alive(notebook)
            self.visits[warm.kernel_id] = self.loading[warm.kernel_id] = time.monotonic() + MAKING_S
            return warm
        finally:
            self.arriving -= 1

    def sent(self, kernel_id: str) -> None:
        """From now on the page has `grace_s` to connect: it was sent whole, or its visitor has left."""
        if kernel_id in self.visits:
            self.visits[kernel_id] = time.monotonic()
            self.loading[kernel_id] = time.monotonic() + self.turn_s

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
