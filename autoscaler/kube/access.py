"""How an API server is reached and who asks: configuration, credentials and TLS of the client.

The Kubernetes client reads the kubeconfig, runs its plug-ins, follows the token of a pod and makes
the connections; its own errors, and the ways in which its credentials grow old, are dealt with
here.  Nothing of a credential enters a text or a ``repr``.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3
import yaml

from autoscaler.errors import ForbiddenError, UsageError
from autoscaler.printable import printable

if TYPE_CHECKING:
    from kubernetes.client import Configuration

CONNECTIONS_KEPT = 32
"""Open connections that wait for the next request: as many as threads ask at a time."""
RENEW_EVERY_S = 10.0
"""A server that refuses the credentials does not make us run a plug-in more often."""
USUAL_KUBECONFIG = "~/.kube/config"
IN_A_POD = "KUBERNETES_SERVICE_HOST"
_CONTENT = re.compile(r"[{\[].*", re.DOTALL)
"""Of a kubeconfig, tokens included: the client names a faulty entry by all that it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What one request is sent with."""

    pool: urllib3.PoolManager = field(repr=False)
    authorization: str = field(repr=False)
    """Value of the header; empty where there is none."""
    is_anonymous: bool
    """Whether there is neither a token nor a certificate of the client."""


class Access:
    """One API server; thread-safe.

    ``load`` fills a configuration of the client, from the start again each time.  Raises
    ``UsageError`` where that is not possible.
    """

    def __init__(
        self,
        load: Callable[[Configuration], None],
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._configuration = _configuration(load)
        self._files = _files(self._configuration)
        self._pool = _pool(self._configuration)
        self._renewed_s = float("-inf")
        self.url: str = self._configuration.host.rstrip("/")

    def login(self) -> Login:
        """Return the credentials of now.  Raises ``ForbiddenError`` where they cannot be read."""
        with self._lock:
            return self._login()

    def renewed(self, refused: Login) -> Login | None:
        """Return other credentials than those that were refused; None where there are none."""
        with self._lock:
            if self._is_other(refused):
                return self._login()
            if self._monotonic_s() - self._renewed_s < RENEW_EVERY_S:
                return None
            self._renewed_s = self._monotonic_s()
            try:
                configuration = _configuration(self._load)
                files = _files(configuration)
            except UsageError as error:
                raise ForbiddenError(f"{self.url}: credentials refused: {error}") from error
            if files != self._files:
                self._files, self._pool = files, _pool(configuration)
            self._configuration = configuration
            return self._login() if self._is_other(refused) else None

    def close(self) -> None:
        """Close the connections that wait."""
        self._pool.clear()

    def _is_other(self, login: Login) -> bool:
        now = self._login()
        return now.authorization != login.authorization or now.pool is not login.pool

    def _login(self) -> Login:
        try:
            settings = self._configuration.auth_settings()
        except Exception as error:  # noqa: BLE001 - a plug-in and the client raise what they like
            text = f"{self.url}: not asked: the credentials cannot be read: {_said(error)}"
            raise ForbiddenError(text) from None
        values: list[Any] = list(settings.values())
        value = str(values[0]["value"] or "").strip() if values else ""
        if not (value.isascii() and value.isprintable()):
            text = f"{self.url}: not asked: the token holds letters that no token has"
            raise ForbiddenError(text)
        return Login(
            pool=self._pool,
            authorization=value,
            is_anonymous=not value and not self._configuration.cert_file,
        )


def access_from_environment(kubeconfig: Path | None, context: str | None) -> Access:
    """Return the access that a user of ``kubectl`` would have.

    In this order: ``kubeconfig``, the variable ``KUBECONFIG``, the user's usual file, the account
    of the pod.  Raises ``UsageError`` that says what was looked for.
    """
    variable = os.environ.get("KUBECONFIG", "")
    usual = Path(USUAL_KUBECONFIG).expanduser()
    if kubeconfig is not None:
        return _from_kubeconfig(str(kubeconfig), context, "--kubeconfig")
    if variable:
        return _from_kubeconfig(variable, context, "the variable KUBECONFIG")
    if usual.exists():
        return _from_kubeconfig(str(usual), context, "the usual place")
    if not os.environ.get(IN_A_POD):
        raise UsageError(
            "no API server is named: --kubeconfig is not given, the variable KUBECONFIG is not "
            f"set, there is no file {USUAL_KUBECONFIG}, and this is no pod ({IN_A_POD} is not set)"
        )
    if context is not None:
        raise UsageError(f"context {context!r}: there is no kubeconfig to look it up in")
    return Access(_load_of_pod)


def _from_kubeconfig(paths: str, context: str | None, named_by: str) -> Access:
    """Return the access of a file, or of several that are merged, separated as in ``PATH``."""
    files = [Path(path).expanduser() for path in paths.split(os.pathsep) if path]
    if not any(file.is_file() for file in files):
        raise UsageError(f"kubeconfig {paths}: there is no such file; {named_by} names it")

    def load(configuration: Configuration) -> None:
        from kubernetes.config import load_kube_config

        _refuse_impersonation(paths, context)
        # A user's file is only read: rewriting it would lose its comments.
        load_kube_config(  # type: ignore[no-untyped-call]
            paths, context=context, client_configuration=configuration, persist_config=False
        )

    try:
        return Access(load)
    except UsageError as error:
        raise UsageError(f"kubeconfig {paths}: {error}") from error


def _refuse_impersonation(paths: str, context: str | None) -> None:
    """Raise ``UsageError`` where the client would act as its own user in place of another."""
    from kubernetes.config.kube_config import KubeConfigMerger

    config = KubeConfigMerger(paths).config  # type: ignore[no-untyped-call]
    chosen = config["contexts"].get_with_name(context or config["current-context"])
    name = chosen["context"].safe_get("user")
    user = config["users"].get_with_name(name, safe=True) if name else None
    others = [key for key in (user["user"].value if user else {}) if key.startswith("as")]
    if others:
        raise UsageError(
            f"the user {name!r} acts as another one ({', '.join(others)}), which is not supported; "
            "name a context with credentials of its own"
        )


def _load_of_pod(configuration: Configuration) -> None:
    from kubernetes.config import load_incluster_config

    load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]


def _configuration(load: Callable[[Configuration], None]) -> Configuration:
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException

    configuration = Configuration()
    configuration.connection_pool_maxsize = CONNECTIONS_KEPT
    configuration.keep_alive = True
    try:
        load(configuration)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UsageError(f"no YAML{'' if mark is None else f' in line {mark.line + 1}'}") from None
    except (ConfigException, OSError) as error:
        raise UsageError(_said(error)) from None
    except (AttributeError, KeyError, TypeError, ValueError):
        # What they say is about the code of the client, and may quote a token.
        raise UsageError("it is not of the form of a kubeconfig") from None
    return configuration


def _pool(configuration: Configuration) -> urllib3.PoolManager:
    from kubernetes.client.rest import RESTClientObject

    if not configuration.verify_ssl:
        # The warning would come with each connection of what was asked for.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
    return pool


def _files(configuration: Configuration) -> tuple[bytes, ...]:
    """Return what connections are made with: a file may be written anew under its name.

    New connections follow that by themselves; those that are open go on with what they began with.
    """
    paths = (configuration.cert_file, configuration.key_file, configuration.ssl_ca_cert)
    try:
        return tuple(Path(path).read_bytes() if path else b"" for path in paths)
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from None


def _said(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return printable(f"{error.filename}: {error.strerror}")
    return printable(_CONTENT.sub("...", str(error)) or type(error).__name__)
