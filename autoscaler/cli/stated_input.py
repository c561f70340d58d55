"""What is given beside the usage, the same for files and servers: statements, settings, times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.errors import UsageError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import WorkloadView
from autoscaler.settings import Settings, load_settings
from autoscaler.sources.profiles import Profiles, read_profile_files
from autoscaler.sources.source import SIDE_METRICS
from autoscaler.sources.timestamps import parse_time_s
from autoscaler.sources.workloads_file import WorkloadRow, read_workloads_file
from recommender.durations import parse_duration_s
from recommender.resources import KNOWN_RESOURCES, TFLOPS, Resource, resource_named

LEAST_SINCE_S = 60
WITHOUT_USAGE = "in the workloads file, but not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedOptions:
    """What the user gave beside the usage, unread."""

    workloads: Path | None = None
    profiles: Path | None = None
    gpu_model: str | None = None
    until: str | None = None
    since: str | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedInput:
    """The same, read."""

    settings: Settings
    gpu_models: GpuModels
    rows: tuple[WorkloadRow, ...]
    profiles: Profiles
    notes: tuple[str, ...]
    """Of the workloads file."""
    since_s: int
    until_s: int | None
    """None: now."""


def read_stated(options: StatedOptions) -> StatedInput:
    """Read and check everything beside the usage.  Raises ``UsageError`` and ``InputError``."""
    settings = load_settings(options.config)
    gpu_models = _gpu_models(options, settings)
    until_s = None if options.until is None else parse_time_s(options.until, "--until")
    since_s = settings.since_s if options.since is None else _since_s(options.since)
    rows: tuple[WorkloadRow, ...] = ()
    notes: tuple[str, ...] = ()
    if options.workloads is not None:
        file = read_workloads_file(options.workloads)
        rows, notes = file.rows, file.notes
    return StatedInput(
        settings=settings,
        gpu_models=gpu_models,
        rows=rows,
        profiles=read_profile_files(options.profiles),
        notes=notes,
        since_s=since_s,
        until_s=until_s,
    )


def _gpu_models(options: StatedOptions, settings: Settings) -> GpuModels:
    default = None
    if options.gpu_model is not None:
        default = settings.gpu_model(options.gpu_model, "--gpu-model")
    return GpuModels(default=default, own=settings.gpu_models, prices=settings.gpu_prices)


def _since_s(text: str) -> int:
    since_s = int(parse_duration_s(text, "--since"))
    if since_s < LEAST_SINCE_S:
        raise UsageError(f"--since: {text!r} is not valid; allowed: at least 1m")
    return since_s


def sized_resources(measured: Iterable[str], views: Sequence[WorkloadView]) -> tuple[Resource, ...]:
    """Return the resources that are measured or in force, the API's own first."""
    names = set(measured) - SIDE_METRICS
    for view in views:
        names |= view.request.keys() | view.limit.keys()
    known = [resource for name, resource in KNOWN_RESOURCES.items() if name in names]
    others = [resource_named(name) for name in sorted(names - KNOWN_RESOURCES.keys())]
    return tuple(known + others) or (TFLOPS,)
