"""Upload: a log that comes from a visitor in parts, put together in memory and read beside the conversation."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import logs
from .layouts import UsageError
from .usage import Usage, usage

log = logging.getLogger(__name__)

LARGEST = 100_000_000
"""Bytes of a log that can be uploaded."""

FAILED = "The log could not be read. What went wrong is written to the log of the server."


class Upload:
    """Logs from a visitor, one at a time; `done` is called in the loop with what each says, or None and why not."""

    def __init__(self, done: Callable[[Usage | None, str], None]) -> None:
        self.done = done
        self._parts = bytearray()
        self._aside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="upload")

    def take(self, message: Mapping[str, Any], buffers: Sequence[Any]) -> str:
        """Take a part of a log, and have the log read when it is whole; says how far it is."""
        size, at, name = int(message["size"]), int(message["at"]), str(message["name"])[:60]
        if size > LARGEST:
            raise UsageError(f"{name} has {size:,} bytes; at most {LARGEST:,} can be uploaded. Pack it with gzip")
        self._parts = self._parts if at else bytearray()
        if at != len(self._parts) or not size:
            raise UsageError(f"{name} is empty, or did not come whole; choose it again")
        self._parts += buffers[0]
        if len(self._parts) < size:
            return f"Taking {name}: {len(self._parts) / size:.0%}"
        given, self._parts = bytes(self._parts), bytearray()
        columns = {str(role): str(text).strip()[:200] for role, text in dict(message["columns"]).items()}
        zone = str(message["zone"]).strip() or "UTC"
        self._aside.submit(self._read, asyncio.get_running_loop(), given, columns, zone)
        return f"Reading {name}"

    def _read(self, loop: asyncio.AbstractEventLoop, given: bytes, columns: dict[str, str], zone: str) -> None:
        found, words = None, ""
        try:
            found = usage(logs.read(given, columns, zone))
        except UsageError as error:
            words = f"The log could not be read: {error}"
        except Exception:
            log.exception("a log could not be read")
            words = FAILED
        loop.call_soon_threadsafe(self.done, found, words)
