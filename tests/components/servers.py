"""Prometheus, VictoriaMetrics and an exporter on loopback, each with its data in the test's folder.

Which Prometheus it is, of today or of the generation before, is chosen by the variables that
``programs`` reads; everything here works with both.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import urllib3

from tests.components.exporter import write_state
from tests.components.processes import (
    LOOPBACK,
    RunningServer,
    ServerError,
    start_process,
    start_server,
    until,
)
from tests.components.programs import find_program

NOTHING_IS_SCRAPED = "global: {}\n"
SHOWN = "workers.json"
"""Name of the file, in the folder of an exporter, that says what it shows."""


def start_prometheus(
    folder: Path,
    *,
    config: str = NOTHING_IS_SCRAPED,
    tsdb: Path | None = None,
    flags: Sequence[str] = (),
) -> RunningServer:
    """Start Prometheus over the blocks in ``tsdb``; without them it starts empty.

    ``config`` is the text of its configuration.  It writes into ``tsdb``, so two servers do not
    share one.  Raises ``ServerError`` and ``ProgramMissingError``.
    """
    program = find_program("prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    config_file = folder / "prometheus.yml"
    config_file.write_text(config, encoding="utf-8")
    return start_server(
        "prometheus",
        lambda port: [
            str(program),
            f"--config.file={config_file}",
            f"--storage.tsdb.path={tsdb or folder / 'tsdb'}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address={LOOPBACK}:{port}",
            # Its default would let the first scrape wait for 5 s.
            "--scrape.discovery-reload-interval=100ms",
            *flags,
        ],
        folder,
        ready_words="Server is ready to receive web requests",
    )


def start_victoriametrics(folder: Path, *, flags: Sequence[str] = ()) -> RunningServer:
    """Start VictoriaMetrics, empty; its answers come from no cache and hold the newest samples.

    Raises ``ServerError`` and ``ProgramMissingError``.
    """
    program = find_program("victoria-metrics")
    return start_server(
        "victoria-metrics",
        lambda port: [
            str(program),
            f"-storageDataPath={folder / 'data'}",
            f"-httpListenAddr={LOOPBACK}:{port}",
            "-retentionPeriod=100y",
            "-search.latencyOffset=0s",
            "-search.disableCache",
            "-memory.allowedBytes=512MB",
            *flags,
        ],
        folder,
        ready_words="started VictoriaMetrics in",
    )


def import_into_victoriametrics(server: RunningServer, openmetrics: Path) -> None:
    """Load a file in the text format and make its samples visible.  Raises ``ServerError``."""
    with openmetrics.open("rb") as text:
        _checked(server, "/api/v1/import/prometheus", body=text)
    _checked(server, "/internal/force_flush")


def start_exporter(folder: Path, workers: Sequence[Mapping[str, Any]]) -> RunningServer:
    """Start an exporter that shows ``workers``; ``show`` lets it show others.

    Raises ``ServerError``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    show(folder, workers)
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.components.exporter"]
    command += ["--port-file", str(port_file), "--state", str(folder / SHOWN)]
    server = start_process(command, folder / "exporter.log")
    try:
        until(lambda: port_file.exists() or not server.is_running, what="the exporter listens")
    except BaseException:
        server.stop()
        raise
    if not port_file.exists():
        raise ServerError(f"the exporter ended; its log ends:\n{server.end_of_log()}")
    server.url = f"http://{LOOPBACK}:{port_file.read_text(encoding='ascii')}"
    return server


def show(folder: Path, workers: Sequence[Mapping[str, Any]]) -> None:
    """Let the exporter in ``folder`` show these workers from the next scrape on."""
    write_state(folder / SHOWN, workers)


def scrape_config(url: str, *, interval_s: int = 1, out_of_order_s: int = 0) -> str:
    """Return a configuration that scrapes one target and keeps its own labels."""
    target = url.removeprefix("http://")
    storage = f"storage: {{tsdb: {{out_of_order_time_window: {out_of_order_s}s}}}}\n"
    return (
        f"global: {{scrape_interval: {interval_s}s, scrape_timeout: {interval_s}s}}\n"
        f"{storage if out_of_order_s else ''}"
        "scrape_configs:\n"
        "  - job_name: workers\n"
        "    honor_labels: true\n"
        f"    static_configs: [{{targets: ['{target}']}}]\n"
    )


def _checked(server: RunningServer, path: str, *, body: IO[bytes] | None = None) -> None:
    method = "GET" if body is None else "POST"
    answer = urllib3.request(method, f"{server.url}{path}", body=body, retries=False, timeout=600.0)
    if answer.status >= 300:
        said = answer.data.decode(errors="replace")[:300]
        raise ServerError(f"{path} was answered with {answer.status}: {said}")
