"""What serving frameworks do to a process, one way at a time: ``frameworks.py WAY``.

It ends with 0 where all went well and the results are right.
"""

import os
import subprocess
import sys
from collections.abc import Callable

import torch
from torch import multiprocessing

ROWS, STREAMS, TURNS, PROCESSES = 1024, 4, 50, 2


def product() -> torch.Tensor:
    values = torch.ones(ROWS, ROWS, device="cuda")
    return values @ values


def must_be_right(result: torch.Tensor) -> None:
    if not bool((result == ROWS).all()):
        raise SystemExit(f"a product is wrong: {result.flatten()[0].item()} and not {ROWS}")


def streams() -> None:
    """Multiply on several streams, one of which waits for the others."""
    side = [torch.cuda.Stream() for _ in range(STREAMS)]
    results = []
    for turn in range(TURNS):
        with torch.cuda.stream(side[turn % STREAMS]):
            results.append(product())
    for stream in side:
        torch.cuda.current_stream().wait_stream(stream)
    must_be_right(torch.stack(results[-STREAMS:]).amax(0))


def graph() -> None:
    """Capture a graph and replay it."""
    product()
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        result = product()
    for _ in range(TURNS):
        captured.replay()
    must_be_right(result)


def fork() -> None:
    """Fork from a process with a context, as loaders of data do, which use no CUDA."""
    must_be_right(product())
    children = []
    for _ in range(PROCESSES):
        pid = os.fork()
        if pid == 0:
            os._exit(0 if torch.ones(10).sum().item() == 10 else 1)
        children.append(pid)
    for pid in children:
        _, status = os.waitpid(pid, 0)
        if status != 0:
            raise SystemExit(f"a forked process ended with status {status}")
    must_be_right(product())


def execute() -> None:
    """Run another program, with CUDA, from a process with a context."""
    must_be_right(product())
    subprocess.run([sys.executable, __file__, "streams"], check=True)


def in_child() -> None:
    must_be_right(product())


def spawn() -> None:
    """Start processes by the framework's own multiprocessing, all with CUDA."""
    must_be_right(product())
    context = multiprocessing.get_context("spawn")
    children = [context.Process(target=in_child) for _ in range(PROCESSES)]
    for child in children:
        child.start()
    for child in children:
        child.join()
        if child.exitcode != 0:
            raise SystemExit(f"a spawned process ended with {child.exitcode}")


def compiled() -> None:
    """Compile a function, which then has graphs of its own."""
    function = torch.compile(lambda values: (values @ values).relu(), mode="reduce-overhead")
    values = torch.ones(ROWS, ROWS, device="cuda")
    for _ in range(TURNS):
        result = function(values)
    must_be_right(result)


WAYS: dict[str, Callable[[], None]] = {
    "streams": streams,
    "graph": graph,
    "fork": fork,
    "exec": execute,
    "spawn": spawn,
    "compile": compiled,
}


def main() -> None:
    WAYS[sys.argv[1]]()
    torch.cuda.synchronize()


if __name__ == "__main__":
    main()
