"""What the flags of a Prometheus mean, together with the settings file: a flag wins.

The flags themselves are ``prometheus_options``.  Nothing is opened here and no server is asked; a
server that is to be looked for in a cluster is found by ``measured_server``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from autoscaler.errors import UsageError
from autoscaler.prometheus_settings import PrometheusSettings
from autoscaler.prometheus_table import PROMETHEUS_SETTINGS
from autoscaler.prometheus_values import GROUP, looks_secret
from autoscaler.sources.prometheus.promql import Matcher

URL, AUTO = "--prometheus-url", "auto"
"""With the value ``auto`` the server is looked for, whatever the settings name."""
HEADER, HEADER_FILE = "--prometheus-header", "--prometheus-header-file"
SELECTOR = "--selector"
_READ = {setting.path: setting.read for setting in PROMETHEUS_SETTINGS}
_FLAGS = (
    URL,
    "--prometheus-mapping",
    HEADER,
    HEADER_FILE,
    "--prometheus-token-file",
    "--ca-file",
    "--timeout",
    SELECTOR,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusFlags:
    """Flags of one command, unread."""

    url: str | None = None
    mapping: str | None = None
    headers: tuple[str, ...] = ()
    header_files: tuple[str, ...] = ()
    token_file: Path | None = None
    ca_file: Path | None = None
    timeout: str | None = None
    selectors: tuple[str, ...] = ()

    @property
    def is_automatic(self) -> bool:
        """Whether the server is to be looked for."""
        return self.url == AUTO

    @property
    def given(self) -> list[str]:
        """Names of the flags that were given."""
        parts = zip(_FLAGS, fields(self), strict=True)
        return [flag for flag, part in parts if getattr(self, part.name) not in {None, ()}]


def with_flags(settings: PrometheusSettings | None, flags: PrometheusFlags) -> PrometheusSettings:
    """Return the settings with what the flags say in its place.  Raises ``UsageError``.

    Flags are checked as the settings of the file are, and a credential of another kind in the file
    gives way to one of a flag.  Without a URL, or where it is to be looked for, the result has
    none.
    """
    settings = settings or PrometheusSettings()
    values: dict[str, Any] = {}
    for name, flag, value in (
        ("url", URL, None if flags.is_automatic else flags.url),
        ("mapping", "--prometheus-mapping", flags.mapping),
        ("selector", SELECTOR, _pairs(SELECTOR, "LABEL=VALUE", flags.selectors) or None),
        ("timeout", "--timeout", flags.timeout),
        ("tokenFile", "--prometheus-token-file", flags.token_file),
        ("caFile", "--ca-file", flags.ca_file),
        (
            "headerFiles",
            HEADER_FILE,
            _pairs(HEADER_FILE, "NAME=FILE", flags.header_files) or None,
        ),
    ):
        if value is not None:
            given = str(value) if isinstance(value, Path) else value
            _READ[f"{GROUP}.{name}"](given, flag, values)
    read = values.get(GROUP, {})
    url = None if flags.is_automatic else read.pop("url", settings.url)
    mapping = read.pop("mapping", settings.mapping)
    matchers = _matchers(settings.matchers, read.pop("matchers", ()))
    files = read.pop("header_files", {})
    access = _without_rivals(settings.access, read)
    access |= _headers(settings.access, dict(map(_header, flags.headers)), files)
    return PrometheusSettings(
        url=url, mapping=mapping, matchers=matchers, access=MappingProxyType({**access, **read})
    )


def _without_rivals(access: Mapping[str, Any], read: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file's values but those that exclude what was read from flags."""
    rivals: set[str] = set()
    if "bearer_token_file" in read:
        rivals |= {"basic_user", "basic_password_file"}
    if "ca_file" in read:
        rivals.add("is_verified")
    return {name: value for name, value in access.items() if name not in rivals}


def _headers(
    access: Mapping[str, Any], headers: Mapping[str, str], files: Mapping[str, Path]
) -> dict[str, Any]:
    given = {name.lower() for name in (*headers, *files)}

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name.lower() not in given}

    merged = {
        "headers": MappingProxyType({**kept(access.get("headers", {})), **headers}),
        "header_files": MappingProxyType({**kept(access.get("header_files", {})), **files}),
    }
    return {name: value for name, value in merged.items() if value}


def _header(text: str) -> tuple[str, str]:
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not name or not value:
        # What stands there may be a secret, and is not quoted.
        raise UsageError(f"{HEADER}: a value is not valid; allowed: 'NAME: VALUE'")
    if looks_secret(name):
        raise UsageError(
            f"{HEADER}: the value of {name} usually is a secret, and everybody on this machine "
            f"can read arguments; write it into a file and give {HEADER_FILE} {name}=FILE"
        )
    return name, value


def _pairs(flag: str, form: str, texts: Iterable[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value:
            # In place of a file may stand the secret itself.
            given = "a value" if flag == HEADER_FILE else repr(text)
            raise UsageError(f"{flag}: {given} is not valid; allowed: {form}")
        pairs[name.strip()] = value
    return pairs


def _matchers(settings: Sequence[Matcher], given: Sequence[Matcher]) -> tuple[Matcher, ...]:
    labels = {matcher.label for matcher in given}
    return (*(matcher for matcher in settings if matcher.label not in labels), *given)
