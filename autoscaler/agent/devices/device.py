"""One GPU of this node, as all parts of the agent know it.

Nothing here changes while the driver stays loaded; what does change is a ``DeviceSample``.
"""

from __future__ import annotations

from dataclasses import dataclass

NVIDIA = "NVIDIA"
UNKNOWN_NUMA_NODE = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One GPU, or one MIG instance of a GPU that is partitioned; programs name either by UUID."""

    uuid: str
    """As the driver spells it: ``GPU-…``, or ``MIG-…``."""
    index: int
    """NVML's; of an instance that of its GPU."""
    minor: int | None
    """Of ``/dev/nvidia<minor>``; None where the driver does not tell it."""
    gpu_model: str
    """Full name, as the driver tells it."""
    model: str
    """Short name, as users write it in ``gpu-model``."""
    tflops: float
    """Peak of dense FP16 with FP32 accumulation; 0: not known, so that nothing can be placed."""
    vram_bytes: int
    """What programs can allocate: all that is built in, less what the driver keeps for itself."""
    is_derived: bool
    """Whether ``tflops`` is computed from cores and clock, because no table has the model."""
    is_mig: bool
    """Whether this is an instance; its processes have no utilisation, and a share no time."""
    numa_node: int = UNKNOWN_NUMA_NODE
    has_tensor_activity: bool = False
    """Whether the driver tells how busy the tensor cores are (GPM, from Hopper on)."""
    highest_clock_tflops: float = 0.0
    """The peak at the highest clock that the driver allows: above ``tflops`` where a data sheet
    states its peak at a lower one (H100: 1830 of 1980 MHz); 0: not known."""
    vendor: str = NVIDIA
