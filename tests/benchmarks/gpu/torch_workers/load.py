"""A PyTorch worker under load: ``load.py WORK REPORT_MS PIECES_PER_WAIT``, as the program ``load``.

It imports PyTorch and the standard library alone, so that it runs in any image with PyTorch.  It
starts paused; commands on stdin: "go", "pause", "duty RATIO", and "duty RATIO led": each batch
begins behind a kernel that lasts while it is launched.  It prints {"ready": pid}, then
{"at_ns", "ended", "busy_ns"}: pieces of work by a time of CLOCK_MONOTONIC, and how long these had
the card, which is right only where nothing else holds them back.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable

import torch

Piece = Callable[[], object]
BATCH_S = 0.002
"""Of work that is waited for at once; two batches are under way."""
TRIES = 5
PAUSE_S = 0.001
CYCLES_PER_S, LEAST_LEAD_S, LEAD_OF_LAUNCHES = 2_000_000_000, 0.0002, 2
"""Without a lead, the time that a batch has the card has in it what its launches take."""
NS, NS_PER_MS = 1_000_000_000, 1_000_000


class Batch:
    """Pieces of work between two events."""

    def __init__(self) -> None:
        self.begin, self.end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def launch(self, piece: Piece, count: int, lead_s: float) -> None:
        if lead_s > 0:
            torch.cuda._sleep(round(lead_s * CYCLES_PER_S))
        self.begin.record()
        for _ in range(count):
            piece()
        self.end.record()

    def busy_ns(self) -> int:
        """Wait until it has ended; return how long it took."""
        self.end.synchronize()
        return round(self.begin.elapsed_time(self.end) * NS_PER_MS)


class Commands:
    """What was said last on stdin."""

    def __init__(self) -> None:
        self.is_paused, self.duty, self.is_led, self.has_ended = True, 1.0, False, False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            word, _, value = line.strip().partition(" ")
            if word == "duty":
                ratio, _, led = value.partition(" ")
                self.duty, self.is_led = float(ratio), led == "led"
            elif word in {"go", "pause"}:
                self.is_paused = word == "pause"
        self.has_ended = True


def piece_of(work: str) -> Piece:
    """Return one piece of a work, such as "gemm:4096"."""
    kind, _, size = work.partition(":")
    if kind == "gemm":
        return gemm(int(size))
    if kind == "elementwise":
        return elementwise(int(size))
    parts = [elementwise(2**20), gemm(4096), elementwise(2**23), gemm(8192)]
    if kind == "mixed":
        return lambda: [part() for part in parts]
    if kind == "graph":
        return captured([elementwise(2**23)] * 10)
    raise SystemExit(f"{work!r} is no work")


def gemm(rows: int) -> Piece:
    left, right, out = (torch.randn(rows, rows, device="cuda").bfloat16() for _ in range(3))
    return lambda: torch.matmul(left, right, out=out)


def elementwise(count: int) -> Piece:
    values = torch.ones(count, device="cuda")
    return lambda: values.mul_(1.0)


def captured(parts: list[Piece]) -> Piece:
    """Return the replay of a graph of some pieces."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for part in parts:
            part()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for part in parts:
            part()
    return graph.replay


def seconds_of(piece: Piece, count: int) -> float:
    """Return how long a piece takes, many at once, from the shortest of some tries."""
    shortest_s = float("inf")
    for _ in range(TRIES):
        begin_s = time.monotonic()
        for _ in range(count):
            piece()
        torch.cuda.synchronize()
        shortest_s = min(shortest_s, time.monotonic() - begin_s)
    return shortest_s / count


def lead_of(piece: Piece, count: int) -> float:
    """Return how long the card must have other work while some pieces are launched."""
    torch.cuda.synchronize()
    begin_s = time.monotonic()
    for _ in range(count):
        piece()
    launched_s = time.monotonic() - begin_s
    torch.cuda.synchronize()
    return max(LEAD_OF_LAUNCHES * launched_s, LEAST_LEAD_S)


def work_on(
    piece: Piece,
    commands: Commands,
    report_ns: int,
    batch: int,
    piece_s: float,
    lead_s: float,
    under_way: int,
) -> None:
    """Work until the commands end: in batches, of which so many are under way."""
    ended, busy_ns = 0, 0
    free = [Batch() for _ in range(under_way)]
    pending: list[Batch] = []
    reported_ns = 0
    due_s = time.monotonic()
    while not commands.has_ended:
        if not commands.is_paused:
            due_s = paced(due_s, batch * piece_s, commands.duty)
            pending.append(free.pop())
            pending[-1].launch(piece, batch, lead_s if commands.is_led else 0)
        if not free or (pending and commands.is_paused):
            oldest = pending.pop(0)
            oldest_ns = oldest.busy_ns()
            busy_ns += oldest_ns
            if commands.is_led:
                # What it takes now: under a high load the clock falls.
                piece_s = oldest_ns / NS / batch
            ended += batch
            free.append(oldest)
        elif commands.is_paused:
            time.sleep(PAUSE_S)
        now_ns = time.monotonic_ns()
        if now_ns - reported_ns >= report_ns:
            reported_ns = now_ns
            print(json.dumps({"at_ns": now_ns, "ended": ended, "busy_ns": busy_ns}), flush=True)


def paced(due_s: float, work_s: float, duty: float) -> float:
    """Wait until work is due; return when the next is.  A lag of a second is not made up for."""
    now_s = time.monotonic()
    if duty >= 1 or due_s + 1 < now_s:
        return now_s
    time.sleep(max(due_s - now_s, 0))
    return due_s + work_s / duty


def main() -> None:
    torch.cuda.init()
    piece = piece_of(sys.argv[1])
    # Before it is ready, because neighbours are at work afterwards; the first try wakes the card.
    seconds_of(piece, 1)
    report_ns, per_wait = int(sys.argv[2]) * NS // 1000, int(sys.argv[3])
    batch = per_wait or max(int(BATCH_S / seconds_of(piece, 1)), 1)
    piece_s, lead_s = seconds_of(piece, batch), lead_of(piece, batch)
    commands = Commands()
    print(json.dumps({"ready": os.getpid(), "tells_busy": True}), flush=True)
    under_way = 1 if per_wait else 2
    work_on(piece, commands, report_ns, batch, piece_s, lead_s, under_way)


if __name__ == "__main__":
    main()
