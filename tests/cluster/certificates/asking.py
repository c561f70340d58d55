"""Requests that the API server asks webhooks about; none of them is stored."""

import threading
from contextlib import contextmanager

from autoscaler.api.names import ENABLED
from autoscaler.errors import KubeError
from autoscaler.kube.resource import PODS
from autoscaler.kube.webhook_entries import TEMPLATES_WEBHOOK

TENANT_NAMESPACE = "default"
TEMPLATE_KINDS = {resource.kind: resource for resource in TEMPLATES_WEBHOOK.resources}
OURS = {ENABLED: "true"}


def pod(name="pod", **labels):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": f"{name}-", "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "example.test/main"}]},
    }


def admit(api, namespace=TENANT_NAMESPACE, **labels):
    """Have a pod admitted, and not stored."""
    return api.create(PODS, pod(**(labels or OURS)), namespace=namespace, is_dry_run=True)


def is_admitted(api):
    try:
        admit(api)
    except KubeError:
        return False
    return True


def look_at(api, kind, labels, annotations=None):
    """Have a workload with this template admitted, and not stored."""
    obj = workload(kind, template(kind, labels, annotations))
    return api.create(TEMPLATE_KINDS[kind], obj, is_dry_run=True)


def is_looked_at(api):
    return look_at(api, "Job", OURS)


def workload(kind, template):
    spec = {"selector": {"matchLabels": {"app": "a"}}, "template": template}
    if kind == "CronJob":
        spec = {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}}
    if kind == "Job":
        spec = {"template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = "a"
    group = "batch" if "Job" in kind else "apps"
    return {
        "apiVersion": f"{group}/v1",
        "kind": kind,
        "metadata": {"name": f"a-{kind.lower()}", "namespace": TENANT_NAMESPACE},
        "spec": spec,
    }


def template(kind, labels, annotations=None):
    stated = {"labels": labels, "annotations": annotations}
    metadata = {key: value for key, value in stated.items() if value is not None}
    containers = [{"name": "main", "image": "example.test/main"}]
    restart = "Never" if "Job" in kind else "Always"
    spec = {"containers": containers, "restartPolicy": restart}
    return ({"metadata": metadata} if metadata else {}) | {"spec": spec}


@contextmanager
def load(api):
    """Have pods admitted all the time; yields counts of answers, by error text, ``""`` for none."""
    answers = {}
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            try:
                admit(api)
                text = ""
            except KubeError as error:
                text = str(error)
            answers[text] = answers.get(text, 0) + 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join()
