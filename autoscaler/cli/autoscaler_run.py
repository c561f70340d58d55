"""What ``tfa autoscaler`` does, after its arguments were read: puts the parts together and runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from autoscaler.cli.autoscaler_flags import AutoscalerFlags, AutoscalerInput
from autoscaler.cli.first_answer import first_answer
from autoscaler.cli.measured_server import server_of
from autoscaler.clock import SystemClock
from autoscaler.errors import UsageError
from autoscaler.freed_memory import give_back_freed_memory
from autoscaler.health import MetricsPage, Readiness, add_health
from autoscaler.kube.api_server import ApiServer
from autoscaler.listening import listening, readiness_told, run_until, stop_on_signals
from autoscaler.logs import configure
from autoscaler.scaling.external.serving import add_external_scaler
from autoscaler.scaling.external.token_file import TokenFile
from autoscaler.scaling.fleet.measured_inventory import peaks_of
from autoscaler.scaling.fleet.stated import statements_of
from autoscaler.scaling.page.about import About
from autoscaler.scaling.page.application import page_application
from autoscaler.scaling.page.forwarding import forward
from autoscaler.scaling.running.lead import elsewhere
from autoscaler.scaling.running.metrics_access import MetricsAccess
from autoscaler.scaling.running.process import Process
from autoscaler.scaling.running.profile import Profile
from autoscaler.scaling.running.profiles.full_profile import FullProfile, Writing
from autoscaler.scaling.running.profiles.measured_profile import MeasuredProfile
from autoscaler.scaling.running.profiles.upstream_profile import UpstreamProfile
from autoscaler.telemetry.exposition import CONTENT_TYPE, registry_of, render
from autoscaler.telemetry.workload_text import workload_text
from autoscaler.version import tool_version

if TYPE_CHECKING:
    from pathlib import Path

    from autoscaler.prometheus_settings import PrometheusSettings
    from autoscaler.scaling.running.process import Surroundings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Served:
    """What the ports show of one process."""

    process: Process
    metrics: Callable[[], bytes]
    """Returns the metrics of the process, without those of single workloads."""
    leader: Callable[[], str]
    """Returns the address of the process that leads, where it is another one."""


def run_autoscaler(flags: AutoscalerFlags) -> None:
    """Run until a signal ends it.  Raises ``UsageError`` and ``InvalidValueError``."""
    give_back_freed_memory()
    given = flags.read()
    page_token = _token("--page-token-file", flags.page_token_file)
    scaler_token = _token("--external-scaler-token-file", flags.scaler_token_file)
    configure(flags.log_format)
    with _OPENED[flags.profile](flags, given) as served:
        if served is None:
            return
        page = page_application(served.process.board, token=page_token)
        add_external_scaler(page, served.process.answer, scaler_token)
        forward(page, served.leader, flags.page_port)
        asyncio.run(_run(flags, served, page))


def _token(flag: str, path: Path | None) -> TokenFile | None:
    try:
        return None if path is None else TokenFile(path)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from error


async def _run(flags: AutoscalerFlags, served: _Served, page: web.Application) -> None:
    """Serve the ports while the autoscaler runs."""
    autoscaler = served.process.autoscaler
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    readiness = Readiness(autoscaler.problems)
    async with (
        listening(_health(flags, served, readiness), flags.address, flags.health_port, None),
        listening(page, flags.address, flags.page_port, None),
        readiness_told(readiness),
    ):
        await run_until(stopping, autoscaler.run, readiness)


def _health(flags: AutoscalerFlags, served: _Served, readiness: Readiness) -> web.Application:
    """Return the pages of health; those of large fleets are made on a thread."""

    def metrics() -> bytes:
        text = served.metrics()
        table = served.process.exported.table() if flags.has_workload_metrics else None
        return text if table is None else text + workload_text(table, time.time())

    application = web.Application()
    add_health(application, readiness, stuck=served.process.autoscaler.stuck)
    application.router.add_get("/metrics", MetricsPage(metrics, CONTENT_TYPE).show)
    return application


@contextmanager
def _full(flags: AutoscalerFlags, given: AutoscalerInput) -> Iterator[_Served]:
    with closing(_api(flags)) as api:
        profile = FullProfile(
            api,
            given.rules,
            SystemClock(),
            gpu_models=given.stated.gpu_models,
            webhook=given.webhook,
            writing=Writing(
                rate_per_s=flags.write_rate_per_s,
                workers=flags.writers,
                scalable=flags.scalable,
                page_address=flags.page_address,
            ),
            asking=flags.asking,
        )
        access = _access(flags, given, api)
        with closing(_process(flags, given, access, profile.surroundings)) as process:
            registry = registry_of(
                source=access.counts,
                loop=process.exported.loop,
                caches=profile.caches.counts,
                queue=lambda: profile.stating.snapshot().queue,
                budget=profile.budget.snapshot,
                elector=profile.elector.snapshot,
                events=profile.events.snapshot,
                autoscaler=process.snapshot,
            )
            yield _Served(process, lambda: render(registry), elsewhere(profile.elector))


@contextmanager
def _beside_upstream(flags: AutoscalerFlags, given: AutoscalerInput) -> Iterator[_Served]:
    with closing(_api(flags)) as api:
        profile = UpstreamProfile(
            api,
            given.rules,
            SystemClock(),
            gpu_models=given.stated.gpu_models,
            profiles=given.stated.profiles,
            rows={row.key: row.values for row in given.stated.rows},
            asking=flags.asking,
            page_address=flags.page_address,
        )
        access = _access(flags, given, api)
        with closing(_process(flags, given, access, profile.surroundings)) as process:
            registry = registry_of(
                source=access.counts,
                loop=process.exported.loop,
                caches=profile.caches.counts,
                elector=profile.elector.snapshot,
                autoscaler=process.snapshot,
            )
            yield _Served(process, lambda: render(registry), elsewhere(profile.elector))


@contextmanager
def _recommend_only(flags: AutoscalerFlags, given: AutoscalerInput) -> Iterator[_Served | None]:
    """Wait for the server, which is all that is known of the fleet; None: it ended meanwhile."""
    stated, gpu_models = given.stated, given.stated.gpu_models
    statements, notes = statements_of(stated.rows, stated.profiles, gpu_models)
    for note in (*stated.notes, *notes):
        _log.info("%s", note)
    make = partial(
        MeasuredProfile,
        _server(flags, given, None),
        SystemClock(),
        tick_s=given.rules.tick_s,
        stated=statements,
        gpu_models=gpu_models,
    )
    profile = first_answer(make, address=flags.address, port=flags.health_port)
    if profile is None:
        yield None
        return
    access = profile.access
    with closing(_process(flags, given, access, profile.surroundings)) as process:
        registry = registry_of(
            source=access.counts, loop=process.exported.loop, autoscaler=process.snapshot
        )
        yield _Served(process, lambda: render(registry), lambda: "")


_OPENED = {
    Profile.FULL: _full,
    Profile.BESIDE_UPSTREAM: _beside_upstream,
    Profile.RECOMMEND_ONLY: _recommend_only,
}


def _process(
    flags: AutoscalerFlags,
    given: AutoscalerInput,
    access: MetricsAccess,
    surroundings: Callable[[About], Surroundings],
) -> Process:
    settings = given.stated.settings
    about = About(
        source=access.title,
        tool_version=tool_version(),
        since_s=given.rules.since_s,
        currency=settings.currency,
        thresholds=settings.thresholds,
        price_source="settings file",
        promql=access.source.promql,
        notes=access.limits,
    )
    return Process(
        given.rules, surroundings(about), access, SystemClock(), decision_log=flags.decision_log
    )


def _api(flags: AutoscalerFlags) -> ApiServer:
    return ApiServer.from_environment(
        kubeconfig=flags.kubeconfig, user_agent=f"tfa-autoscaler/{tool_version()}"
    )


def _access(flags: AutoscalerFlags, given: AutoscalerInput, api: ApiServer) -> MetricsAccess:
    server = _server(flags, given, api)
    return MetricsAccess(
        server, tick_s=given.rules.tick_s, peak_tflops=peaks_of({}, given.stated.gpu_models)
    )


def _server(
    flags: AutoscalerFlags, given: AutoscalerInput, api: ApiServer | None
) -> PrometheusSettings:
    """Return the metrics server that is named, or that the cluster has."""
    return server_of(
        given.stated.settings.prometheus, flags.server, note=_log.info, api=api, is_unattended=True
    )
