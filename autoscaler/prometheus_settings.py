"""Settings under ``prometheus``: which server is asked, how it is reached, what its names mean.

Secrets have no place in the file: it lies in ConfigMaps and repositories.  A header, a parameter or
a URL that looks like one is refused, with what to write instead; only paths of files that hold
secrets are taken, and relative ones count from the folder of the settings file.  Nothing is opened
here and no server is asked.  The table of these settings is ``prometheus_table``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from autoscaler.errors import UsageError
from autoscaler.prometheus_values import GROUP
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.mapping import NameMapping
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.promql import Matcher

URL_VARIABLE = "TFA_PROMETHEUS_URL"
"""Environment variable that wins over ``prometheus.url``."""

_EMPTY: Mapping[str, Any] = MappingProxyType({})
ACCESS_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        part.name: part.default if part.default is not MISSING else _EMPTY
        for part in fields(Connection)
        if part.name != "url"
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings:
    """What the settings file and the environment say of Prometheus."""

    url: str | None = None
    """None: to be given on the command line."""
    mapping: NameMapping = AGENT
    matchers: tuple[Matcher, ...] = ()
    """Added to every query."""
    access: Mapping[str, Any] = field(default_factory=lambda: _EMPTY, repr=False)
    """Arguments of ``Connection`` other than the URL, where they are set."""

    @property
    def connection(self) -> Connection:
        """Return how the server is reached.  Raises ``UsageError`` where no URL is set."""
        if self.url is None:
            raise UsageError(
                "no Prometheus is named: set prometheus.url in the settings file, the variable "
                f"{URL_VARIABLE} or --prometheus-url"
            )
        return self.connection_to(self.url)

    def connection_to(self, url: str) -> Connection:
        """Return how a server at this URL is reached.  Raises ``UsageError``."""
        return Connection(url=url, **self.access)


def finished(values: Mapping[str, Any], origin: str) -> PrometheusSettings:
    """Return the settings from what the readers of ``prometheus_table`` have put together.

    Raises ``UsageError`` with all that a connection cannot have.
    """
    folder = Path(origin).parent
    access = {
        name: _in_folder(value, folder) for name, value in values.items() if name in ACCESS_DEFAULTS
    }
    settings = PrometheusSettings(
        url=values.get("url"),
        mapping=values.get("mapping", AGENT),
        matchers=values.get("matchers", ()),
        access=MappingProxyType(access),
    )
    try:
        settings.connection_to(settings.url or "http://localhost")
    except UsageError as error:
        problems = (line.removeprefix("Prometheus connection: ") for line in str(error).split("\n"))
        raise UsageError(
            "\n".join(f"{origin}: {GROUP}: {problem}" for problem in problems)
        ) from error
    return settings


def _in_folder(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, Mapping):
        return MappingProxyType({name: _in_folder(part, folder) for name, part in value.items()})
    return value


def contradictions(paths: Collection[str], values: Mapping[str, Any]) -> Iterator[str]:
    """Say which settings do not go together.

    ``paths`` are the settings that were given, rightly or not; ``values`` those that were right.
    """

    def given(name: str) -> bool:
        return f"prometheus.{name}" in paths

    has_rivals = given("tokenFile") and (given("username") or given("passwordFile"))
    if has_rivals:
        yield (
            "prometheus.tokenFile and prometheus.username with prometheus.passwordFile exclude "
            "each other; give one of the two"
        )
    for one, other in (
        ("username", "passwordFile"),
        ("passwordFile", "username"),
        ("keyFile", "certFile"),
    ):
        is_said = has_rivals and one in {"username", "passwordFile"}
        if given(one) and not given(other) and not is_said:
            yield f"prometheus.{one} needs prometheus.{other}"
    if given("caFile") and not values.get("is_verified", True):
        yield (
            "prometheus.caFile and prometheus.insecureSkipVerify exclude each other; give the file "
            "alone, so that the server's certificate is checked"
        )
    twice = {name.lower() for name in values.get("headers", ())} & {
        name.lower() for name in values.get("header_files", ())
    }
    for name in sorted(twice):
        yield f"prometheus.headers and prometheus.headerFiles both set {name!r}; give it once"
