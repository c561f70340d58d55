"""What an agent before this one had found out, from the control page that it left.

Shares are found anew within two looks, and stay until then; how wrong learned costs are takes
seconds to find, so it is taken over.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from autoscaler.agent.pages.abi import (
    ABI_VERSION,
    CTL_BYTES,
    CTL_FILE,
    CTL_MAGIC,
    MOST_GPUS,
    ONE_Q16,
    Ctl,
)
from autoscaler.agent.pages.errors import PageError
from autoscaler.agent.pages.page_files import open_page


def adopted_trims(folder: Path) -> Mapping[str, float]:
    """Return the factor on learned costs on each GPU, by UUID; nothing where no page tells it.

    A page that cannot be used is told of when it is to be written.
    """
    try:
        descriptor = open_page(folder, CTL_FILE, os.O_RDONLY, CTL_BYTES)
    except PageError:
        return {}
    if descriptor is None:
        return {}
    try:
        content = os.pread(descriptor, CTL_BYTES, 0)
    except OSError:
        return {}
    finally:
        os.close(descriptor)
    page = Ctl.from_buffer_copy(content.ljust(CTL_BYTES, b"\0"))
    if (page.magic, page.abi_version) != (CTL_MAGIC, ABI_VERSION):
        return {}
    return {
        record.uuid.decode("utf-8", "surrogateescape"): record.trim_k_q16 / ONE_Q16
        for record in page.gpu[: min(page.gpu_count, MOST_GPUS)]
        if record.trim_k_q16
    }
