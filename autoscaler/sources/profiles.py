"""Reads WorkloadProfile manifests from a file or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autoscaler.errors import InputError, UsageError
from autoscaler.sources.usage_series import PRINTABLE
from autoscaler.sources.workloads_file import read_text
from recommender.policy.profiles import read_profiles

Profiles = Mapping[tuple[str, str], Mapping[str, object]]
"""(namespace, name) to ``spec``; the namespace is empty where the manifest names none."""
SUFFIXES = (".yaml", ".yml", ".json")


def read_profile_files(path: Path | None) -> Profiles:
    """Read all profiles of a file, or of the YAML files directly in a folder.

    Raises ``InputError`` when nothing can be read or no profile is found, ``UsageError`` with the
    problems of all files.
    """
    if path is None:
        return {}
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    profiles: dict[tuple[str, str], Mapping[str, object]] = {}
    problems: list[str] = []
    for file in files:
        found, file_problems = read_profiles(read_text(file), str(file))
        problems += [str(problem) for problem in file_problems]
        problems += [
            f"{file}: the name {'/'.join(filter(None, key))!r} of a WorkloadProfile is not valid; "
            f"allowed: {PRINTABLE}"
            for key in found
            if not "".join(key).isprintable()
        ]
        for key in found.keys() & profiles.keys():
            problems.append(f"{file}: {'/'.join(filter(None, key))} stands in another file too")
        profiles |= found
    if problems:
        raise UsageError("\n".join(problems))
    if not profiles:
        raise InputError(f"{path}: no manifest of kind WorkloadProfile found")
    return profiles
