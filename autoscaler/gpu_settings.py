"""Checks of the settings that describe GPU models and their prices.

The built-in table is ``recommender.gpu_models``; models of the settings file stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.errors import UsageError
from recommender.errors import InvalidValueError
from recommender.gpu_models import GpuModel, find_gpu_model, suggest_gpu_models
from recommender.quantities import parse_quantity


def known_model(name: str, where: str, own: tuple[GpuModel, ...]) -> GpuModel:
    """Return a model of the table or of the settings.  Raises ``UsageError`` with names like it."""
    model = find_gpu_model(name, own)
    if model is None:
        close = suggest_gpu_models(name, own)
        hint = f"; did you mean {', '.join(close)}?" if close else ""
        raise UsageError(
            f"{where}: GPU model {name!r} is not known{hint} "
            "(others can be given as gpuModels in the settings file)"
        )
    return model


def read_models(value: Any, where: str, values: dict[str, Any]) -> None:
    """Read ``gpuModels``: name to TFLOPS and VRAM of one device."""
    if not isinstance(value, Mapping):
        raise InvalidValueError(where, value, "a mapping of model name to {tflops, vram}")
    models = []
    for name, amounts in value.items():
        if not isinstance(amounts, Mapping) or set(amounts) != {"tflops", "vram"}:
            raise InvalidValueError(
                f"{where}.{name}", amounts, "a mapping {tflops: 312, vram: 80Gi}"
            )
        tflops = parse_quantity(amounts["tflops"], f"{where}.{name}.tflops")
        vram = parse_quantity(amounts["vram"], f"{where}.{name}.vram")
        if tflops <= 0 or vram <= 0:
            raise InvalidValueError(f"{where}.{name}", dict(amounts), "amounts above 0")
        models.append(GpuModel(str(name), float(tflops), int(vram), (), str(where)))
    values["gpu_models"] = tuple(models)


def read_prices(value: Any, where: str, values: dict[str, Any]) -> None:
    """Read ``gpuPrices``, whose models may be those of ``gpuModels``."""
    if not isinstance(value, Mapping):
        raise InvalidValueError(where, value, "a mapping of GPU model to the price of one GPU hour")
    prices = {}
    for name, price in value.items():
        model = known_model(str(name), where, values["gpu_models"])
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 < price < 1e6:
            raise InvalidValueError(f"{where}.{name}", price, "a price above 0")
        prices[model.name] = float(price)
    values["gpu_prices"] = prices
