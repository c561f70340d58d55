"""Back-tests of whole fleets: parts of the workloads on local cores, or on a Dask cluster.

joblib carries the parts, so the same call runs on both; every part is replayed and scored where it
runs, and only sums come back.  With ``Amounts.NEXT`` each part has a change budget of its own.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import numpy as np

from recommender.backtest.frame import UsageFrame
from recommender.backtest.judging import Judged, judged, judged_replicas
from recommender.backtest.plan import ReplayPlan
from recommender.backtest.replay import Progress, replay
from recommender.backtest.replayed_fleet import unbounded_workloads
from recommender.backtest.scores import Tally, denied_minutes, scores_of
from recommender.backtest.whatif import Scores
from recommender.decision import Layer
from recommender.errors import ContractError, InvalidValueError
from recommender.observation import Floats, Workloads
from recommender.policy.model import Policy
from recommender.resources import Resource

LOCAL = "local"
ENGINES = "local, or dask://HOST:PORT of a Dask scheduler"
WORKLOADS_PER_PART = 64
_DASK = re.compile(r"dask://(?P<address>[^/\s]+:\d{1,5})/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestResult:
    """Scores of every workload (rows in the order of ``workloads``) and of the fleet."""

    workloads: tuple[tuple[str, str], ...]
    """(namespace, workload)."""
    resources: tuple[Resource, ...]
    start_s: int
    end_s: int
    step_s: int
    plan: ReplayPlan
    layers: dict[Layer, Judged]
    """``[W, R]``; replicas ``[W, 1]``."""

    def fleet(self, layer: Layer) -> Scores:
        """Return the scores of all workloads together, ``[R]``; each judged step weighs the same.

        Slack divides all that was allocated by all that was used; changes are per workload.
        """
        of_layer = self.layers[layer]
        sums = {f.name: getattr(of_layer.tally, f.name).sum(axis=0) for f in fields(Tally)}
        changes = of_layer.scores.changes_per_day
        known = ~np.isnan(changes)
        each = np.where(known, changes, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return scores_of(Tally(**sums), each)

    def denied_vram_minutes(self, layer: Layer) -> Floats:
        """Return the minutes in which VRAM would have been refused, ``[W, R]``; else 0."""
        minutes = denied_minutes(self.layers[layer].tally, self.step_s)
        is_vram = np.array([not resource.is_compressible for resource in self.resources], np.bool_)
        return np.where(is_vram, minutes, 0.0)


def run_backtest(
    frame: UsageFrame,
    policies: Sequence[Policy],
    plan: ReplayPlan,
    *,
    workloads: Workloads | None = None,
    engine: str = LOCAL,
    jobs: int = 1,
    progress: Progress | None = None,
) -> BacktestResult:
    """Replay and score a fleet.

    ``policies`` and ``workloads`` (what is stated and in force, by default nothing) are in the
    order of ``frame.workloads``.  ``engine`` is ``local`` with ``jobs`` processes (-1: one per
    core) or ``dask://HOST:PORT``, whose workers have this package installed.  Raises
    ``InvalidValueError`` for an engine that cannot be used.
    """
    plan.checked(frame.step_s)
    keys = frame.workloads
    if workloads is None:
        workloads = unbounded_workloads(keys, len(frame.resources))
    if not len(policies) == len(keys) == len(workloads.workload):
        raise ContractError(f"{len(keys)} workloads in the frame, {len(policies)} policies")
    if jobs == 0 or jobs < -1:
        raise InvalidValueError("jobs", jobs, "1 or more, or -1 for one process per core")
    parts = [
        _Part(
            frame=frame.of_workloads(rows),
            policies=tuple(policies[i] for i in rows),
            workloads=_rows_of(workloads, rows),
            plan=plan,
        )
        for rows in _parts(len(keys))
    ]
    return BacktestResult(
        workloads=keys,
        resources=frame.resources,
        start_s=frame.t0_s,
        end_s=frame.end_s,
        step_s=frame.step_s,
        plan=plan,
        layers=_joined(_run(parts, engine, jobs, progress)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """Some workloads of a fleet; travels to the process that replays it."""

    frame: UsageFrame
    policies: tuple[Policy, ...]
    workloads: Workloads
    plan: ReplayPlan

    def scored(self) -> dict[Layer, Judged]:
        """Replay and judge."""
        done = replay(self.frame, self.policies, self.plan, workloads=self.workloads)
        stated = _stated_limit(self.workloads, self.frame.resources)
        return {
            layer: judged_replicas(self.frame, in_force, stated)
            if layer is Layer.REPLICAS
            else judged(self.frame, in_force)
            for layer, in_force in done.in_force.items()
        }


def _scored(part: _Part) -> dict[Layer, Judged]:
    return part.scored()


def _parts(workloads: int) -> list[np.ndarray]:
    count = max(1, -(-workloads // WORKLOADS_PER_PART))
    return np.array_split(np.arange(workloads), count)


def _rows_of(workloads: Workloads, rows: np.ndarray) -> Workloads:
    """Return some rows of every column."""
    columns: dict[str, object] = {}
    for item in fields(Workloads):
        column = getattr(workloads, item.name)
        if isinstance(column, tuple):
            columns[item.name] = tuple(column[i] for i in rows)
        else:
            columns[item.name] = column[rows]
    # replicas are decided per row: what another part holds cannot be seen from here
    columns["replica_row"] = np.arange(len(rows))
    return replace(workloads, **columns)  # type: ignore[arg-type]


def _stated_limit(workloads: Workloads, resources: Sequence[Resource]) -> Floats:
    for r, resource in enumerate(resources):
        if resource.is_compressible:
            return workloads.stated_limit[:, r]
    return np.full(len(workloads.workload), np.nan)


def _run(
    parts: Sequence[_Part], engine: str, jobs: int, progress: Progress | None
) -> list[dict[Layer, Judged]]:
    from joblib import Parallel, delayed

    done: list[dict[Layer, Judged]] = []
    with _backend(engine, jobs):
        for result in Parallel(return_as="generator")(delayed(_scored)(part) for part in parts):
            done.append(result)
            if progress is not None:
                progress(len(done) / len(parts))
    return done


@contextmanager
def _backend(engine: str, jobs: int) -> Iterator[None]:
    """Choose where joblib runs.  Raises ``InvalidValueError``."""
    from joblib import parallel_config

    if engine == LOCAL:
        with parallel_config(n_jobs=jobs):
            yield
        return
    match = _DASK.fullmatch(engine)
    if match is None:
        raise InvalidValueError("engine", engine, ENGINES)
    if importlib.util.find_spec("distributed") is None:
        raise InvalidValueError("engine", engine, f"{ENGINES}; the extra 'dask' is not installed")
    from distributed import Client

    try:
        client = Client(match["address"])  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        raise InvalidValueError("engine", engine, f"{ENGINES} that answers ({error})") from error
    # joblib would leave a client of its own behind, which looks for its scheduler for ever
    with client, parallel_config("dask", client=client):
        yield


def _joined(parts: Sequence[dict[Layer, Judged]]) -> dict[Layer, Judged]:
    """Put the rows of all parts together."""
    return {
        layer: Judged(
            tally=Tally(**_columns(Tally, [part[layer].tally for part in parts])),
            scores=Scores(**_columns(Scores, [part[layer].scores for part in parts])),
        )
        for layer in parts[0]
    }


def _columns(kind: type, rows: Sequence[object]) -> dict[str, Floats]:
    return {f.name: np.concatenate([getattr(row, f.name) for row in rows]) for f in fields(kind)}
