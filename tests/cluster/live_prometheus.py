"""A Prometheus that scrapes agents each second, and can be ended and started again on its data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import urllib3

from tests.cluster.child_processes import ChildProcess, start_child
from tests.components.processes import LOOPBACK, free_port, wait_until_ready
from tests.components.programs import find_program

READY = "Server is ready to receive web requests"


class ScrapingPrometheus:
    """One server; its URL stays the same from start to start."""

    def __init__(
        self, folder: Path, targets: Sequence[str], *, tsdb: Path | None = None, interval_s: int = 1
    ) -> None:
        """``tsdb`` holds the history that it begins with; it writes there."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._tsdb = tsdb or folder / "tsdb"
        self._config = folder / "prometheus.yml"
        self._config.write_text(json.dumps(_config(targets, interval_s)), encoding="utf-8")
        self._port = free_port()
        self._starts = 0
        self._process: ChildProcess | None = None

    @property
    def url(self) -> str:
        """Return where it answers."""
        return f"http://{LOOPBACK}:{self._port}"

    def start(self) -> None:
        """Start it and wait until it answers.  Raises ``ServerError`` and others of its kind."""
        self._starts += 1
        command = [
            str(find_program("prometheus")),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._tsdb}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address={LOOPBACK}:{self._port}",
            "--scrape.discovery-reload-interval=100ms",
        ]
        log_file = self._folder / f"prometheus-{self._starts}.log"
        process = self._process = start_child(command, log_file, url=self.url)
        if not wait_until_ready(process, "prometheus", ready_words=READY):
            # Nothing is known of the port yet.
            self._port = free_port()
            self.start()

    def stop(self) -> None:
        """End it: connections are refused then, and nothing is scraped."""
        if self._process is not None:
            self._process.stop()

    def values(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Return labels and value of each series of an instant query."""
        answer = urllib3.request(
            "POST", f"{self.url}/api/v1/query", fields={"query": query}, retries=False, timeout=10.0
        )
        body: dict[str, Any] = answer.json()
        if body["status"] != "success":
            raise AssertionError(f"{query}: {body['error']}")
        return [(each["metric"], float(each["value"][1])) for each in body["data"]["result"]]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _config(targets: Sequence[str], interval_s: int) -> dict[str, Any]:
    """Return a configuration; JSON is YAML."""
    every = f"{interval_s}s"
    job = {
        "job_name": "agents",
        "honor_labels": True,
        "static_configs": [{"targets": list(targets)}],
    }
    return {"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": [job]}
