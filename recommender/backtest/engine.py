"""Where the parts of a back-test run: local processes, or a Dask cluster.

joblib carries the parts, so the same call runs on both, and results come back in order.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from recommender.errors import InvalidValueError, RecommenderError

if TYPE_CHECKING:
    from distributed import Client

Part = TypeVar("Part")
Result = TypeVar("Result")
LOCAL = "local"
ENGINES = "local, or dask://HOST:PORT of a Dask scheduler"
PACKAGE = "recommender"
CONNECT_TIMEOUT_S = 10
LOOK_S = 1.0
"""How often a run looks whether its scheduler is still there."""
_DASK = re.compile(r"dask://(?P<address>[^/\s]+:(?P<port>[0-9]{1,5}))/?")
_LARGEST_PORT = 65535


class EngineError(RecommenderError):
    """A cluster does not answer, or failed while it worked."""


def run_parts(
    work: Callable[[Part], Result], parts: Iterable[Part], *, engine: str, jobs: int
) -> Iterator[Result]:
    """Yield the results of all parts in their order; parts are taken when they are needed.

    ``engine`` is ``local`` with ``jobs`` processes (-1: one per core), or ``dask://HOST:PORT`` of a
    scheduler whose workers have this package installed.  Raises ``InvalidValueError`` for an engine
    or a number of processes that cannot be used, ``EngineError`` when a cluster does not answer or
    fails.
    """
    from joblib import Parallel, delayed

    if jobs == 0 or jobs < -1:
        raise InvalidValueError("jobs", jobs, "1 or more, or -1 for one process per core")
    if engine == LOCAL:
        yield from Parallel(n_jobs=jobs, return_as="generator")(delayed(work)(p) for p in parts)
        return
    # joblib would leave a client of its own behind, which looks for its scheduler for ever
    with _client(engine) as client:
        _check_workers(client, engine)
        yield from _on_dask(work, parts, client, engine)


def _client(engine: str) -> Client:
    """Connect to a scheduler.  Raises ``InvalidValueError``, ``EngineError``."""
    match = _DASK.fullmatch(engine)
    if match is None or not 0 < int(match["port"]) <= _LARGEST_PORT:
        raise InvalidValueError("engine", engine, ENGINES)
    if importlib.util.find_spec("distributed") is None:
        raise InvalidValueError("engine", engine, f"{ENGINES}; the extra 'dask' is not installed")
    from distributed import Client

    try:
        return Client(match["address"], timeout=CONNECT_TIMEOUT_S)  # type: ignore[no-untyped-call]
    except ValueError as error:
        raise InvalidValueError("engine", engine, f"{ENGINES} ({error})") from error
    except OSError as error:
        raise EngineError(f"{engine}: no scheduler answers there ({error})") from error


def _check_workers(client: Client, engine: str) -> None:
    """Ask every worker for this package: joblib would wait for ever for one that lacks it."""
    found = client.run(importlib.util.find_spec, PACKAGE, on_error="return")
    if not found:
        raise EngineError(f"{engine}: the scheduler has no worker; start one with dask worker")
    lacking = [
        address for address, spec in found.items() if spec is None or isinstance(spec, Exception)
    ]
    if lacking:
        raise EngineError(
            f"{engine}: {', '.join(lacking)} lacks the package {PACKAGE}; install the version of "
            "this command on every worker"
        )


def _on_dask(
    work: Callable[[Part], Result], parts: Iterable[Part], client: Client, engine: str
) -> Iterator[Result]:
    """Run on a cluster, and give up when its scheduler went away: joblib alone never would."""
    from distributed.scheduler import KilledWorker
    from joblib import Parallel, delayed, parallel_config

    done: SimpleQueue[tuple[Result] | BaseException | None] = SimpleQueue()

    def carry() -> None:
        try:
            with parallel_config("dask", client=client):
                for result in Parallel(return_as="generator")(delayed(work)(p) for p in parts):
                    done.put((result,))
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for it
            done.put(error)
        else:
            done.put(None)

    Thread(target=carry, name="back-test on dask", daemon=True).start()
    while (found := _next(done, client, engine)) is not None:
        if isinstance(found, tuple):
            yield found[0]
        elif isinstance(found, OSError | ImportError | CancelledError | KilledWorker):
            raise EngineError(f"{engine}: {' '.join(str(found).split())}") from found
        else:
            raise found


def _next(
    done: SimpleQueue[tuple[Result] | BaseException | None], client: Client, engine: str
) -> tuple[Result] | BaseException | None:
    while True:
        try:
            return done.get(timeout=LOOK_S)
        except Empty:
            if client.status in {"closing", "closed"}:
                raise EngineError(f"{engine}: the scheduler went away") from None
