"""A loop that somebody looks at: its board, filled after ticks, and its page as a real server."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from autoscaler.clock import VirtualClock
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.scaling.page.about import About
from autoscaler.scaling.page.application import page_application
from autoscaler.scaling.page.board import Board
from recommender.policy.model import Mode
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, view
from tests.autoscaler.scaling.histories import read_history

HOUR = 3600
DEADLINE_S = 30.0
ABOUT = About(
    source="https://prometheus.example (agent)",
    tool_version="1.2.3",
    since_s=14 * 86400,
    step_s=15,
    promql=lambda resource, namespace, workload: (f"{resource} of {namespace}/{workload}",),
)


@dataclass
class Watched:
    """A loop with its board; ``tick`` runs it and waits until a report that it began is there."""

    loop: Loop
    board: Board
    cluster: StandingCluster
    source: ListSource
    clock: VirtualClock
    seconds: list[float]
    """Monotonic time of the board, to be moved by the test."""
    holds: tuple[str, ...] = ()

    def tick(self, after_s: int = 0):
        if after_s:
            self.clock.advance_to(self.clock.now_s() + after_s)
            self.seconds[0] += after_s
        tick = self.loop.tick()
        self.board.follow(self.loop, tick, holds=self.holds)
        finish(self.board)
        return tick


def finish(board):
    """Wait until the report that is being made, if there is one, is finished."""
    board._thread.submit(int).result(DEADLINE_S)


@contextmanager
def watched(*views, mode=Mode.APPLY, use=76.0, hours=2, about=ABOUT, **options):
    """Yield a loop whose workload used ``use`` TFLOPS for some hours; nothing has ticked."""
    source, clock = ListSource("tflops", "vram_bytes"), VirtualClock(START + hours * HOUR)
    views = views or (view("chat", "auto-limits"),)
    for item in views:
        for ts in range(START, START + hours * HOUR, 15):
            labels = {
                "namespace": item.namespace,
                "workload": item.workload,
                "worker": f"{item.workload}-0",
            }
            source.put("tflops", ts, use, **labels)
    cluster = StandingCluster(*views)
    loop = Loop(cluster, source, clock, UsageModel((TFLOPS, VRAM)), LoopSettings(mode=mode))
    read_history(loop, START)
    seconds = [1000.0]
    board = Board(about, monotonic_s=lambda: seconds[0], **options)
    try:
        yield Watched(loop, board, cluster, source, clock, seconds)
    finally:
        board.close()


@contextmanager
def reported(*views, **options):
    """Yield a loop that ticked once and has a report."""
    with watched(*views, **options) as seen:
        seen.board.ask()
        seen.tick()
        yield seen


@contextmanager
def serving(application: web.Application):
    """Serve an application on a free port of this machine; yields its address."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(application)

    def run():
        asyncio.set_event_loop(loop)
        loop.run_forever()

    thread = threading.Thread(target=run)
    thread.start()

    async def start():
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner.addresses[0][1]

    try:
        port = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def served(seen: Watched, *, token=None, wait_s=5.0):
    """Serve the page of a loop; yields its address."""
    with serving(page_application(seen.board, token=token, wait_s=wait_s)) as url:
        yield url
