"""The arguments of ``tfa autoscaler``, and what they mean; nothing is opened here."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from autoscaler.cli.prometheus_flags import PrometheusFlags
from autoscaler.cli.stated_input import StatedInput, StatedOptions, read_stated
from autoscaler.errors import UsageError
from autoscaler.kube.webhook_address import Address, ServiceAddress, UrlAddress
from autoscaler.logs import LogFormat
from autoscaler.scaling.running.profile import Profile
from autoscaler.scaling.running.profiles.asking_service import AskingRules
from autoscaler.scaling.running.rules import AutoscalerRules
from recommender.durations import parse_duration_s


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerFlags:
    """What the user gave, unread."""

    profile: Profile
    namespace: str
    namespace_selector: str
    instance: str
    scalable: tuple[str, ...]
    """``Kind.group`` of each."""
    webhook_url: str | None
    server: PrometheusFlags
    stated: StatedOptions
    decision_log: Path | None
    tick: str
    requests_every: str
    step: str
    state_file: Path | None
    checkpoint_every: str
    train_every: str
    write_rate_per_s: float
    writers: int
    scaler_allow: tuple[str, ...]
    """``HOST[:PORT]`` of each."""
    scaler_ca_file: Path | None
    """Authorities of those hosts; None: those of the image."""
    scaler_token_file: Path | None
    address: str | None
    health_port: int
    page_port: int
    page_address: str
    """IP address of this process for others; empty: none."""
    page_token_file: Path | None
    page_every: str
    has_workload_metrics: bool
    kubeconfig: Path | None
    log_format: LogFormat

    @property
    def asking(self) -> AskingRules:
        """Return which external scalers may be asked."""
        return AskingRules(allowed=self.scaler_allow, ca_file=self.scaler_ca_file)

    def read(self) -> AutoscalerInput:
        """Read what is given in files, and check everything.  Raises ``UsageError``."""
        self._check()
        stated = read_stated(self.stated)
        return AutoscalerInput(
            rules=AutoscalerRules(
                profile=self.profile,
                namespace=self.namespace,
                namespace_selector=self.namespace_selector,
                instance=self.instance,
                tick_s=parse_duration_s(self.tick, "--tick"),
                requests_every_s=parse_duration_s(self.requests_every, "--requests-every"),
                step_s=_whole_s(self.step, "--step"),
                since_s=stated.since_s,
                state_path=self.state_file,
                checkpoint_every_s=parse_duration_s(self.checkpoint_every, "--checkpoint-every"),
                page_every_s=parse_duration_s(self.page_every, "--page-every"),
                train_every_s=parse_duration_s(self.train_every, "--train-every"),
            ),
            stated=stated,
            webhook=self._webhook(),
        )

    def _webhook(self) -> Address:
        if self.webhook_url is None:
            return ServiceAddress(namespace=self.namespace)
        return UrlAddress(url=self.webhook_url)

    def _check(self) -> None:
        """Refuse what a profile has no use for: it would look as if it had an effect."""
        given = {
            "--workloads": self.stated.workloads is not None,
            "--profiles": self.stated.profiles is not None,
            "--webhook-url": self.webhook_url is not None,
            "--scalable": bool(self.scalable),
            "--external-scaler-allow": bool(self.scaler_allow),
            "--external-scaler-ca-file": self.scaler_ca_file is not None,
            "--external-scaler-token-file": self.scaler_token_file is not None,
            "--kubeconfig": self.kubeconfig is not None,
            "--page-address": bool(self.page_address),
        }
        useless = [flag for flag in _USELESS[self.profile] if given[flag]]
        if useless:
            raise UsageError(
                f"--profile {self.profile} has no use for {', '.join(useless)}: "
                f"{_WHY[self.profile]}"
            )
        if self.health_port == self.page_port:
            raise UsageError(
                f"--health-port and --page-port are both {self.page_port}; allowed: two ports"
            )
        for flag, path in (
            ("--state-file", self.state_file),
            ("--decision-log", self.decision_log),
        ):
            if path is None:
                continue
            if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
                raise UsageError(
                    f"{flag}: {path} cannot be written; allowed: a file in a folder that exists "
                    f"and that user {os.geteuid()} may write"
                )


_USELESS = {
    Profile.FULL: ("--workloads", "--profiles"),
    Profile.RECOMMEND_ONLY: (
        "--webhook-url",
        "--scalable",
        "--external-scaler-allow",
        "--external-scaler-ca-file",
        "--external-scaler-token-file",
        "--kubeconfig",
        "--page-address",
    ),
    Profile.BESIDE_UPSTREAM: ("--webhook-url", "--scalable"),
}
_WHY = {
    Profile.FULL: "workloads and their settings are those of the API server",
    Profile.RECOMMEND_ONLY: "it asks no API server and changes nothing",
    Profile.BESIDE_UPSTREAM: "the other operator scales, and admits pods",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerInput:
    """The same, read."""

    rules: AutoscalerRules
    stated: StatedInput
    webhook: Address
    """Where the API server reaches the webhook."""


def _whole_s(text: str, flag: str) -> int:
    duration_s = parse_duration_s(text, flag)
    if duration_s != int(duration_s):
        raise UsageError(f"{flag}: {text!r} is not valid; allowed: whole seconds")
    return int(duration_s)
