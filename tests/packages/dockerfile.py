"""Reads the Dockerfile: its stages, and the instructions of each, as the builder of images would.

Of the language it knows what ours uses; another instruction is an error.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from tests.autoscaler.agent.native.built import ROOT

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
CONTINUED = re.compile(r"\\\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A COPY: from the context, or from another stage."""

    sources: tuple[str, ...]
    target: str
    stage: str | None


@dataclass(slots=True, kw_only=True)
class Stage:
    """One FROM and what follows it."""

    base: str
    steps: list[Copy | str] = field(default_factory=list)
    """What fills the image, in its order; a text is the command of a RUN."""
    variables: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()


def stages(path: Path = DOCKERFILE) -> dict[str, Stage]:
    """Return the stages by their names, in their order.  Raises ``ValueError``."""
    found: dict[str, Stage] = {}
    arguments: dict[str, str] = {}
    for line in CONTINUED.sub(" ", path.read_text(encoding="utf-8")).splitlines():
        word, _, text = line.partition(" ")
        if word == "ARG":
            name, _, value = text.partition("=")
            arguments[name] = value
        elif word == "FROM":
            base, name = text.split(" AS ")
            stage = found[name] = Stage(base=_filled(base, arguments))
        elif word and not word.startswith("#"):
            _instruct(stage, word, text)
    return found


def _filled(text: str, arguments: dict[str, str]) -> str:
    for name, value in arguments.items():
        text = text.replace(f"${{{name}}}", value)
    return text


def _instruct(stage: Stage, word: str, text: str) -> None:
    match word:
        case "RUN":
            stage.steps.append(text)
        case "COPY":
            stage.steps.append(_copy(text.split()))
        case "ENV":
            stage.variables |= dict(part.split("=", 1) for part in shlex.split(text))
        case "WORKDIR":
            stage.folder = text
        case "USER":
            stage.user = text
        case "ENTRYPOINT":
            stage.entrypoint = tuple(json.loads(text))
        case _:
            raise ValueError(f"{word} {text}: not known to this test")


def _copy(words: list[str]) -> Copy:
    stage = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else None
    *sources, target = words
    return Copy(sources=tuple(sources), target=target, stage=stage)
