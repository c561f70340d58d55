"""A namespace in memory: what ``tfa apply`` asks for, with versions, conflicts and dry runs."""

import copy

from autoscaler.api.names import ENABLED, GENERATED_FROM, PREFIX
from autoscaler.errors import ConflictError, ForbiddenError, NotFoundError
from autoscaler.kube.resource import DEPLOYMENTS, WORKLOAD_PROFILES, WORKLOADS

NAMESPACE = "team"
_VALUES = {
    "tflops-request": "40",
    "tflops-limit": "80",
    "vram-request": "24Gi",
    "vram-limit": "24Gi",
}
"""What a workload has in effect."""


class Team:
    """Holds objects; ``before`` is called ahead of each request and may raise its answer."""

    url = "https://cluster.example"

    def __init__(self):
        self.objects = {}
        self.writes = []
        self.forbidden = set()
        self.before = lambda method, path: None
        self.admit = lambda obj: obj

    def add(self, resource, obj):
        metadata = {"namespace": NAMESPACE, "uid": "1", "resourceVersion": "1", **obj["metadata"]}
        stored = copy.deepcopy({**obj, "metadata": metadata, "kind": resource.kind})
        self.objects[resource.path(NAMESPACE, metadata["name"])] = stored
        return stored

    def touch(self, resource, name, change=lambda obj: None):
        """Let somebody else change an object."""
        obj = self.objects[resource.path(NAMESPACE, name)]
        change(obj)
        metadata = obj["metadata"]
        metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)

    def get(self, resource, name, namespace=None):
        path = resource.path(namespace, name)
        self._ask("GET", path)
        return copy.deepcopy(self.objects[path])

    def pages(self, resource, *, namespace=None):
        root = resource.path(namespace)
        found = [obj for path, obj in self.objects.items() if path.startswith(f"{root}/")]
        yield copy.deepcopy(found), "1"

    def request(self, method, path, *, query, body, content_type):
        self._ask(method, path)
        obj = self.objects[path]
        if body["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            raise ConflictError("the object has been modified")
        changed = self.admit(_merged(copy.deepcopy(obj), body))
        if query.get("dryRun") == "All":
            return changed
        self.writes.append(path)
        version = str(int(obj["metadata"]["resourceVersion"]) + 1)
        changed["metadata"]["resourceVersion"] = version
        self.objects[path] = changed
        return copy.deepcopy(changed)

    def _ask(self, method, path):
        self.before(method, path)
        if method in self.forbidden:
            raise ForbiddenError(f"{method} {path}: forbidden")
        if path not in self.objects:
            raise NotFoundError(f"{path} not found")

    def annotations(self, name="chat", resource=DEPLOYMENTS):
        """Return our annotations of a pod template, without prefix."""
        template = self.objects[resource.path(NAMESPACE, name)]["spec"]["template"]
        return {
            key.removeprefix(PREFIX): text
            for key, text in template["metadata"]["annotations"].items()
        }

    def profile_amounts(self, name="small"):
        return self.objects[WORKLOAD_PROFILES.path(NAMESPACE, name)]["spec"]["resources"]


def owner(name="chat", *, replicas=3, labels=None, metadata=None, spec=None, **annotations):
    """Return a Deployment whose template has these annotations, ``_`` for ``-``."""
    ours = {f"{PREFIX}{key.replace('_', '-')}": text for key, text in annotations.items()}
    labels = {ENABLED: "true"} if labels is None else labels
    return {
        "metadata": {"name": name, **(metadata or {})},
        "spec": {
            "replicas": replicas,
            **(spec or {}),
            "template": {"metadata": {"labels": labels, "annotations": ours}},
        },
    }


def profile(name="small", **spec):
    return {"metadata": {"name": name}, "spec": spec}


def generated(name="chat", *, made_from="Deployment.apps/chat", effective=None, owners=(), **spec):
    """Return the TensorFusionWorkload that the controller made."""
    return {
        "metadata": {"name": name, "annotations": {GENERATED_FROM: made_from}},
        "spec": spec,
        "status": {
            "owners": list(owners),
            "effective": {
                key: {"value": _VALUES.get(key, ""), "source": source}
                for key, source in (effective or {}).items()
            },
        },
    }


def standing(**annotations):
    """Return a team with the Deployment that the items of ``reports`` are about."""
    team = Team()
    amounts = {
        "tflops_request": "40",
        "tflops_limit": "80",
        "vram_request": "24Gi",
        "vram_limit": "24Gi",
    }
    team.add(DEPLOYMENTS, owner(**{**amounts, **annotations}))
    return team


def using_profile(*names, effective=None, **resources):
    """Return a team whose Deployments of these names take everything from the profile small."""
    team = Team()
    amounts = {
        "requests": {"tflops": "40", "vram": "24Gi"},
        "limits": {"tflops": "80", "vram": "24Gi"},
    }
    team.add(WORKLOAD_PROFILES, profile(resources={**amounts, **resources}))
    for name in names:
        team.add(DEPLOYMENTS, owner(name, workload_profile="small"))
        keys = ("tflops-request", "tflops-limit", "vram-request", "vram-limit")
        sources = dict.fromkeys(keys, "profile small") if effective is None else effective
        team.add(WORKLOADS, generated(name, made_from=f"Deployment.apps/{name}", effective=sources))
    return team


def _merged(obj, patch):
    for key, value in patch.items():
        if isinstance(value, dict):
            obj[key] = _merged(dict(obj.get(key) or {}), value)
        else:
            obj[key] = value
    return obj
