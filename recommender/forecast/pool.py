"""Many fits in processes, each with a time limit: one that overruns is ended, the others go on.

``concurrent.futures`` and ``multiprocessing.Pool`` cannot end one task of many.  Processes are
spawned, never forked, because the caller may have threads.  They end with the call, whatever
happens; a process whose parent was killed ends at its next word to it.

A process that is itself a daemon of ``multiprocessing`` (a worker of a Dask nanny is one) may not
start others: there, call ``named.fit.fit_forecast`` instead.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

from recommender.errors import ContractError
from recommender.forecast.named.fit import NamedForecast, check, fit_forecast, without_value
from recommender.forecast.named.fits import load
from recommender.forecast.named.reason import Reason
from recommender.observation import Floats

LIMIT_S = 20.0
START_LIMIT_S = 120.0
"""To start a process and load its libraries; no part of the limit of a fit."""
LOOK_S = 0.5
"""Between two looks at whether the answers are still wanted."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NamedFit:
    """The arguments of one ``fit_forecast``."""

    history: Floats
    model: str
    season_blocks: int
    horizon_blocks: int
    levels: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done(Generic[Answer]):
    """What became of one item: an answer, or the reason why there is none."""

    answer: Answer | None
    reason: Reason | None
    seconds: float


def fit_all(
    fits: Sequence[NamedFit],
    *,
    clock: Callable[[], float],
    limit_s: float = LIMIT_S,
    processes: int = 2,
    is_wanted: Callable[[], bool] = lambda: True,
) -> list[NamedForecast]:
    """Return the forecasts in the order of ``fits``.

    ``clock`` gives seconds that never run backwards (``time.monotonic``).  A fit that takes longer
    than ``limit_s`` has the reason ``TIMED_OUT``, one whose process died ``ENDED``, and so have all
    that are not done when they are no longer wanted.  Raises as ``fit_forecast`` does, before any
    process is started.
    """
    for fit in fits:
        check(
            fit.history,
            model=fit.model,
            season_blocks=fit.season_blocks,
            horizon_blocks=fit.horizon_blocks,
            levels=fit.levels,
        )
    done = run_each(
        _fit,
        fits,
        clock=clock,
        limit_s=limit_s,
        processes=processes,
        prepare=load,
        is_wanted=is_wanted,
    )
    return [
        replace(
            without_value(each.reason or Reason.ENDED, fit.horizon_blocks, len(fit.levels))
            if each.answer is None
            else each.answer,
            seconds=each.seconds,
        )
        for fit, each in zip(fits, done, strict=True)
    ]


def run_each(
    task: Callable[[Item], Answer],
    items: Sequence[Item],
    *,
    clock: Callable[[], float],
    limit_s: float,
    processes: int,
    prepare: Callable[[], None] | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> list[Done[Answer]]:
    """Return what became of ``task(item)`` for each item, in their order.

    ``task`` is a function of a module, items and answers can be pickled; ``prepare`` is called
    once in each process, before the time of its first item begins.  Once the answers are no longer
    wanted, what is not done has the reason ``ENDED``.
    """
    if limit_s <= 0 or processes < 1:
        raise ContractError(f"limit_s {limit_s}, processes {processes}; allowed: above 0")
    waiting = deque(range(len(items)))
    done: dict[int, Done[Answer]] = {}
    workers: list[_Worker[Item, Answer]] = []
    try:
        while len(done) < len(items) and is_wanted():
            while waiting and len(workers) < processes:
                workers.append(_Worker(task, prepare, waiting.popleft(), clock()))
            _wait(workers, clock())
            for worker in tuple(workers):
                outcome = worker.step(items, clock(), limit_s)
                if outcome is None:
                    continue
                done[worker.position] = outcome
                if outcome.reason is None and waiting:
                    worker.take(waiting.popleft(), items, clock(), limit_s)
                else:
                    workers.remove(worker)
                    worker.end()
    finally:
        for worker in workers:
            worker.end()
    ended: Done[Answer] = Done(answer=None, reason=Reason.ENDED, seconds=0.0)
    return [done.get(position, ended) for position in range(len(items))]


def _fit(fit: NamedFit) -> NamedForecast:
    return fit_forecast(
        fit.history,
        model=fit.model,
        season_blocks=fit.season_blocks,
        horizon_blocks=fit.horizon_blocks,
        levels=fit.levels,
    )


class _Worker(Generic[Item, Answer]):
    """A process that works on one item after another."""

    def __init__(
        self,
        task: Callable[[Item], Answer],
        prepare: Callable[[], None] | None,
        position: int,
        now_s: float,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(task, prepare, far_end), daemon=True)
        self._process.start()
        far_end.close()
        self.position = position
        self.deadline_s = now_s + START_LIMIT_S
        self._begun_s: float | None = None
        """None until it has loaded its libraries."""

    @property
    def connection(self) -> Connection:
        """Readable when there is an answer, or the process has ended."""
        return self._connection

    def step(self, items: Sequence[Item], now_s: float, limit_s: float) -> Done[Answer] | None:
        """Return what became of its item; None while it is at work."""
        if self._connection.poll():
            try:
                answer = self._connection.recv()
                if self._begun_s is not None:
                    return Done(answer=answer, reason=None, seconds=now_s - self._begun_s)
                self.take(self.position, items, now_s, limit_s)
            except (EOFError, ConnectionResetError):
                return self._without(Reason.ENDED, now_s)
        if now_s < self.deadline_s:
            return None
        return self._without(Reason.ENDED if self._begun_s is None else Reason.TIMED_OUT, now_s)

    def _without(self, reason: Reason, now_s: float) -> Done[Answer]:
        begun_s = now_s if self._begun_s is None else self._begun_s
        return Done(answer=None, reason=reason, seconds=now_s - begun_s)

    def take(self, position: int, items: Sequence[Item], now_s: float, limit_s: float) -> None:
        """Work on an item from now on."""
        self.position, self._begun_s, self.deadline_s = position, now_s, now_s + limit_s
        with suppress(BrokenPipeError):  # it has ended, which the next step finds
            self._connection.send(items[position])

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._connection.close()


def _wait(workers: Sequence[_Worker[Item, Answer]], now_s: float) -> None:
    """Wait for an answer, the end of a process or the first deadline, at most ``LOOK_S``."""
    first_s = min(worker.deadline_s for worker in workers)
    left_s = min(max(0.0, first_s - now_s), LOOK_S)
    wait([worker.connection for worker in workers], timeout=left_s)


def _serve(
    task: Callable[[Item], Answer], prepare: Callable[[], None] | None, connection: Connection
) -> None:
    """Run in the process: say that it is ready, then answer each item."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who ends this process
    if prepare is not None:
        prepare()
    with suppress(EOFError, BrokenPipeError):  # the parent has ended
        connection.send(None)
        while True:
            connection.send(task(connection.recv()))
