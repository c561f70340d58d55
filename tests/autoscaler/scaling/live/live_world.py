"""A cluster in the caches of a live autoscaler, and what surrounds its views; no threads."""

import copy

from autoscaler.api.names import CONTROL_CONFIG_MAP, NAMESPACE
from autoscaler.api.object_key import ObjectKey
from autoscaler.errors import NotFoundError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.live.caches import LiveCaches
from autoscaler.scaling.live.replicas.rivals import Rivals
from autoscaler.scaling.live.replicas.scale_targets import ScaleTargets
from autoscaler.scaling.live.viewing.views import LiveViews
from tests.autoscaler.workloads.objects import TEAM, made


class SilentApi:
    """An API server that serves what is in ``answers`` by path, and lists by plural."""

    def __init__(self):
        self.answers = {}
        self.lists = {}
        self.asked = []

    def request(self, method, path, **_):
        self.asked.append((method, path))
        return self._found(self.answers, path)

    def pages(self, resource, **_):
        self.asked.append(("LIST", resource.plural))
        yield self._found(self.lists, resource.plural), "1"

    @staticmethod
    def _found(answers, what):
        answer = answers.get(what, NotFoundError(f"{what} is not there"))
        if isinstance(answer, Exception):
            raise answer
        return copy.deepcopy(answer)


class Guards:
    """What is remembered of replicas: whatever a test says, by name of the workload."""

    def __init__(self):
        self._listeners = []
        self._stated = {}
        self._held = {}

    def on_change(self, listener):
        self._listeners.append(listener)

    def stated_of(self, workload):
        return self._stated.get(workload["metadata"]["name"])

    def held_of(self, workload):
        return self._held.get(workload["metadata"]["name"])

    def remember(self, name, *, stated=None, held=None, namespace=TEAM):
        self._stated[name], self._held[name] = stated, held
        for listener in self._listeners:
            listener((namespace, name))


class LiveWorld:
    """Stores that tests fill, and the views over them."""

    def __init__(self, *, namespace_selector="", scalable=(), gpu_models=None):
        self.api = SilentApi()
        self.caches = LiveCaches(
            self.api, namespace=NAMESPACE, namespace_selector=namespace_selector
        )
        self.rivals = Rivals(self.api, self.caches)
        self.targets = ScaleTargets(self.api, scalable=scalable)
        self.guards = Guards()
        self.answers = {}
        self.gpu_models = gpu_models or GpuModels()
        self.views = self.new_views()

    def new_views(self):
        """Return views that know nothing yet."""
        return LiveViews(
            self.caches,
            rivals=self.rivals,
            scale_targets=self.targets,
            replica_guards=self.guards,
            external=self.answers.get,
            gpu_models=self.gpu_models,
        )

    def put(self, resource, *items):
        """Let the caches show objects as the API server has them."""
        for item in items:
            key = ObjectKey(resource.api_version, resource.kind, "", "")
            kept = self.caches.kind_of(key).keep(copy.deepcopy(item))
            self.caches.store(resource).put(kept)

    def remove(self, resource, name, namespace=TEAM):
        store = self.caches.store(resource)
        found = store.get(namespace, name)
        if found is not None:
            store.remove(found)

    def switch(self, **data):
        """Set the switches of the installation."""
        self.caches.controls.put(
            made("ConfigMap", CONTROL_CONFIG_MAP, api_version="v1", namespace=NAMESPACE, data=data)
        )

    def snapshot(self):
        return self.views.snapshot()

    def view(self, name="chat", namespace=TEAM):
        """Return the only view of a workload."""
        [view] = self.views.of([(namespace, name)])
        return view
