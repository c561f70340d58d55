"""The policies that ``tfa backtest --compare`` sets side by side."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from autoscaler.cli.backtest_policy_file import PolicyFile, read_policy_file
from autoscaler.cli.terminal import Terminal
from autoscaler.errors import UsageError
from autoscaler.scaling.cluster import WorkloadView, is_of_job
from recommender.backtest.contender import Contender
from recommender.backtest.rules import TENSOR_FUSION, VPA
from recommender.policy.model import Policy
from recommender.policy.parse import policy_from
from recommender.policy.settings import Settings, read_settings

OWN, DEFAULTS, STATED, TF = "own", "defaults", "stated", "tf"
BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        OWN: "what the workloads file and profiles say for each workload",
        DEFAULTS: "every setting at its default",
        STATED: "the stated amounts, unchanged",
        TF: "TensorFusion's rule: half-life 1 h, margin 15 %; requests P50 of use (QoS high: P95, "
        "VRAM P98; critical: P99), limits P99",
        "vpa": "the Vertical Pod Autoscaler's rule: P90 of use, half-life 1 d, margin 15 %; VRAM "
        "by daily peaks; limits keep their stated ratio to requests",
    }
)
_RULES = MappingProxyType({TF: TENSOR_FUSION, "vpa": VPA})
_ENABLED = MappingProxyType(
    {block: {"enable": True} for block in ("autoSetRequests", "autoSetLimits", "autoSetReplicas")}
)
_MOST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedPolicy:
    """One side of a comparison."""

    name: str
    meaning: str
    file: PolicyFile | None = None
    """None: built in."""

    @property
    def sizes_replicas(self) -> bool:
        """Whether it says how many workers there should be."""
        return self.name not in _RULES

    def contender(self, views: Sequence[WorkloadView]) -> Contender:
        """Return the policy of every view.  Raises ``UsageError`` with all problems of a file."""
        if self.file is not None:
            return Contender(name=self.name, policies=_of_file(self.file, views))
        if self.name == OWN:
            return Contender(name=self.name, policies=tuple(view.policy for view in views))
        if self.name == DEFAULTS:
            settings = read_settings(_ENABLED, path="autoScalingConfig", source=DEFAULTS)
            return Contender(name=self.name, policies=_of_settings(settings, views))
        return Contender(name=self.name, rule=_RULES.get(self.name))


def compared_policies(texts: Sequence[str], terminal: Terminal) -> tuple[ComparedPolicy, ...]:
    """Read what ``--compare`` was given: nothing, or two sides, the first of which may be ``own``.

    Raises ``UsageError`` and ``InputError``.
    """
    if len(texts) > _MOST:
        raise UsageError(f"--compare: {len(texts)} policies; allowed: one or two")
    sides = [_policy(text, terminal) for text in texts]
    if len(sides) == 1:
        sides.insert(0, ComparedPolicy(name=OWN, meaning=BUILT_IN[OWN]))
    if len({side.name for side in sides}) < len(sides):
        raise UsageError(
            f"--compare: both policies are called {sides[0].name!r}; "
            "allowed: two different ones, files as NAME=FILE"
        )
    return tuple(sides)


def _policy(text: str, terminal: Terminal) -> ComparedPolicy:
    if text in BUILT_IN:
        return ComparedPolicy(name=text, meaning=BUILT_IN[text])
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        name, path = Path(text).stem, text
    if not Path(path).is_file():
        close = difflib.get_close_matches(text, BUILT_IN, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise UsageError(
            f"--compare: {text!r} is not valid; allowed: {', '.join(BUILT_IN)}, or a file with a "
            f"WorkloadProfile as FILE or NAME=FILE{hint}"
        )
    if name in BUILT_IN or not name or not name.isprintable():
        raise UsageError(
            f"--compare: the name {name!r} of {path} is not valid; allowed: NAME=FILE with a "
            f"printable name other than {', '.join(BUILT_IN)}"
        )
    file = read_policy_file(Path(path))
    if file.others:
        terminal.note(
            f"{path}: {', '.join(file.others)} of profile {file.profile} are no part of the "
            "comparison, only its autoScalingConfig is"
        )
    return ComparedPolicy(name=name, meaning=f"profile {file.profile} of {path}", file=file)


def _of_file(file: PolicyFile, views: Sequence[WorkloadView]) -> tuple[Policy, ...]:
    policies = _of_settings(file.settings, views)
    problems = dict.fromkeys(
        problem for policy in _distinct(policies) for problem in policy.problems
    )
    errors = [problem for problem in problems if not problem.is_warning]
    if errors:
        raise UsageError("\n".join(file.placed(errors)))
    return policies


def _distinct(policies: Sequence[Policy]) -> list[Policy]:
    """Return each object once: equal workloads share their policy."""
    return list({id(policy): policy for policy in policies}.values())


def _of_settings(settings: Settings, views: Sequence[WorkloadView]) -> tuple[Policy, ...]:
    made: dict[tuple[str, str, bool], Policy] = {}
    policies = []
    for view in views:
        key = (view.qos, view.gpu_model, is_of_job(view.owner))
        if key not in made:
            made[key] = policy_from(settings, qos=key[0], gpu_model=key[1], is_job=key[2])
        policies.append(made[key])
    return tuple(policies)
