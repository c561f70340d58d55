"""What is answered to each question, from the board; HTTP itself is ``application``."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from autoscaler.errors import AutoscalerError, UsageError
from autoscaler.scaling.page import parameters
from autoscaler.scaling.page.answers import DecisionsAnswer, WorkloadAnswer
from autoscaler.scaling.page.encoded import Encoded, encoded
from autoscaler.scaling.page.formats import CHARSET, JSON_TYPE, MEDIA_TYPES, Format
from autoscaler.scaling.page.parameters import Values, one
from autoscaler.scaling.page.recorded import (
    changes_of,
    decided_of,
    decisions_since,
    in_force_of,
)
from recommender.report.blocks import Severity
from recommender.report.options import RenderOptions
from recommender.report.renderers import RENDERERS
from recommender.report.select import Selection, SortKey, ordered, selected

if TYPE_CHECKING:
    from autoscaler.scaling.page.building import Built
    from autoscaler.scaling.page.live_state import Key, LiveState
    from recommender.report.model import Report

TABLE_WIDTH = 160


class NothingNamedError(AutoscalerError):
    """Nothing has the name that was asked for; the text says what has."""


def finished_answer(built: Built, values: Values) -> Encoded | None:
    """Return the report where it was made with the page; None: it is to be made as asked for."""
    if any(name != parameters.FORMAT.name for name in values):
        return None
    format_ = Format(one(values, parameters.FORMAT, Format.JSON))
    return {Format.JSON: built.json, Format.HTML: built.page}.get(format_)


def report_answer(built: Built, values: Values) -> Encoded:
    """Return the report in the format that was asked for.  Raises ``UsageError``."""
    format_ = Format(one(values, parameters.FORMAT, Format.JSON))
    report = ordered(
        selected(built.report, _selection(values)),
        SortKey(one(values, parameters.SORT, SortKey.RISK)),
    )
    options = RenderOptions(width=TABLE_WIDTH, include_ok=True, live=built.live)
    media = MEDIA_TYPES[format_]
    type_ = media if media == JSON_TYPE else media + CHARSET
    return encoded(RENDERERS[format_](report, options), type_)


def _selection(values: Values) -> Selection:
    severity = one(values, parameters.SEVERITY)
    return Selection(
        namespaces=tuple(values.get(parameters.NAMESPACE_GLOB.name, ())),
        workloads=tuple(values.get(parameters.WORKLOAD_GLOB.name, ())),
        pools=tuple(values.get(parameters.POOL.name, ())),
        min_severity=Severity(severity.upper()) if severity else None,
    )


def workload_answer(state: LiveState, built: Built | None, key: Key) -> Encoded:
    """Return everything that is known of one workload.  Raises ``NothingNamedError``."""
    rows = rows_of(state, key)
    records = {state.keys[row]: state.records.decisions_of(state.keys[row]) for row in rows}
    decisions = [
        decided_of(row_key, record, state.resources)
        for row_key, ring in records.items()
        for record in ring
    ]
    decisions.sort(key=lambda decided: -decided.time_s)
    answer = WorkloadAnswer(
        namespace=key[0],
        workload=key[1],
        as_of_s=state.now_s,
        mode=str(state.mode),
        holds=state.holds,
        in_force=tuple(in_force_of(state.views[row], state.keys[row][2]) for row in rows),
        decisions=tuple(decisions),
        changes=tuple(changes_of(state.records.history_of(key), records.values(), state.resources)),
        report=None if built is None else _own_report(built.report, key),
    )
    return _json(answer)


def decisions_answer(state: LiveState, values: Values) -> Encoded:
    """Return remembered decisions.  Raises ``UsageError`` and ``NothingNamedError``."""
    namespace = one(values, parameters.NAMESPACE)
    workload = one(values, parameters.WORKLOAD)
    if workload and not namespace:
        raise UsageError("workload: given without a namespace; allowed: both, or namespace alone")
    if workload:
        keys = [state.keys[row] for row in rows_of(state, (namespace, workload))]
    else:
        keys = [key for key in state.keys if namespace in {"", key[0]}]
        if namespace and not keys:
            raise NothingNamedError(_no_namespace(state, namespace))
    decided, has_more = decisions_since(
        state,
        keys,
        parameters.read_since_s(values, state.now_s),
        parameters.read_limit(values),
    )
    answer = DecisionsAnswer(as_of_s=state.now_s, decisions=decided, has_more=has_more)
    return _json(answer)


def rows_of(state: LiveState, key: Key) -> tuple[int, ...]:
    """Return the rows of a workload.  Raises ``NothingNamedError`` with names like it."""
    rows = state.rows.get(key)
    if rows is not None:
        return tuple(rows)
    namespace, workload = key
    known = sorted({name for space, name in state.rows if space == namespace})
    if not known:
        raise NothingNamedError(_no_namespace(state, namespace))
    close = difflib.get_close_matches(workload, known, n=3) or known[:5]
    raise NothingNamedError(
        f"no workload {workload!r} in namespace {namespace!r}; there is {', '.join(close)}"
    )


def _no_namespace(state: LiveState, namespace: str) -> str:
    known = sorted({space for space, _ in state.rows})
    close = difflib.get_close_matches(namespace, known, n=3) or known[:5]
    there_is = ", ".join(close) or "none"
    return f"no workload in namespace {namespace!r}; namespaces with workloads: {there_is}"


def _own_report(report: Report, key: Key) -> Report | None:
    """Return the report of one workload; None where it has no item and no error."""
    items = tuple(
        item for item in report.items if (item.identity.namespace, item.identity.workload) == key
    )
    errors = tuple(e for e in report.errors if (e.namespace, e.workload) in {key, (None, None)})
    if not items and not any(error.workload for error in errors):
        return None
    names = Selection(workloads=(_literal("/".join(key)),))
    return replace(selected(report, names), items=items, errors=errors)


def _literal(name: str) -> str:
    """Return a pattern that matches a name and nothing else."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _json(answer: object) -> Encoded:
    return encoded(orjson.dumps(answer) + b"\n", JSON_TYPE)
