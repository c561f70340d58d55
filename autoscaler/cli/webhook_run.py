"""What ``tfa webhook`` does, after its arguments were read: puts the parts together and serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from autoscaler.cli.root_owners import root_owners_of
from autoscaler.errors import UsageError
from autoscaler.health import Readiness, health_application
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.cache_problems import cache_problems
from autoscaler.kube.reflector import CacheCounts
from autoscaler.listening import stop_on_signals
from autoscaler.logs import LogFormat, configure
from autoscaler.telemetry.exposition import CONTENT_TYPE, registry_of, render
from autoscaler.version import tool_version
from autoscaler.webhook.admit import admit
from autoscaler.webhook.answering import Answering
from autoscaler.webhook.cache_snapshot import CacheSnapshot
from autoscaler.webhook.caches import Caches
from autoscaler.webhook.certificate_sources import certificate_of_files, certificate_of_secret
from autoscaler.webhook.counts import AdmissionCounts
from autoscaler.webhook.live_objects import LiveObjects
from autoscaler.webhook.long_lived import set_apart_once_filled
from autoscaler.webhook.server import admission_application
from autoscaler.webhook.serving import Ports, serve
from autoscaler.webhook.serving_certificate import ServingCertificate
from autoscaler.webhook.snapshot import Installation
from recommender.durations import parse_duration_s

LOOKS_AT_ONCE = 16
"""Threads that look at objects live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFlags:
    """The arguments of the command."""

    namespace: str
    limiter_image: str
    connection_endpoint: str
    has_standalone_workers: bool
    root_owners: tuple[str, ...]
    """``CHILD=KIND`` of each, both as ``Kind.group``."""
    address: str | None
    port: int
    health_port: int
    certificate_file: Path | None
    key_file: Path | None
    drain: str
    kubeconfig: Path | None
    log_format: LogFormat

    @property
    def certificate_files(self) -> tuple[Path, Path] | None:
        """Return chain and key; None: they come from the Secret."""
        if self.certificate_file is None and self.key_file is None:
            return None
        if self.certificate_file is None or self.key_file is None:
            raise UsageError("--certificate-file and --key-file: give both, or none of them")
        return self.certificate_file, self.key_file

    @property
    def drain_s(self) -> float:
        """Return the drain in seconds."""
        drain_s = parse_duration_s(self.drain, "--drain")
        if drain_s < 0:
            raise UsageError(f"--drain: {self.drain} is not valid; allowed: 0s and longer")
        return drain_s

    @property
    def installation(self) -> Installation:
        """Return what is the same for all pods."""
        if not self.limiter_image:
            raise UsageError("--limiter-image must not be empty: it names an image")
        return Installation(
            limiter_image=self.limiter_image,
            connection_endpoint=self.connection_endpoint,
            has_standalone_workers=self.has_standalone_workers,
            root_owners=root_owners_of(self.root_owners),
        )


def run_webhook(flags: WebhookFlags) -> None:
    """Serve until a signal ends it.  Raises ``UsageError`` and ``InvalidValueError``."""
    installation, drain_s, _ = flags.installation, flags.drain_s, flags.certificate_files
    api = ApiServer.from_environment(
        kubeconfig=flags.kubeconfig, user_agent=f"tfa-webhook/{tool_version()}"
    )
    configure(flags.log_format)
    with closing(api):
        asyncio.run(_run(flags, api, installation, drain_s))


async def _run(
    flags: WebhookFlags, api: ApiServer, installation: Installation, drain_s: float
) -> None:
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    counts = AdmissionCounts()
    certificate = ServingCertificate(time.time)
    caches = Caches(api, installation=installation, namespace=flags.namespace)
    executor = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="look")
    answering = Answering(
        admit, lambda: CacheSnapshot(caches), LiveObjects(caches.look, executor, counts)
    )
    caches.start()
    setting_apart = asyncio.create_task(set_apart_once_filled(caches.problems))
    try:
        async with _certificate(flags, api, certificate) as of_certificate:

            def cache_counts() -> tuple[CacheCounts, ...]:
                return (*caches.counts(), *of_certificate())

            readiness = Readiness(certificate.problems, lambda: cache_problems(cache_counts()))
            registry = registry_of(
                admissions=counts.snapshot, certificate=certificate.snapshot, caches=cache_counts
            )
            await serve(
                admission_application(answering.answer, readiness, counts),
                health_application(readiness, lambda: render(registry), CONTENT_TYPE),
                ports=Ports(address=flags.address, admission=flags.port, health=flags.health_port),
                certificate=certificate,
                readiness=readiness,
                drain_s=drain_s,
                stopping=stopping,
            )
    finally:
        setting_apart.cancel()
        await asyncio.to_thread(caches.stop)
        executor.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def _certificate(
    flags: WebhookFlags, api: ApiServer, certificate: ServingCertificate
) -> AsyncIterator[Callable[[], tuple[CacheCounts, ...]]]:
    """Keep the certificate up to date; yields the numbers of the cache that it needs, if any."""
    files = flags.certificate_files
    if files is not None:
        async with certificate_of_files(certificate, *files):
            yield lambda: ()
    else:
        async with certificate_of_secret(certificate, api, namespace=flags.namespace) as reflector:
            yield lambda: (reflector.snapshot(),)
