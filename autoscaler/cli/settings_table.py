"""Settings as text: of the process, and of workload policies."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoscaler.errors import UsageError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.fleet.stated import stated_by
from autoscaler.settings import load_settings
from autoscaler.settings_schema import settings_schema
from autoscaler.sources.profiles import Profiles, read_profile_files
from autoscaler.sources.workloads_file import read_text, read_workloads_file
from autoscaler.sources.yaml_text import parse_yaml
from recommender.policy.describe import describe_policy
from recommender.policy.parse import parse_auto_scaling_config
from recommender.policy.profiles import read_profiles
from recommender.policy.resolve import resolve
from recommender.policy.schema import auto_scaling_config_schema, workloads_row_schema
from recommender.report.jsonform import report_schema

if TYPE_CHECKING:
    from autoscaler.cli.config import SchemaOf, TextFormat
    from recommender.policy.model import Policy

PROCESS = "process"
WIDTH = 100
"""Characters of a line of meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSetting:
    """One setting of the process, or of one workload's policy."""

    scope: str
    """``process``, ``defaults``, or the workload or profile."""
    path: str
    field: str = ""
    """Where it is set: the path below ``autoScalingConfig``; empty where it is fixed."""
    value: str
    default: str
    source: str
    meaning: str


def settings_rows(
    *,
    profile: Path | None,
    workloads: Path | None,
    profiles: Path | None,
    workload: str | None,
    config: Path | None,
) -> list[ShownSetting]:
    """Return all settings asked for.

    Raises ``UsageError`` with every problem of the files, and ``InputError``.
    """
    settings = load_settings(config)
    rows = [ShownSetting(scope=PROCESS, **asdict(row)) for row in settings.rows()]
    if workload is not None and workloads is None:
        raise UsageError("--workload names a row of --workloads FILE, which is missing")
    policies: dict[str, Policy] = {}
    if profile is not None:
        policies |= _profile_policies(profile)
    if workloads is not None:
        models = GpuModels(own=settings.gpu_models, prices=settings.gpu_prices)
        policies |= _workload_policies(workloads, profiles, workload, models)
    elif profiles is not None:
        policies |= _named_policies(read_profile_files(profiles), str(profiles))
    if not policies:
        policies = {"defaults": resolve().policy}
    for scope, policy in policies.items():
        rows += _policy_rows(scope, policy)
    return rows


def render_settings(rows: Sequence[ShownSetting], output: TextFormat) -> str:
    """Return the rows in one format."""
    records = [asdict(row) for row in rows]
    if output == "json":
        return json.dumps(records, indent=2, ensure_ascii=False) + "\n"
    if output == "yaml":
        import yaml

        text: str = yaml.safe_dump(records, sort_keys=False, allow_unicode=True, width=1000)
        return text
    if output == "csv":
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
        return buffer.getvalue()
    return _table(rows)


def schema_text(of: SchemaOf) -> str:
    """Return a JSON Schema."""
    from autoscaler.api.gpu_pool import GPUPool
    from autoscaler.api.gpu_resource_quota import GPUResourceQuota
    from autoscaler.api.manifest_schema import manifest_schema
    from autoscaler.api.workload_profile import WorkloadProfile

    schemas: Mapping[str, Callable[[], Mapping[str, Any]]] = {
        "autoScalingConfig": auto_scaling_config_schema,
        "workloads": workloads_row_schema,
        "report": report_schema,
        "profile": partial(manifest_schema, WorkloadProfile),
        "pool": partial(manifest_schema, GPUPool),
        "quota": partial(manifest_schema, GPUResourceQuota),
        "settings": settings_schema,
    }
    return json.dumps(schemas[of](), indent=2, ensure_ascii=False) + "\n"


def _table(rows: Sequence[ShownSetting]) -> str:
    """Return a block per scope: value and source on one line, the meaning below it."""
    scopes = list(dict.fromkeys(row.scope for row in rows))
    blocks = []
    for scope in scopes:
        lines = [scope]
        for row in rows:
            if row.scope == scope:
                lines += _setting_lines(row)
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _setting_lines(row: ShownSetting) -> list[str]:
    source = row.source if row.value == row.default else f"{row.source}; default {row.default}"
    meaning = textwrap.fill(row.meaning, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6)
    field = f", set by {row.field}" if row.field else ""
    return [f"  {row.path} = {row.value}  ({source}{field})", meaning]


def _policy_rows(scope: str, policy: Policy) -> list[ShownSetting]:
    return [
        ShownSetting(
            scope=scope,
            path=row.path,
            field=row.field,
            value=row.value,
            default=row.default,
            source=row.source,
            meaning=row.meaning,
        )
        for row in describe_policy(policy)
    ]


def _profile_policies(path: Path) -> dict[str, Policy]:
    """Return the policies of a file of WorkloadProfiles, or of one ``autoScalingConfig``."""
    text = read_text(path)
    profiles, problems = read_profiles(text, str(path))
    if problems:
        raise UsageError("\n".join(map(str, problems)))
    if profiles:
        return _named_policies(profiles, str(path))
    document = parse_yaml(text, str(path), UsageError)
    if not isinstance(document, dict):
        raise UsageError(f"{path}: neither a WorkloadProfile nor an autoScalingConfig")
    inner = document.get("autoScalingConfig", document)
    policy = parse_auto_scaling_config(inner, source=str(path))
    wrong = [f"{path}: {problem}" for problem in policy.problems if not problem.is_warning]
    if wrong:
        raise UsageError("\n".join(wrong))
    return {str(path): policy}


def _named_policies(profiles: Profiles, place: str) -> dict[str, Policy]:
    """Return the policy of each profile.  Raises ``UsageError`` with the problems of all."""
    policies: dict[str, Policy] = {}
    wrong: list[str] = []
    for key, spec in profiles.items():
        name = "/".join(part for part in key if part)
        resolved = resolve(profile=spec, profile_name=name)
        policies[f"profile {name}"] = resolved.policy
        wrong += [f"{place}: {problem}" for problem in resolved.errors]
    if wrong:
        raise UsageError("\n".join(wrong))
    return policies


def _workload_policies(
    path: Path, profiles_path: Path | None, workload: str | None, gpu_models: GpuModels
) -> dict[str, Policy]:
    profiles = read_profile_files(profiles_path)
    policies, wrong = {}, []
    for row in read_workloads_file(path).rows:
        name = f"{row.namespace}/{row.workload}"
        statement = stated_by(row, profiles, gpu_models)
        wrong += [
            f"{row.place}: {problem}" for problem in statement.problems if not problem.is_warning
        ]
        if workload in {None, name}:
            policies[name] = statement.resolved.policy
    if wrong:
        raise UsageError("\n".join(wrong))
    if not policies:
        raise UsageError(f"--workload: {workload!r} is not in {path}")
    return policies
