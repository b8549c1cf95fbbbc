"""Cluster: a Dask client on workers of this machine, or on a scheduler elsewhere."""

import os
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dask
from distributed import Client, LocalCluster, as_completed
from distributed.comm.core import CommClosedError

from .scenario import ScenarioError

PATIENCE = int(os.environ.get("WHERE_TO_RUN_PATIENCE", "15"))
"""Seconds a scheduler has to answer, and after that for a first worker to be there."""

ENVIRONMENT = {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1}
"""What workers of this machine start with: Dask's own, without the setting that gives memory back after every array."""

AHEAD = 3
"""Tasks waiting for each thread of a worker: enough that none is idle, few enough that little is in memory."""


class ClusterError(ScenarioError):
    """A scheduler or workers that cannot be had; the text says which and what to do."""


@contextmanager
def client(scheduler: str = "", workers: int = 0) -> Iterator[Any]:
    """A Dask client: of the scheduler at an address, or of as many workers of this machine as it has processors."""
    if scheduler:
        with _remote(scheduler) as found:
            yield found
        return
    number = workers or os.cpu_count() or 1
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRONMENT}),
        LocalCluster(
            n_workers=number, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        Client(cluster) as found,
    ):
        yield found


@contextmanager
def _remote(scheduler: str) -> Iterator[Any]:
    try:
        found = Client(scheduler, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterError(
            f"the scheduler {scheduler} does not answer within {PATIENCE} s: {error}. "
            "Is it running, and its port open? Without --scheduler the sweep runs on this machine"
        ) from None
    with found:
        try:
            found.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ClusterError(f"the scheduler {scheduler} has no worker; start one: dask worker {scheduler}") from None
        yield found


def each(
    found: Any, task: Callable[..., Any], shared: bytes, items: Iterable[Any]
) -> Iterator[tuple[Any, Any, BaseException | None]]:
    """Run `task(shared, item)` for every item, a few ahead of the workers: item, result, error, in order of ending.

    A worker that dies hands its tasks to the others; one that several workers died of is told as an error.
    """
    packed = found.submit(_same, shared, pure=False)
    waiting = iter(items)
    under_way: dict[Any, Any] = {}
    ending = as_completed()

    def more() -> None:
        room = AHEAD * max(1, sum(found.nthreads().values())) - len(under_way)
        for _, item in zip(range(room), waiting, strict=False):
            future = found.submit(task, packed, item, pure=False)
            under_way[future] = item
            ending.add(future)

    more()
    while under_way:
        future = next(ending)
        item = under_way.pop(future)
        try:
            error = future.exception()
        except CancelledError:
            raise ClusterError("the scheduler was lost. What is done stays; run the same again to go on") from None
        result = None if error else future.result()
        future.release()
        yield item, result, error
        more()


def _same(value: Any) -> Any:
    return value


def refused(error: BaseException) -> bool:
    """Whether what failed on a worker would fail everywhere: no room to write, or other software."""
    passing = isinstance(error, TimeoutError | ConnectionError | CommClosedError)
    return isinstance(error, OSError | ScenarioError) and not passing
