"""Stores: a folder on this machine or in an object store, in which a file is there whole or not at all."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec

from .scenario import ScenarioError

ASIDE = ".aside-"
"""Start of the name of a file that is still being written; readers of Parquet folders pass it over."""


class Store:
    """A folder of any kind fsspec knows, by its address: a path, s3://bucket/folder, gs://..."""

    def __init__(self, address: str) -> None:
        self.address = address
        try:
            self.fs, root = fsspec.core.url_to_fs(address)
        except ImportError as error:
            raise ScenarioError(f"{address}: {error}. Install that package beside this one") from None
        except ValueError as error:
            raise ScenarioError(f"{address} is no folder that can be written: {error}") from None
        protocols = [self.fs.protocol] if isinstance(self.fs.protocol, str) else self.fs.protocol
        self.local = "file" in protocols
        self.root = str(Path(root).absolute()) if self.local else root.rstrip("/")

    def path(self, name: str) -> str:
        """Full path of a file by its name within the folder."""
        return f"{self.root}/{name}"

    def names(self, folder: str) -> set[str]:
        """Names of the files and folders in a folder; none where it is not there."""
        self.fs.invalidate_cache()
        try:
            return {found.rstrip("/").rsplit("/", 1)[-1] for found in self.fs.ls(self.path(folder), detail=False)}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where it is not there."""
        try:
            return bytes(self.fs.cat_file(self.path(name)))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file at once: aside, to the disk, and renamed; an object store does as much by itself."""
        if not self.local:
            self.fs.pipe_file(self.path(name), content)
            return
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=ASIDE, dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(aside).chmod(0o644)
            Path(aside).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(aside).unlink()
            raise
        _settle(target.parent)

    def check(self) -> None:
        """Refuse, before any work, a folder that cannot be written (`OSError`)."""
        new = [path for path in (Path(self.root), *Path(self.root).parents) if self.local and not path.exists()]
        self.write(f"{ASIDE}check", b"written to see whether it can be")
        self.fs.rm_file(self.path(f"{ASIDE}check"))
        for path in new:
            path.rmdir()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Keep other sweeps out of a local folder meanwhile, and clear what workers that were killed left aside.

        The lock goes with the process that has it, however that ends.
        """
        if not self.local:
            yield
            return
        Path(self.root).mkdir(parents=True, exist_ok=True)
        held = os.open(self.root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ScenarioError(f"another sweep is writing to {self.root}; let it end, or name a new one") from None
            self._clear()
            yield
            self._clear()
        finally:
            os.close(held)

    def _clear(self) -> None:
        for folder in ("", "results.parquet"):
            for left in Path(self.path(folder)).glob(f"{ASIDE}*"):
                left.unlink(missing_ok=True)
        for left in Path(self.path("reports")).glob(".*"):
            shutil.rmtree(left, ignore_errors=True)


def _settle(folder: Path) -> None:
    """Have the disk keep the names in a folder too."""
    handle: Any = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
