"""Store: a folder on this machine or in an object store, in which a file is there whole or not at all."""

import fcntl
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from ..inputs.question import ScenarioError

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
        self.local = isinstance(self.fs, LocalFileSystem)
        self.root = root.rstrip("/")

    def path(self, name: str) -> str:
        """Full path of a file by its name within the folder."""
        return f"{self.root}/{name}"

    def names(self, folder: str) -> set[str]:
        """Names of the files and folders in a folder; none where it is not there."""
        self.fs.invalidate_cache()
        with suppress(FileNotFoundError, NotADirectoryError), self._reached():
            return {found.rstrip("/").rsplit("/", 1)[-1] for found in self.fs.ls(self.path(folder), detail=False)}
        return set()

    def read(self, name: str) -> bytes | None:
        """What a file holds; None where it is not there."""
        with suppress(FileNotFoundError, NotADirectoryError), self._reached():
            return bytes(self.fs.cat_file(self.path(name)))
        return None

    def write(self, name: str, content: bytes) -> None:
        """Write a file at once: aside, to the disk, and renamed; an object store does as much by itself."""
        if not self.local:
            with self._reached():
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
        with _opened(target.parent) as folder:
            os.fsync(folder)

    def remove(self, name: str) -> None:
        """Take a file away, if it is there."""
        with suppress(FileNotFoundError), self._reached():
            self.fs.rm_file(self.path(name))

    def check(self) -> None:
        """Refuse, before any work, a folder that cannot be written (`OSError`)."""
        new = [path for path in (Path(self.root), *Path(self.root).parents) if self.local and not path.exists()]
        self.write(f"{ASIDE}check", b"written to see whether it can be")
        self.remove(f"{ASIDE}check")
        for path in new:
            path.rmdir()

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """What an object store fails with, as a credential that is not there, is an OSError like a disk's."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{self.address}: {type(error).__name__}: {error}") from error

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Keep other sweeps out of a local folder meanwhile, and clear what workers that were killed left aside.

        The lock goes with the process that has it, however that ends.
        """
        if not self.local:
            yield
            return
        Path(self.root).mkdir(parents=True, exist_ok=True)
        with _opened(Path(self.root)) as folder:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise ScenarioError(f"another sweep is writing to {self.root}; let it end, or name a new one") from None
            self._clear()
            yield
            self._clear()

    def _clear(self) -> None:
        for left in Path(self.root).rglob(f"{ASIDE}*"):
            left.unlink(missing_ok=True)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """A folder as the system has it open: to lock it, or to have the disk keep the names in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def check_folder(folder: Path, names: Collection[str], what: str) -> None:
    """Refuse, before any work, a folder that holds other names than those of `what` is made, or cannot be written
    (`OSError`).
    """
    if folder.exists() and not (
        folder.is_dir() and all(path.name in names or path.name.startswith(ASIDE) for path in folder.iterdir())
    ):
        raise ScenarioError(f"{folder.absolute()} exists and holds other things than {what}; name a new folder")
    Store(str(folder.absolute())).check()


def write_files(folder: Path, files: Mapping[str, bytes], names: Collection[str] = ()) -> Path:
    """Write files made in memory into a folder, one after the other and the last one last; returns the folder.

    Of `names`, those of an older kind that are not made now go.
    """
    store = Store(str(folder.absolute()))
    for name in {*names} - {*files}:
        store.remove(name)
    for name, content in files.items():
        store.write(name, content)
    return folder.absolute()
