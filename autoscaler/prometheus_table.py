"""The table of the settings under ``prometheus``: path, meaning, check, and how each is shown.

Single values are checked by ``prometheus_values``; what they make together is
``prometheus_settings``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from autoscaler.prometheus_settings import ACCESS_DEFAULTS, URL_VARIABLE, PrometheusSettings
from autoscaler.prometheus_values import (
    GROUP,
    Read,
    read_answer_bytes,
    read_boolean,
    read_duration,
    read_file,
    read_header_files,
    read_names,
    read_selector,
    read_texts,
    read_url,
    read_username,
)
from autoscaler.setting import Setting
from autoscaler.setting_shapes import (
    BOOLEAN,
    DURATION,
    FILE,
    FILES,
    QUANTITY,
    SELECTOR,
    TEXTS,
    URL,
    USERNAME,
    Shape,
)
from autoscaler.sources.prometheus.mappings import SHIPPED
from recommender.durations import format_duration
from recommender.quantities import format_bytes_quantity

if TYPE_CHECKING:
    from autoscaler.settings import Settings


def _setting(
    name: str,
    meaning: str,
    shape: Shape,
    read: Read,
    shown: Callable[[PrometheusSettings], object],
) -> Setting:
    def text(settings: Settings) -> str:
        value = shown(settings.prometheus or PrometheusSettings())
        return "none" if value is None or value == "" else str(value)

    return Setting(path=f"{GROUP}.{name}", meaning=meaning, read=read, shape=shape, shown=text)


def _access(name: str) -> Callable[[PrometheusSettings], Any]:
    return lambda prometheus: prometheus.access.get(name, ACCESS_DEFAULTS[name])


def _yes_or_no(name: str, *, is_inverted: bool = False) -> Callable[[PrometheusSettings], str]:
    value = _access(name)
    return lambda prometheus: "true" if value(prometheus) is not is_inverted else "false"


def _names(name: str) -> Callable[[PrometheusSettings], str]:
    """Show names alone: a value may be a secret whatever its name."""
    value = _access(name)
    return lambda prometheus: ", ".join(value(prometheus))


def _header_files(prometheus: PrometheusSettings) -> str:
    files = _access("header_files")(prometheus)
    return ", ".join(f"{name}={path}" for name, path in files.items())


NAMES: Shape = {"anyOf": [{"enum": [*SHIPPED]}, {"type": "object"}]}
PROMETHEUS_SETTINGS = (
    _setting(
        "url",
        "Prometheus, or what speaks its API, as http(s)://host[:port][/prefix]; "
        f"{URL_VARIABLE} and --prometheus-url win over it.",
        URL,
        read_url("url"),
        lambda prometheus: prometheus.url,
    ),
    _setting(
        "mapping",
        "Names of the series: agent, greptimedb, dcgm, or a mapping with names of your own.",
        NAMES,
        read_names,
        lambda prometheus: prometheus.mapping.name,
    ),
    _setting(
        "selector",
        "Labels that every series must have, for example {cluster: prod}.",
        SELECTOR,
        read_selector,
        lambda prometheus: ", ".join(str(matcher) for matcher in prometheus.matchers),
    ),
    _setting(
        "timeout",
        "How long the server may work on one query.",
        DURATION,
        read_duration("query_timeout_s", 1.0, 600.0),
        lambda prometheus: format_duration(_access("query_timeout_s")(prometheus)),
    ),
    _setting(
        "connectTimeout",
        "How long connecting may take.",
        DURATION,
        read_duration("connect_timeout_s", 0.1, 60.0),
        lambda prometheus: format_duration(_access("connect_timeout_s")(prometheus)),
    ),
    _setting(
        "maxAnswer",
        "Largest answer to one query that is taken; what is larger is asked for in parts.",
        QUANTITY,
        read_answer_bytes,
        lambda prometheus: format_bytes_quantity(_access("answer_bytes")(prometheus)),
    ),
    _setting(
        "compression",
        "Whether answers are compressed: less traffic, several times the time on a fast network.",
        BOOLEAN,
        read_boolean("is_compressed"),
        _yes_or_no("is_compressed"),
    ),
    _setting(
        "tokenFile",
        "File with a bearer token; it is read again for each query.",
        FILE,
        read_file("bearer_token_file"),
        _access("bearer_token_file"),
    ),
    _setting(
        "username",
        "User name of basic authentication; needs passwordFile.",
        USERNAME,
        read_username,
        _access("basic_user"),
    ),
    _setting(
        "passwordFile",
        "File with the password of basic authentication.",
        FILE,
        read_file("basic_password_file"),
        _access("basic_password_file"),
    ),
    _setting(
        "caFile",
        "Certificates (PEM) that may have signed the server's; without it the public ones.",
        FILE,
        read_file("ca_file"),
        _access("ca_file"),
    ),
    _setting(
        "certFile",
        "Client certificate (PEM), with the key in the same file or in keyFile.",
        FILE,
        read_file("certificate_file"),
        _access("certificate_file"),
    ),
    _setting(
        "keyFile",
        "Key of the client certificate (PEM).",
        FILE,
        read_file("key_file"),
        _access("key_file"),
    ),
    _setting(
        "insecureSkipVerify",
        "Do not check the server's certificate: whoever is in between can read and answer.",
        BOOLEAN,
        read_boolean("is_verified", is_inverted=True),
        _yes_or_no("is_verified", is_inverted=True),
    ),
    _setting(
        "headers",
        "Headers of every query, for example {X-Scope-OrgID: team-a}; no secrets.",
        TEXTS,
        read_texts("headers", "name a file with it in prometheus.headerFiles"),
        _names("headers"),
    ),
    _setting(
        "headerFiles",
        "Headers whose values are read from files for each query, as header name to path.",
        FILES,
        read_header_files,
        _header_files,
    ),
    _setting(
        "parameters",
        "Parameters of every query, for example {db: public} or {dedup: 'true'}; no secrets.",
        TEXTS,
        read_texts("parameters", "send it as a header by prometheus.headerFiles"),
        _names("parameters"),
    ),
    _setting(
        "proxyUrl",
        "HTTP proxy on the way to the server, as http(s)://host[:port].",
        URL,
        read_url("proxy_url"),
        _access("proxy_url"),
    ),
)
