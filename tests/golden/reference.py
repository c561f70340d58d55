"""The reference pages of ``docs/reference``, made from the tables of the code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum

import typer

from autoscaler.cli.main import app
from autoscaler.settings import SETTINGS, Settings
from autoscaler.telemetry.agent_families import AGENT_FAMILIES
from autoscaler.telemetry.families import FAMILIES
from autoscaler.telemetry.family import Family
from recommender.decision import Code
from recommender.forecast.models import (
    MODELS,
    MOST_NAMED_IN_THE_LOOP,
    Model,
    ModelName,
    Runs,
)
from recommender.policy.fields import BLOCK_ANNOTATIONS, STATEMENTS, TARGET_ANNOTATIONS
from recommender.policy.schema import field_rows
from recommender.sentences import NOTHING
from tests.golden.tables import MADE, one_line, table

OF_THE_AGENT = (
    "TFLOPS and percentages of workers are means since the last multiple of five seconds, memory "
    "is the most since then, and what is in force is the value of now. Counters of workers go on "
    "where they were when an agent starts again. What is not known has no series.\n"
)
LAYERS = {
    "autoSetRequests": "auto-requests",
    "autoSetLimits": "auto-limits",
    "autoSetReplicas": "auto-replicas",
    "autoSetResources": "requests and limits, current generation",
    "cronScalingRules": "cron rules",
    "externalScaler": "external scaler",
    "scaleToZero": "scale to zero (kept and validated, not acted on yet)",
}


def settings_page() -> str:
    """Return every field of ``autoScalingConfig``, with default, allowed values and meaning."""
    lines = [MADE, "# Settings\n", "## `autoScalingConfig`\n", *_fields_below("")]
    for block, title in LAYERS.items():
        lines += [f"## `{block}`: {title}\n", *_fields_below(block)]
    lines += ["## Models of `prediction.model`\n", *_models()]
    lines += ["## What a workload declares\n", *_statements()]
    lines += ["## Annotations that enrol\n", *_annotations()]
    lines += ["## Settings of the process (`--config`)\n", *_process_settings()]
    return "\n".join(lines).rstrip() + "\n"


def reasons_page() -> str:
    """Return every reason code of a decision, with its sentence."""
    lines = [
        MADE,
        "# Reasons\n",
        "Every step of a decision has one of these codes; `…` stands for amounts.\n",
        *table(
            ("code", "sentence"),
            ((f"`{code.name}`", _plain(code.template)) for code in Code),
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def metrics_page() -> str:
    """Return every metric that the processes export."""
    lines = [
        MADE,
        "# Own metrics\n",
        "Counters begin at 0 when the process starts. No series is of a single worker or pod.\n",
        *_families(FAMILIES),
        "# Metrics of the agent\n",
        OF_THE_AGENT,
        *_families(AGENT_FAMILIES),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _families(families: Iterable[Family]) -> Iterator[str]:
    rows = (
        (
            f"`{family.name}`",
            family.kind,
            ", ".join(f"`{label}`" for label in family.labels),
            family.meaning,
        )
        for family in families
    )
    return table(("metric", "type", "labels", "meaning"), rows)


def cli_page() -> str:
    """Return every command with its arguments and options."""
    root = typer.main.get_command(app)
    lines = [MADE, "# Commands\n", f"{root.help}\n", f"{root.epilog}\n"]
    for path, command in _commands(root, "tfa"):
        lines += [f"## `{path}`\n", f"{one_line(command.help)}\n", *_parameters(command)]
    return "\n".join(lines).rstrip() + "\n"


def _fields_below(block: str) -> Iterator[str]:
    rows = []
    for field, allowed, default in field_rows():
        head = field.path.partition(".")[0].removesuffix("[]")
        if (head if head in LAYERS else "") != block:
            continue
        name = f"`{field.path}`"
        if field.aliases:
            name += " (also " + ", ".join(f"`{alias}`" for alias in field.aliases) + ")"
        rows.append((name, default or NOTHING, allowed, field.meaning))
    return table(("field", "default", "allowed", "meaning"), rows)


def _models() -> Iterator[str]:
    rows = ((f"`{model.name}`", _where(model), model.meaning) for model in MODELS.values())
    return table(("model", "in the live loop", "meaning"), rows)


def _where(model: Model) -> str:
    if model.runs is Runs.BATCHED:
        return "for every workload"
    return f"for {MOST_NAMED_IN_THE_LOOP} workloads at most, `{ModelName.AUTO}` for the others"


def _statements() -> Iterator[str]:
    rows = (
        (
            ", ".join(f"`tensor-fusion.ai/{key}`" for key in statement.annotations),
            f"`{statement.profile}`" if statement.profile else "",
            f"`{statement.column}`" if statement.column else "",
            statement.meaning,
        )
        for statement in STATEMENTS
    )
    return table(("annotation", "profile", "workloads file", "meaning"), rows)


def _annotations() -> Iterator[str]:
    rows = [
        (f"`tensor-fusion.ai/{key}: 'true'`", f"sets `{block}.enable`")
        for key, block in BLOCK_ANNOTATIONS.items()
    ]
    rows += [
        (f"`tensor-fusion.ai/{key}`", "`targetResource` of `autoSetResources`")
        for key in TARGET_ANNOTATIONS
    ]
    return table(("annotation", "effect"), rows)


def _process_settings() -> Iterator[str]:
    defaults = Settings()
    rows = ((f"`{s.path}`", s.shown(defaults), s.meaning) for s in SETTINGS)
    return table(("setting", "default", "meaning"), rows)


def _commands(command, path: str) -> Iterator[tuple[str, object]]:
    children = getattr(command, "commands", None) or {}
    if not children or command.invoke_without_command:
        yield path, command
    for name, child in children.items():
        yield from _commands(child, f"{path} {name}")


def _parameters(command) -> Iterator[str]:
    rows = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            names = f"`{parameter.metavar or parameter.name.upper()}`"
        else:
            names = ", ".join(f"`{name}`" for name in reversed(parameter.opts))
        annotation = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
        is_choice = isinstance(annotation, type) and issubclass(annotation, Enum)
        kind = "|".join(annotation) if is_choice else str(parameter.metavar or "")
        rows.append((names, kind, one_line(getattr(parameter, "help", ""))))
    return table(("option", "value", "meaning"), rows)


def _plain(template: str) -> str:
    parts, rest = [], template
    while "{" in rest:
        before, _, rest = rest.partition("{")
        _, _, rest = rest.partition("}")
        parts.append(f"{before}…")
    return "".join(parts) + rest
