"""An API double behind a network that loses answers, and delivers requests late."""

import copy

from autoscaler.errors import ApiUnavailableError, KubeError
from autoscaler.kube.resource import WORKLOADS
from tests.autoscaler.api_double import ApiDouble
from tests.autoscaler.workloads.objects import TEAM


class LossyNetwork(ApiDouble):
    """Use it as an ``ApiDouble``.

    ``fault`` says of each writing request what becomes of it: ``lost`` (carried out, and nobody is
    told), ``late`` (carried out when ``deliver`` is called), an error to be raised, or nothing.
    ``on_status`` is called with each workload before and after its status was applied, and
    ``on_scale`` with the path and the number of each scale that was set.
    """

    def __init__(self):
        super().__init__()
        self.fault = lambda method, path: None
        self.on_status = lambda before, after: None
        self.on_scale = lambda path, replicas: None
        self._late = []

    def request(self, method, path, **options):
        fault = None if method == "GET" else self.fault(method, path)
        if isinstance(fault, Exception):
            raise fault
        if fault == "late":
            self._late.append((method, path, copy.deepcopy(options)))
        else:
            answer = self._carried_out(method, path, options)
        if fault is not None:
            raise ApiUnavailableError(f"the answer is {fault}")
        return answer

    def deliver(self):
        """Let requests that were on their way arrive."""
        late, self._late = self._late, []
        for method, path, options in late:
            try:
                self._carried_out(method, path, options)
            except KubeError:
                continue

    def _carried_out(self, method, path, options):
        names = path.split("/")
        is_status, is_scale = names[-1] == "status", names[-1] == "scale" and method != "GET"
        before = self.find(WORKLOADS, TEAM, names[-2]) if is_status else None
        answer = super().request(method, path, **options)
        if is_status:
            self.on_status(before, self.find(WORKLOADS, TEAM, names[-2]))
        if is_scale:
            self.on_scale(path, answer["spec"].get("replicas", 0))
        return answer
