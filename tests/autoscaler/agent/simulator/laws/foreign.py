"""The foreign laws by name, each made for a limit."""

from __future__ import annotations

from collections.abc import Callable

from tests.autoscaler.agent.simulator.laws.hami import Hami
from tests.autoscaler.agent.simulator.laws.tensorfusion_go import HELM_GAINS, TensorFusionGo
from tests.autoscaler.agent.simulator.laws.tensorfusion_rust import TensorFusionRust
from tests.autoscaler.agent.simulator.laws.token_law import TokenLaw

FOREIGN_LAWS: dict[str, Callable[[float], TokenLaw]] = {
    "TensorFusion Go": lambda limit: TensorFusionGo(limit_ratio=limit),
    "TensorFusion Go (Helm)": lambda limit: TensorFusionGo(limit_ratio=limit, gains=HELM_GAINS),
    "TensorFusion Rust": lambda limit: TensorFusionRust(limit_ratio=limit),
    "HAMi": lambda limit: Hami(limit_ratio=limit),
    "HAMi (linear)": lambda limit: Hami(limit_ratio=limit, is_linear=True),
}
