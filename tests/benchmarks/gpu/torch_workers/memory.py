"""Grows in PyTorch until it is refused: ``memory.py CHUNK_BYTES MOST_CHUNKS``.

PYTORCH_CUDA_ALLOC_CONF chooses the allocator.  Commands on stdin: "grow", answered by
{"chunks", "refused_by"}, the name of the exception or null; "free", answered by {"is_usable"}.
"""

import json
import os
import sys

import torch


def grow(chunk_bytes: int, most: int) -> tuple[list[torch.Tensor], str | None]:
    """Take chunks until one is refused, at most some; return them and the name of the refusal."""
    held: list[torch.Tensor] = []
    try:
        while len(held) < most:
            held.append(torch.empty(chunk_bytes, dtype=torch.uint8, device="cuda"))
            torch.cuda.synchronize()
    except RuntimeError as error:
        # Of which the OutOfMemoryError of every release is one.
        return held, type(error).__name__
    return held, None


def is_usable(chunk_bytes: int) -> bool:
    """Return whether memory can be taken again and computed on."""
    values = torch.ones(chunk_bytes // 4, device="cuda")
    return bool(values.sum().item() > 0)


def main() -> None:
    chunk_bytes, most = int(sys.argv[1]), int(sys.argv[2])
    torch.zeros(1, device="cuda")
    print(json.dumps({"ready": os.getpid()}), flush=True)
    held: list[torch.Tensor] = []
    for line in sys.stdin:
        if line.strip() == "grow":
            held, refused_by = grow(chunk_bytes, most)
            answer: dict[str, object] = {"chunks": len(held), "refused_by": refused_by}
        else:
            held.clear()
            torch.cuda.empty_cache()
            answer = {"is_usable": is_usable(chunk_bytes)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
