"""What Kubernetes lets a patch change of the spec of a pod, where the controller relies on it."""

from autoscaler.errors import InvalidError

CHANGEABLE = ("schedulingGates", "nodeSelector")


def require_allowed(old, new):
    """Raise ``InvalidError`` where an API server would refuse the change."""
    before, after = old["spec"], new["spec"]
    for field in sorted({*before, *after} - set(CHANGEABLE)):
        if before.get(field) != after.get(field):
            _refuse(old, f"spec.{field}: Forbidden: pod updates may not change this field")
    gates, kept = ({gate["name"] for gate in _gates(spec)} for spec in (before, after))
    if kept - gates:
        _refuse(old, f"spec.schedulingGates: Forbidden: {sorted(kept - gates)} cannot be added")
    selector = before.get("nodeSelector") or {}
    chosen = after.get("nodeSelector") or {}
    if selector != chosen and not gates:
        _refuse(old, "spec.nodeSelector: Forbidden: the pod has no scheduling gate")
    if any(chosen.get(key) != value for key, value in selector.items()):
        _refuse(old, "spec.nodeSelector: Forbidden: only additions are allowed")


def _gates(spec):
    return spec.get("schedulingGates") or ()


def _refuse(pod, problem):
    name = pod["metadata"]["name"]
    raise InvalidError(f'Pod "{name}" is invalid: {problem}', http_status=422, reason="Invalid")
