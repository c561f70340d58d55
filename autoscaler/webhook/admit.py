"""What becomes of a pod that somebody wants to create: the pure heart of admission.

It validates first and patches second.  Nothing is waited for, nothing is written anywhere and
nothing is random, so that a dry run is the same and an admission of an admitted pod changes
nothing.
"""

from __future__ import annotations

from autoscaler.webhook.admission import Admission, PodRequest
from autoscaler.webhook.inject import inject
from autoscaler.webhook.json_patch import difference
from autoscaler.webhook.reading import read_pod
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.submitted import is_selected, read_submitted, warn_of_stripped
from autoscaler.webhook.verdict import Verdict
from autoscaler.webhook.worker_marks import injection_plan


def admit(request: PodRequest, snapshot: Snapshot) -> Admission:
    """Return the patch that makes a pod a worker or a client, or why it is refused.

    A pod that is not selected (label ``enabled: 'true'``) passes as it is; worker pods that the
    controller makes are selected and treated like any other.  Nothing is raised for user input, and
    the pod of the request is not changed.
    """
    if not is_selected(request.pod):
        return Admission()
    verdict = Verdict()
    submitted = read_submitted(request, verdict)
    reading = None if verdict.errors else read_pod(submitted, snapshot, verdict)
    if reading is None:
        return verdict.refusal()
    plan = injection_plan(reading, snapshot.installation)
    warn_of_stripped(submitted, {**plan.annotations, **plan.labels}, verdict)
    admitted, problems = inject(request.pod, plan)
    if problems:
        verdict.refuse(*problems)
        return verdict.refusal()
    return verdict.admitted(difference(request.pod, admitted))
