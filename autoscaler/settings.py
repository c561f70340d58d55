"""Settings of the process itself, read from one YAML file (``--config``).

What a workload's owner decides is ``recommender.policy``; this is what whoever runs ``tfa``
decides: thresholds of reports, prices, GPU models that the built-in table lacks, and which
Prometheus is asked (``prometheus_settings``).  A flag wins over the environment, the environment
over the file, the file over the default.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from autoscaler.errors import UsageError
from autoscaler.gpu_settings import known_model, read_models, read_prices
from autoscaler.prometheus_settings import (
    URL_VARIABLE,
    PrometheusSettings,
    contradictions,
    finished,
)
from autoscaler.prometheus_table import PROMETHEUS_SETTINGS
from autoscaler.prometheus_values import GROUP
from autoscaler.setting import Setting
from autoscaler.setting_shapes import CURRENCY, DURATION, MODELS, PRICES, SHARE
from autoscaler.sources.yaml_text import parse_yaml
from recommender.durations import format_duration, parse_duration_s
from recommender.errors import InvalidValueError
from recommender.gpu_models import GpuModel
from recommender.report.thresholds import Thresholds

DEFAULT_SOURCE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting as ``tfa config show`` prints it."""

    path: str
    value: str
    default: str
    source: str
    meaning: str


class SettingProblem(NamedTuple):
    """What is wrong with one setting."""

    path: str
    """Of the setting, or of a part of it; empty: the file as a whole."""
    text: str
    """For the user; it begins with the file, or the variable, and the path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of the process, with where each came from."""

    since_s: int = 14 * 86400
    currency: str = "USD"
    thresholds: Thresholds = field(default_factory=Thresholds)
    gpu_models: tuple[GpuModel, ...] = ()
    gpu_prices: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Price of one GPU hour by the model's name in the table."""
    prometheus: PrometheusSettings | None = None
    """None where nothing names or describes one."""
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def gpu_model(self, name: str, where: str) -> GpuModel:
        """Return a GPU model by name or alias.  Raises ``UsageError`` with names like it."""
        return known_model(name, where, self.gpu_models)

    def rows(self) -> list[SettingRow]:
        """Return every setting, in the order of the file."""
        plain = Settings()
        return [
            SettingRow(
                path=setting.path,
                value=setting.shown(self),
                default=setting.shown(plain),
                source=self.sources.get(setting.path, DEFAULT_SOURCE),
                meaning=setting.meaning,
            )
            for setting in SETTINGS
        ]


def load_settings(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings file; no path: all defaults.  The environment may name the Prometheus.

    Raises ``UsageError`` when it cannot be read, and with all problems at once.
    """
    if path is None:
        return settings_of({}, "settings", environment)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text ({error.reason})") from error
    document = parse_yaml(text, str(path), UsageError)
    return settings_of({} if document is None else document, str(path), environment)


def settings_of(
    document: object, origin: str, environment: Mapping[str, str] = MappingProxyType({})
) -> Settings:
    """Check a mapping of settings.  Raises ``UsageError`` with all problems at once."""
    settings, problems = read_settings(document, origin, environment)
    if settings is None:
        raise UsageError("\n".join(problem.text for problem in problems))
    return settings


def read_settings(
    document: object, origin: str, environment: Mapping[str, str] = MappingProxyType({})
) -> tuple[Settings | None, tuple[SettingProblem, ...]]:
    """Return the settings that a mapping states; None where there are problems."""
    if not isinstance(document, Mapping):
        text = f"{origin}: a mapping is expected, for example 'report: {{since: 14d}}'"
        return None, (SettingProblem("", text),)
    known = {setting.path: setting for setting in SETTINGS}
    found = {
        path: (value, origin, f"{origin}: {path}") for path, value in _flat(document, known).items()
    }
    if environment.get(URL_VARIABLE):
        found[f"{GROUP}.url"] = environment[URL_VARIABLE], URL_VARIABLE, URL_VARIABLE
    values: dict[str, Any] = {"gpu_models": (), "gpu_prices": {}, "thresholds": {}}
    problems = list(_read(found, known, values))
    given = values.pop(GROUP, {})
    problems += [
        SettingProblem(GROUP, f"{origin}: {text}") for text in contradictions(found, given)
    ]
    if problems:
        return None, tuple(problems)
    try:
        prometheus = finished(given, origin) if given else None
    except UsageError as error:
        return None, tuple(SettingProblem(GROUP, text) for text in str(error).splitlines())
    values["thresholds"] = Thresholds(**values["thresholds"])
    values["gpu_prices"] = MappingProxyType(values["gpu_prices"])
    sources = {path: source for path, (_, source, _) in found.items()}
    settings = Settings(**values, prometheus=prometheus, sources=MappingProxyType(sources))
    return settings, ()


def _read(
    found: Mapping[str, tuple[object, str, str]],
    known: Mapping[str, Setting],
    values: dict[str, Any],
) -> Iterator[SettingProblem]:
    """Check (value, source, place) of each path found, and yield what is wrong."""
    # Own GPU models come first: prices may name them.
    for path in sorted(found, key=lambda path: (path != "gpuModels", path)):
        value, _, where = found[path]
        if path not in known:
            yield SettingProblem(path, f"{where}: unknown setting{_hint(path, known)}")
            continue
        try:
            known[path].read(value, where, values)
        except (InvalidValueError, UsageError) as error:
            for text in str(error).splitlines():
                # A part of the setting stands behind its place.
                part = text.removeprefix(where).partition(": ")[0]
                yield SettingProblem(f"{path}{part}" if part[:1] == "." else path, text)


def _flat(document: Mapping[Any, Any], known: Mapping[str, object]) -> dict[str, object]:
    """Return path to value; what is no group of settings stays whole."""
    groups = {path.partition(".")[0] for path in known if "." in path}
    flat: dict[str, object] = {}
    for key, value in document.items():
        if key in groups and isinstance(value, Mapping):
            flat.update({f"{key}.{name}": part for name, part in value.items()})
        else:
            flat[str(key)] = value
    return flat


def _hint(path: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(path, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"


def _share(name: str) -> Callable[[Any, str, dict[str, Any]], None]:
    def read(value: Any, where: str, values: dict[str, Any]) -> None:
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if isinstance(value, bool) or not 0 < share <= 1:
            raise InvalidValueError(where, value, "a share above 0 and at most 1, or 0.1% to 100%")
        values["thresholds"][name] = share

    return read


def _duration_s(value: Any, where: str) -> int:
    seconds = parse_duration_s(value, where)
    if seconds < 60:
        raise InvalidValueError(where, value, "a duration of at least 1m")
    return int(seconds)


def _read_since(value: Any, where: str, values: dict[str, Any]) -> None:
    values["since_s"] = _duration_s(value, where)


def _read_idle_after(value: Any, where: str, values: dict[str, Any]) -> None:
    values["thresholds"]["idle_after_s"] = _duration_s(value, where)


def _read_currency(value: Any, where: str, values: dict[str, Any]) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > 8:
        raise InvalidValueError(where, value, "a short text such as USD")
    values["currency"] = value.strip()


def _percent(value: float) -> str:
    return f"{100 * value:g}%"


def _threshold(path: str, name: str, meaning: str) -> Setting:
    return Setting(
        path=f"thresholds.{path}",
        meaning=meaning,
        read=_share(name),
        shape=SHARE,
        shown=lambda settings: _percent(getattr(settings.thresholds, name)),
    )


SETTINGS = (
    Setting(
        path="report.since",
        meaning="How much recorded or measured use a report reads.",
        read=_read_since,
        shape=DURATION,
        shown=lambda settings: format_duration(settings.since_s),
    ),
    Setting(
        path="report.currency",
        meaning="Currency of all prices, for display only.",
        read=_read_currency,
        shape=CURRENCY,
        shown=lambda settings: settings.currency,
    ),
    _threshold(
        "vramPeakOfLimitRatio",
        "vram_peak_of_limit_ratio",
        "CRITICAL above: highest VRAM use as a share of the limit.",
    ),
    _threshold(
        "atLimitShare",
        "at_limit_share",
        "CRITICAL above: share of minutes in which compute was held back by its limit or share.",
    ),
    _threshold(
        "idleComputeRatio",
        "idle_compute_ratio",
        "WARNING below: highest compute use as a share of the card.",
    ),
    Setting(
        path="thresholds.idleAfter",
        meaning="How long compute must have been idle for that warning.",
        read=_read_idle_after,
        shape=DURATION,
        shown=lambda settings: format_duration(settings.thresholds.idle_after_s),
    ),
    _threshold(
        "idleHoldsRatio",
        "idle_holds_ratio",
        "Smallest share of a GPU that an idle workload must hold for that warning.",
    ),
    Setting(
        path="gpuModels",
        meaning="GPU models beside the built-in table: FP16 TFLOPS and VRAM of one device.",
        read=read_models,
        shape=MODELS,
        shown=lambda settings: ", ".join(model.name for model in settings.gpu_models) or "none",
    ),
    Setting(
        path="gpuPrices",
        meaning="Price of one GPU hour by model, where a workload states none.",
        read=read_prices,
        shape=PRICES,
        shown=lambda settings: (
            ", ".join(f"{name} {price:g}" for name, price in settings.gpu_prices.items()) or "none"
        ),
    ),
    *PROMETHEUS_SETTINGS,
)
