"""The certificate keeper against a real API server, with the rights that are shipped for it."""

import json
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE, ServiceAccount
from autoscaler.clock import SystemClock
from autoscaler.errors import ForbiddenError, InvalidError, KubeError, NotFoundError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.certificate_keeper import CertificateKeeper, KeeperRules
from autoscaler.kube.certificate_secret import read_stored
from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.kube.resource import PODS, SECRETS
from autoscaler.kube.rotation import Action, RotationRules
from autoscaler.kube.webhook_address import ServiceAddress, UrlAddress
from autoscaler.kube.webhook_endpoints import service_endpoints
from autoscaler.kube.webhook_entries import (
    PODS_WEBHOOK,
    TEMPLATES_WEBHOOK,
    WEBHOOKS,
    entry_of,
)
from tests.cluster.admission_server import AdmissionServer
from tests.cluster.control_plane import start_control_plane
from tests.components.fixtures import needed_program
from tests.components.processes import until

RIGHTS = Path(__file__).parents[2] / "deploy/kustomize/controller/rbac.yaml"
CONTROLLER = f"system:serviceaccount:{NAMESPACE}:{ServiceAccount.CONTROLLER}"
TENANT_NAMESPACE = "default"
FAST = RotationRules(lifetime_s=300, renew_at_share=304 / 600, settle_s=2, overlap_s=1)
"""A certificate is renewed 4 s after it was issued: the 300 s before count as well."""
TEMPLATE_KINDS = {resource.kind: resource for resource in TEMPLATES_WEBHOOK.resources}
ENABLED = {"tensor-fusion.ai/enabled": "true"}
MANIFESTS = [
    {
        "apiVersion": webhook.configuration.api_version,
        "kind": webhook.configuration.kind,
        "metadata": {"name": webhook.configuration_name},
        "webhooks": [],
    }
    for webhook in WEBHOOKS
]
"""As they are shipped."""
GROUPS = {
    "leases": "coordination.k8s.io",
    "endpointslices": "discovery.k8s.io",
    "mutatingwebhookconfigurations": "admissionregistration.k8s.io",
    "validatingwebhookconfigurations": "admissionregistration.k8s.io",
}
SHIPPED = yaml.safe_dump_all(MANIFESTS)
UNKNOWN_AUTHORITY = "certificate signed by unknown authority"


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """Run an API server of our own: these configurations are seen by everybody."""
    for name in ("etcd", "kube-apiserver", "kubectl"):
        needed_program(name)
    folder = tmp_path_factory.mktemp("certificates")
    with start_control_plane(folder, controllers=False, scheduler=False) as plane:
        plane.kubectl("create", "namespace", NAMESPACE).well()
        plane.kubectl("apply", "-f", RIGHTS).well()
        yield plane


@pytest.fixture
def api(plane):
    yield from connected(plane, CONTROLLER)


@pytest.fixture
def admin(plane):
    """Return the administrator's API, with the shipped, empty configurations and no Secret."""
    for api in connected(plane, "admin"):
        with suppress(NotFoundError):
            api.delete(SECRETS, CERTIFICATE_SECRET, NAMESPACE)
        for webhook, manifest in zip(WEBHOOKS, MANIFESTS, strict=True):
            with suppress(NotFoundError):
                api.delete(webhook.configuration, webhook.configuration_name)
            api.create(webhook.configuration, manifest)
        yield api


@pytest.fixture
def webhook(admin):
    with AdmissionServer() as server:
        server.follow(admin)
        yield server


def connected(plane, user):
    api = ApiServer.from_environment(kubeconfig=plane.kubeconfig(user), user_agent="tests")
    yield api
    api.close()


def keeper_of(api, *servers, **rules):
    return CertificateKeeper(
        api,
        UrlAddress(url=servers[0].url),
        endpoints=lambda: [server.endpoint for server in servers],
        is_leader=lambda: True,
        clock=SystemClock(),
        rules=KeeperRules(**{"needed_endpoints": len(servers)} | rules),
    )


def filled(keeper, admin, *servers):
    """Run until everything is filled, and the API server asks; servers load their certificate."""
    until(lambda: keeper.run_once() > 0 and keeper.snapshot().is_filled, what="it is filled")
    for ask in (is_admitted, is_looked_at):
        until(
            lambda ask=ask: ask(admin) and any(server.asked for server in servers),
            what="the API server has learned of the entries",
        )
        for server in servers:
            server.asked.clear()
    return keeper


def run_until_it_writes(keeper):
    until(lambda: keeper.run_once() == 0, what="the keeper writes")


def live(api, webhook):
    return api.get(webhook.configuration, webhook.configuration_name)


def entries(api, webhook):
    """Return what stands in a configuration; an empty list is left out by the API server."""
    return live(api, webhook).get("webhooks", [])


def pod(name="pod", **labels):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": f"{name}-", "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "example.test/main"}]},
    }


def admit(api, namespace=TENANT_NAMESPACE, **labels):
    """Have a pod admitted, and not stored."""
    return api.create(PODS, pod(**(labels or ENABLED)), namespace=namespace, is_dry_run=True)


def is_admitted(api):
    try:
        admit(api)
    except KubeError:
        return False
    return True


def look_at(api, kind, labels):
    """Have a workload with this template admitted, and not stored."""
    obj = workload(kind, template(kind, labels))
    return api.create(TEMPLATE_KINDS[kind], obj, is_dry_run=True)


def is_looked_at(api):
    return look_at(api, "Job", ENABLED)


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


def template(kind, labels):
    metadata = {"metadata": {"labels": labels}} if labels is not None else {}
    containers = [{"name": "main", "image": "example.test/main"}]
    restart = "Never" if "Job" in kind else "Always"
    return metadata | {"spec": {"containers": containers, "restartPolicy": restart}}


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


@contextmanager
def running(keeper):
    stop = threading.Event()
    thread = threading.Thread(target=keeper.run, args=(stop,))
    thread.start()
    try:
        yield keeper
    finally:
        stop.set()
        thread.join()


def test_the_shipped_rights_are_enough_to_make_an_installation_work(api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    bundle = read_stored(admin.get(SECRETS, CERTIFICATE_SECRET, NAMESPACE)).bundle
    address = UrlAddress(url=webhook.url)
    assert [entries(admin, one) for one in WEBHOOKS] == [
        [entry_of(one, address, bundle)] for one in WEBHOOKS
    ]
    admit(admin)
    assert [request["kind"]["kind"] for request in webhook.asked] == ["Pod"]


def test_the_api_server_adds_nothing_so_that_nothing_is_written_twice(api, admin, webhook):
    keeper = filled(keeper_of(api, webhook), admin, webhook)
    versions = [live(admin, one)["metadata"]["resourceVersion"] for one in WEBHOOKS]
    keeper.run_once()
    keeper.run_once()
    assert [live(admin, one)["metadata"]["resourceVersion"] for one in WEBHOOKS] == versions


def test_the_entries_of_a_service_are_taken_as_they_are(admin):
    for one in WEBHOOKS:
        authority = new_authority_and_serving(["a"], now_s=1_800_000_000, lifetime_s=9).authority
        wanted = [entry_of(one, ServiceAddress(), authority)]
        admin.merge_patch(one.configuration, one.configuration_name, {"webhooks": wanted})
        assert entries(admin, one) == wanted


def may(api, verb, what):
    """Return whether the server would allow this in our namespace; ``what`` is resource or /name."""
    resource, _, name = what.partition("/")
    group = GROUPS.get(resource, "")
    asked = {"verb": verb, "group": group, "resource": resource, "name": name}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": asked | {"namespace": NAMESPACE}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return api.request("POST", path, body=review)["status"]["allowed"]


def test_the_shipped_rights_end_there(api):
    allowed = {
        ("get", f"secrets/{CERTIFICATE_SECRET}"),
        ("update", f"secrets/{CERTIFICATE_SECRET}"),
        ("create", "secrets"),
        ("get", "leases/tensor-fusion-controller"),
        ("update", "leases/tensor-fusion-controller"),
        ("create", "leases"),
        ("list", "endpointslices"),
        ("get", "mutatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("patch", "mutatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("get", "validatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("patch", "validatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("get", "validatingwebhookconfigurations/tensor-fusion-autoscaler-templates"),
        ("patch", "validatingwebhookconfigurations/tensor-fusion-autoscaler-templates"),
    }
    asked = allowed | {
        ("delete", f"secrets/{CERTIFICATE_SECRET}"),
        ("list", "secrets"),
        ("watch", "secrets"),
        ("get", "secrets/other"),
        ("update", "secrets/other"),
        ("delete", "leases/tensor-fusion-controller"),
        ("update", "leases/other"),
        ("list", "mutatingwebhookconfigurations"),
        ("create", "mutatingwebhookconfigurations"),
        ("patch", "mutatingwebhookconfigurations/other"),
        ("delete", "validatingwebhookconfigurations/tensor-fusion-autoscaler"),
        ("patch", "validatingwebhookconfigurations/other"),
        ("get", "pods"),
        ("create", "pods"),
    }

    assert {question for question in asked if may(api, *question)} == allowed


def test_another_secret_and_another_configuration_are_refused(plane, api, admin):
    plane.kubectl("create", "secret", "generic", "other", "-n", NAMESPACE)
    with pytest.raises(ForbiddenError):
        api.get(SECRETS, "other", NAMESPACE)
    with pytest.raises(ForbiddenError):
        api.get(SECRETS, CERTIFICATE_SECRET, TENANT_NAMESPACE)
    with pytest.raises(ForbiddenError):
        api.merge_patch(PODS_WEBHOOK.configuration, "other", {"webhooks": []})


def test_no_admission_fails_while_certificates_rotate(api, admin, webhook):
    with AdmissionServer() as second:
        second.follow(admin)
        keeper = filled(
            keeper_of(api, webhook, second, check_every_s=0.5, rotation=FAST), admin, webhook
        )
        first = webhook.serving
        with load(admin) as answers, running(keeper):
            until(lambda: Action.DROP in keeper.snapshot().steps, what="a rotation is through")
        assert webhook.serving != first
        assert {*answers} == {""}
        assert answers[""] > 100


def test_in_the_wrong_order_admissions_fail(api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    other = new_authority_and_serving(["127.0.0.1"], now_s=SystemClock().now_s(), lifetime_s=1000)
    with load(admin) as answers:
        until(lambda: answers.get(""), what="admissions succeed")
        webhook.follow_nothing()
        webhook.load(other.serving)
        until(lambda: len(answers) > 1, what="admissions fail")
    assert any(UNKNOWN_AUTHORITY in text for text in answers)


def test_a_deleted_secret_is_replaced_under_load_without_a_failure(plane, api, admin, webhook):
    rules = {"rotation": RotationRules(settle_s=2), "check_every_s": 0.5}
    keeper = filled(keeper_of(api, webhook, **rules), admin, webhook)
    first = webhook.serving
    with load(admin) as answers, running(keeper):
        plane.kubectl("delete", "secret", CERTIFICATE_SECRET, "-n", NAMESPACE).well()
        until(lambda: webhook.serving != first, what="another certificate is served")
        before = answers[""]
        until(lambda: answers[""] > before + 20, what="admissions go on")
    assert {*answers} == {""}


def test_keepers_that_end_after_each_write_rotate_as_well(api, admin, webhook):
    rules = {"rotation": FAST, "check_every_s": 0.5}
    filled(keeper_of(api, webhook, **rules), admin, webhook)
    first = webhook.serving
    with load(admin) as answers:
        while webhook.serving == first:
            run_until_it_writes(keeper_of(api, webhook, **rules))
    assert {*answers} == {""}


def test_without_webhook_labelled_pods_are_refused_until_it_is_left_out(api, admin):
    with AdmissionServer() as server:
        server.follow(admin)
        keeper = filled(keeper_of(api, server, open_after_s=2), admin, server)
    with pytest.raises(KubeError, match="failed calling webhook"):
        admit(admin)
    admit(admin, app="unlabelled")
    until(
        lambda: keeper.run_once() >= 0 and not entries(admin, PODS_WEBHOOK),
        what="the entries are removed",
    )
    until(lambda: is_admitted(admin), what="the API server has learned of it")
    assert [entries(admin, one) for one in WEBHOOKS] == [[]] * 3
    with AdmissionServer(port=server.endpoint[1]) as again:
        again.follow(admin)
        filled(keeper, admin, again)


@pytest.mark.parametrize(
    "flags",
    [(), ("--server-side",), ("--server-side", "--field-manager=installer")],
    ids=["client-side", "server-side", "another field manager"],
)
def test_manifests_applied_again_keep_the_entries(flags, plane, api, admin, webhook):
    plane.kubectl("apply", *flags, "-f", "-", stdin=SHIPPED).well()
    keeper = filled(keeper_of(api, webhook), admin, webhook)
    before = [entries(admin, one) for one in WEBHOOKS]
    plane.kubectl("apply", *flags, "-f", "-", stdin=SHIPPED).well()
    assert [entries(admin, one) for one in WEBHOOKS] == before
    assert keeper.run_once() >= 1


def test_going_over_to_server_side_apply_keeps_the_entries(plane, api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    before = [entries(admin, one) for one in WEBHOOKS]
    for _ in range(2):
        plane.kubectl("apply", "--server-side", "-f", "-", stdin=SHIPPED).well()
        assert [entries(admin, one) for one in WEBHOOKS] == before


def test_edits_by_hand_are_put_right(plane, api, admin, webhook):
    keeper = filled(keeper_of(api, webhook), admin, webhook)
    before = entries(admin, PODS_WEBHOOK)
    patch = json.dumps([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Ignore"}])
    name = PODS_WEBHOOK.configuration_name
    kind = PODS_WEBHOOK.configuration.plural
    plane.kubectl("patch", kind, name, "--type=json", "-p", patch).well()
    keeper.run_once()
    assert entries(admin, PODS_WEBHOOK) == before


def test_only_labelled_pods_outside_the_systems_namespaces_are_asked_about(api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    admit(admin, namespace="kube-system")
    admit(admin, namespace=NAMESPACE)
    admit(admin, **{"tensor-fusion.ai/enabled": "false"})
    admit(admin, app="other")
    assert webhook.asked == []
    admit(admin)
    assert [request["namespace"] for request in webhook.asked] == [TENANT_NAMESPACE]


@pytest.mark.parametrize("kind", TEMPLATE_KINDS)
def test_templates_with_our_label_are_looked_at_and_others_are_not(kind, api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    look_at(admin, kind, {"app": "a"})
    look_at(admin, kind, {"app": "a"} | dict.fromkeys(ENABLED, "false"))
    if "Job" in kind:
        # The others need a label for their selector.
        look_at(admin, kind, None)
    assert webhook.asked == []
    look_at(admin, kind, {"app": "a"} | ENABLED)
    assert [request["kind"]["kind"] for request in webhook.asked] == [kind]


def test_a_template_is_looked_at_again_only_when_the_spec_changed(api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    deployments = TEMPLATE_KINDS["Deployment"]
    deployment = workload("Deployment", template("Deployment", {"app": "a"} | ENABLED))
    name = deployment["metadata"]["name"]
    admin.create(deployments, deployment)
    webhook.asked.clear()
    noted = {"metadata": {"annotations": {"note": "b"}}}
    admin.merge_patch(deployments, name, noted, TENANT_NAMESPACE)
    assert webhook.asked == []
    changed = {"spec": {"template": {"metadata": {"annotations": {"note": "b"}}}}}
    admin.merge_patch(deployments, name, changed, TENANT_NAMESPACE)
    assert [request["operation"] for request in webhook.asked] == ["UPDATE"]
    admin.delete(deployments, name, TENANT_NAMESPACE)


def test_a_webhook_that_is_gone_hinders_no_template(api, admin):
    with AdmissionServer() as server:
        server.follow(admin)
        filled(keeper_of(api, server), admin, server)
    look_at(admin, "Deployment", {"app": "a"} | ENABLED)
    with pytest.raises(KubeError, match="failed calling webhook"):
        admit(admin)


def test_the_endpoints_of_the_service_are_found_with_the_shipped_rights(plane, api, admin):
    address = ServiceAddress()
    assert service_endpoints(api, address) == ()
    endpoint_slice = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "a",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": address.name},
        },
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": 9443}],
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
        ],
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(endpoint_slice)).well()
    assert service_endpoints(api, address) == (("10.0.0.1", 9443),)


def test_a_secret_of_another_type_with_broken_content_is_used(plane, api, admin, webhook):
    broken = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": CERTIFICATE_SECRET, "namespace": NAMESPACE},
        "data": {"tls.crt": "", "tls.key": ""},
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(broken)).well()
    filled(keeper_of(api, webhook), admin, webhook)
    assert admin.get(SECRETS, CERTIFICATE_SECRET, NAMESPACE)["type"] == "kubernetes.io/tls"


def test_an_immutable_secret_is_an_error_that_says_so(plane, api, admin, webhook):
    fixed = {
        "apiVersion": "v1",
        "kind": "Secret",
        "immutable": True,
        "metadata": {"name": CERTIFICATE_SECRET, "namespace": NAMESPACE},
    }
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(fixed)).well()
    keeper = keeper_of(api, webhook)
    with pytest.raises(InvalidError, match="immutable"):
        keeper.run_once()
    assert "immutable" in keeper.snapshot().last_error
