"""What ``tfa crds`` does: choose kinds, and print or write their definitions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoscaler.api.crd import definition_yaml
from autoscaler.api.kinds import KINDS, CustomKind
from autoscaler.cli.output import print_result, write_file
from autoscaler.errors import UsageError


def run_crds(*, names: Sequence[str], output_dir: Path | None) -> None:
    """Print the definitions, or write each into its own file.

    Raises ``UsageError`` for a name that no kind has, and for a folder that is a file.
    """
    kinds = chosen_kinds(names)
    if output_dir is None:
        print_result("---\n".join(map(definition_yaml, kinds)))
        return
    if output_dir.exists() and not output_dir.is_dir():
        raise UsageError(f"--output-dir: {output_dir} is no folder")
    for kind in kinds:
        write_file(output_dir / f"{kind.plural}.yaml", definition_yaml(kind))


def chosen_kinds(names: Sequence[str]) -> tuple[CustomKind, ...]:
    """Return the kinds of these names in the order of the table; all where there are none."""
    if not names:
        return KINDS
    wanted = {_kind(name) for name in names}
    return tuple(kind for kind in KINDS if kind in wanted)


def _kind(name: str) -> CustomKind:
    spelt = name.strip().lower()
    for kind in KINDS:
        known = {kind.name.lower(), kind.plural, kind.full_name, *kind.short_names}
        if spelt in known:
            return kind
    allowed = ", ".join(kind.plural for kind in KINDS)
    raise UsageError(f"--name: {name!r} is no kind of the API; allowed: {allowed}")
