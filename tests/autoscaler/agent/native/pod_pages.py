"""The pages of a worker pod in a folder of their own, as an agent and a tenant write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoscaler.agent.pages.abi import (
    ABI_VERSION,
    CTL_BYTES,
    CTL_ENABLED,
    CTL_MAGIC,
    USE_BYTES,
    Ctl,
    Use,
)


def control_page(uuids: Sequence[str], *, flags: int = CTL_ENABLED) -> Ctl:
    """Return a control page of these GPUs that sets no limit yet."""
    ctl = Ctl(
        magic=CTL_MAGIC,
        abi_version=ABI_VERSION,
        size_bytes=CTL_BYTES,
        flags=flags,
        gpu_count=len(uuids),
    )
    for gpu, uuid in zip(ctl.gpu, uuids, strict=False):
        gpu.uuid = uuid.encode()
    return ctl


class PodFolder:
    """The folder /tensor-fusion of one pod: its pages, as an agent writes and reads them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("ctl", "use"):
            (root / name).mkdir(parents=True)

    @property
    def use_file(self) -> Path:
        """Where the page of use is or will be."""
        return self.root / "use" / "use"

    @property
    def ctl_file(self) -> Path:
        """Where the control page is or will be."""
        return self.root / "ctl" / "ctl"

    def write_ctl(self, ctl: Ctl) -> None:
        """Create the control page by a rename, or change it in place."""
        page = bytes(ctl).ljust(CTL_BYTES, b"\0")
        if self.ctl_file.exists():
            with self.ctl_file.open("r+b") as file:
                file.write(page)
            return
        new = self.ctl_file.with_suffix(".new")
        new.write_bytes(page)
        new.rename(self.ctl_file)

    def write_use(self, use: Use) -> None:
        """Write the page of use, as a tenant can."""
        self.use_file.write_bytes(bytes(use).ljust(USE_BYTES, b"\0"))

    def read_use(self) -> Use:
        """Return what is in the page of use."""
        return Use.from_buffer_copy(self.use_file.read_bytes())

    def held_bytes(self, gpu: int) -> int:
        """Return the memory of all slots that count."""
        return sum(
            slot.memory_bytes[gpu]
            for slot in self.read_use().process
            if slot.pid and slot.generation == slot.ready_generation
        )
