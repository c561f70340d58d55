"""What the chart renders: the manifests of ``deploy/kustomize``, by profile and by values."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import yaml

from autoscaler.api.kinds import KINDS
from autoscaler.api.names import AGENT_NAMESPACE, NAMESPACE, SCHEMA, SCHEMA_LABEL
from autoscaler.cli.stated_input import StatedOptions, read_stated
from tests.cluster.helm import CHART, PROMETHEUS, Helm, counted, keyed
from tests.cluster.kubectl import run_kubectl
from tests.cluster.test_installation import INSTALLATION
from tests.components.fixtures import needed_program
from tests.golden.chart import chart_files

BESIDE = (
    "profile=beside-upstream",
    PROMETHEUS,
    "externalScaler.tokenSecret.name=token-of-the-operator",
    "networkPolicy.pageFrom[0].namespaceSelector.matchLabels.team=operators",
)
VALUES = {"recommend-only": (PROMETHEUS,), "full": ("profile=full",), "beside-upstream": BESIDE}
"""Profile to the values that it needs."""
AUTOSCALER = ("Deployment", NAMESPACE, "tensor-fusion-autoscaler")
CONTROLLER = ("Deployment", NAMESPACE, "tensor-fusion-controller")
WEBHOOK = ("Deployment", NAMESPACE, "tensor-fusion-webhook")
AGENT = ("DaemonSet", AGENT_NAMESPACE, "tensor-fusion-agent")


@pytest.fixture(scope="module")
def helm(tmp_path_factory):
    """Run helm without a cluster."""
    needed_program("helm")
    return Helm(folder=tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def manifests(tmp_path_factory):
    """Return what kustomize makes, as (kind, namespace, name) to object."""
    needed_program("kubectl")
    nobody = tmp_path_factory.mktemp("kubectl") / "kubeconfig"
    nobody.write_text("")
    rendered = run_kubectl(["kustomize", str(INSTALLATION)], kubeconfig=nobody).well().out
    # Kustomize doubles line breaks of folded expressions before an indented line.
    return keyed(re.sub(r"\n\n+", "\n", rendered))


@pytest.fixture(scope="module")
def full(helm):
    """Return the objects of the profile full."""
    return helm.objects("profile=full")


def container(objects, key):
    [found] = objects[key]["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("profile", VALUES)
def test_the_chart_passes_lint(helm, profile):
    words = [word for value in VALUES[profile] for word in ("--set", value)]

    ended = helm.run("lint", "--strict", CHART, *words)

    assert ended.code == 0, ended.out
    assert "1 chart(s) linted, 0 chart(s) failed" in ended.out


def is_hook(obj):
    return "helm.sh/hook" in obj["metadata"].get("annotations", {})


def test_the_profile_full_is_what_kustomize_makes(manifests, full):
    made = {key: each for key, each in full.items() if not is_hook(each)}
    settings = {key for key in manifests if key[2].startswith("tensor-fusion-webhook-settings-")}
    pool = ("GPUPool", "", "default-pool")
    definitions = {key for key in made if key[0] == "CustomResourceDefinition"}

    # Kinds are applied apart from the manifests. The namespace of a release is there before it, and
    # Helm has no hash of a ConfigMap's contents in its name.
    missing = {("Namespace", "", NAMESPACE), pool, *settings}
    assert manifests.keys() - made.keys() == missing
    assert made.keys() - manifests.keys() == definitions
    differing = {key for key in made.keys() & manifests.keys() if made[key] != manifests[key]}
    assert differing == {WEBHOOK}


def test_the_webhook_has_the_image_of_the_limiter_without_a_config_map(manifests, full):
    webhook, made = (container(objects, WEBHOOK) for objects in (manifests, full))
    [settings] = [each for key, each in manifests.items() if "webhook-settings" in key[2]]

    assert made.pop("env") == [
        {"name": name, "value": value} for name, value in settings["data"].items()
    ]
    del webhook["envFrom"]
    assert made == webhook


def test_the_default_pool_is_a_hook_because_its_kind_comes_with_the_release(manifests, full):
    key = ("GPUPool", "", "default-pool")
    annotations = full[key]["metadata"].pop("annotations")

    assert annotations.pop("helm.sh/hook") == "post-install,post-upgrade"
    assert annotations == manifests[key]["metadata"].pop("annotations")
    assert full[key] == manifests[key]


def test_kinds_survive_an_uninstall(full):
    found = {name: each for (kind, _, name), each in full.items() if "Definition" in kind}

    assert set(found) == {kind.full_name for kind in KINDS}
    for each in found.values():
        shipped = (
            CHART.parents[1] / "crds" / f"{each['spec']['names']['plural']}.yaml"
        ).read_text()
        assert each["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert each["metadata"]["labels"][SCHEMA_LABEL] == SCHEMA
        assert each == yaml.safe_load(shipped)


def test_recommend_only_is_one_process_without_any_right(helm):
    objects = helm.objects(*VALUES["recommend-only"])
    spec = objects[AUTOSCALER]["spec"]

    assert counted(objects) == {
        "ServiceAccount": 1,
        "Deployment": 1,
        "Service": 1,
        "NetworkPolicy": 1,
    }
    assert spec["replicas"] == 1
    assert spec["template"]["spec"]["automountServiceAccountToken"] is False


def test_beside_upstream_reads_its_workers_and_keeps_a_lease(helm):
    objects = helm.objects(*BESIDE)
    rights = {
        (kind, resource, verb)
        for (kind, _, _), each in objects.items()
        for rule in each.get("rules", [])
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    assert counted(objects) == {
        "ServiceAccount": 1,
        "Deployment": 1,
        "Service": 1,
        "PodDisruptionBudget": 1,
        "NetworkPolicy": 1,
        "ConfigMap": 1,
        "ClusterRole": 1,
        "ClusterRoleBinding": 1,
        "Role": 1,
        "RoleBinding": 1,
    }
    assert rights == {
        *(
            ("ClusterRole", resource, verb)
            for resource in READ_BESIDE
            for verb in ("list", "watch")
        ),
        *(("Role", "configmaps", verb) for verb in ("list", "watch")),
        *(("Role", "leases", verb) for verb in ("get", "update", "create")),
    }


READ_BESIDE = ("pods", "tensorfusionworkloads", "gpus")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            ["profile=everything"],
            "at '/profile': value must be one of 'recommend-only', 'full', ",
        ),
        (["autoscaler.replicas=two"], "at '/autoscaler/replicas': got string, want integer"),
        (["webhook.replicas=0"], "at '/webhook/replicas': minimum: got 0, want 1"),
        (["promtheus.url=http://p"], "additional properties 'promtheus' not allowed"),
        (["agent.backstop=freeze"], "at '/agent/backstop': value must be one of 'off', 'log', 'k"),
        (["mode=apply-all"], "at '/mode': value must be one of '', 'recommend', 'apply'"),
        (["prometheus.url=prometheus:9090"], "at '/prometheus/url'"),
        ([], "prometheus.url is not set"),
        ([PROMETHEUS, "mode=apply"], "mode: apply is of no use in profile recommend-only"),
        (["profile=full", "workloads=x"], "profile full takes both from the API server"),
        ([*BESIDE[:2]], "externalScaler.tokenSecret.name is not set"),
        ([*BESIDE[:3]], "networkPolicy.pageFrom is empty"),
        ([PROMETHEUS, BESIDE[2]], "externalScaler.tokenSecret is of no use in profile recommend-o"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_value_is_named_with_what_is_allowed(helm, values, sentence):
    ended = helm.template(*values)

    assert (ended.code, ended.out) == (1, "")
    assert sentence in ended.err


def test_an_older_cluster_than_promised_is_refused(helm):
    words = ("--kube-version", "1.32.9", "--set", PROMETHEUS)

    ended = helm.run("template", "tfa", CHART, *words)

    assert ended.code == 1
    assert (
        "requires kubeVersion: >=1.33.0-0 which is incompatible with Kubernetes v1.32.9"
        in ended.err
    )


def test_another_namespace_is_refused_with_the_one_that_is_allowed(tmp_path, helm):
    elsewhere = Helm(folder=helm.folder, namespace="tools").template(PROMETHEUS)

    assert elsewhere.code == 1
    assert "namespace tools: " in elsewhere.err
    assert "allowed: --namespace tensor-fusion-autoscaler" in elsewhere.err


def test_the_schema_knows_every_value(helm):
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    assert set(schema["properties"]) - {"global"} == set(values)
    for name, value in values.items():
        known = schema["properties"][name]
        if known.get("additionalProperties") is False:
            assert set(known["properties"]) == set(value)


def test_files_of_values_are_mounted_and_make_new_pods_when_they_change(helm):
    def rendered(since):
        return helm.objects(
            PROMETHEUS,
            f"config.report.since={since}",
            "workloads=workloads: []",
            "profiles=kind: WorkloadProfile",
            "prometheus.tokenSecret.name=token",
        )

    objects, later = rendered("3d"), rendered("4d")
    spec = objects[AUTOSCALER]["spec"]["template"]["spec"]
    [files] = [each["data"] for key, each in objects.items() if key[0] == "ConfigMap"]
    mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}

    assert files == {
        "tfa.yaml": "report:\n  since: 3d\n",
        "workloads.yaml": "workloads: []\n",
        "profiles.yaml": "kind: WorkloadProfile\n",
    }
    assert {"files", "prometheus"} <= mounts.keys() == {each["name"] for each in spec["volumes"]}
    given = dict(each.split("=", 1) for each in spec["containers"][0]["args"][2:])
    assert given["--config"] == f"{mounts['files']}/tfa.yaml"
    assert given["--prometheus-token-file"] == f"{mounts['prometheus']}/token"
    checksums = {
        each[AUTOSCALER]["spec"]["template"]["metadata"]["annotations"]["checksum/files"]
        for each in (objects, later)
    }
    assert len(checksums) == 2


def test_values_of_processes_reach_their_pods(helm):
    objects = helm.objects(
        "profile=full",
        "mode=apply",
        "image.repository=images.example.com/tfa",
        "image.tag=v1",
        "image.pullPolicy=Always",
        "image.pullSecrets={registry}",
        "webhook.replicas=1",
        "webhook.openAfter=10m",
        "controller.nodeSelector.role=system",
        "controller.priorityClassName=system-cluster-critical",
        "autoscaler.args={--tick=30s}",
        "agent.kubeletRoot=/data/kubelet",
        "agent.runtimeClassName=nvidia",
        "agent.backstop=kill",
    )
    agent = objects[AGENT]["spec"]["template"]["spec"]

    for key in (AUTOSCALER, CONTROLLER, WEBHOOK, AGENT):
        assert container(objects, key)["image"] == "images.example.com/tfa:v1"
        assert container(objects, key)["imagePullPolicy"] == "Always"
        spec = objects[key]["spec"]["template"]["spec"]
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert container(objects, CONTROLLER)["args"][2:] == [
        "--webhook-replicas=1",
        "--webhook-open-after=10m",
    ]
    # A budget that lets nobody go would keep nodes from being drained.
    assert ("PodDisruptionBudget", NAMESPACE, "tensor-fusion-webhook") not in objects
    controller = objects[CONTROLLER]["spec"]["template"]["spec"]
    assert controller["nodeSelector"] == {"role": "system"}
    assert controller["priorityClassName"] == "system-cluster-critical"
    assert container(objects, AUTOSCALER)["args"][-1] == "--tick=30s"
    assert objects["ConfigMap", NAMESPACE, "tensor-fusion-control"]["data"] == {"mode": "apply"}
    assert agent["runtimeClassName"] == "nvidia"
    folders = {each["hostPath"]["path"] for each in agent["volumes"] if "hostPath" in each}
    assert {folder.rpartition("/")[0] for folder in folders} == {"/data/kubelet"}
    assert container(objects, AGENT)["args"][2:] == ["--backstop=kill"]
    assert container(objects, AGENT)["securityContext"]["capabilities"]["add"][-1] == "KILL"


@pytest.mark.parametrize(
    ("value", "component", "right"),
    [
        ("agent.backstop=evict", "agent-evicts", "pods/eviction"),
        ("standaloneWorkers.enabled=true", "standalone-workers", "pods"),
    ],
)
def test_components_of_kustomize_are_values(helm, full, value, component, right):
    changed = helm.objects("profile=full", value)
    added = {key: changed[key] for key in changed.keys() - full.keys()}
    shipped = INSTALLATION / "components" / component / "rbac.yaml"

    assert added == keyed(shipped.read_text(encoding="utf-8"))
    assert {rule["resources"][0] for each in added.values() for rule in each.get("rules", [])} == {
        right
    }


def metrics_from(objects, name):
    return objects["NetworkPolicy", NAMESPACE, name]["spec"]["ingress"][0]["from"]


@pytest.mark.parametrize("is_standalone", [False, True])
def test_metrics_are_left_to_whom_values_name_but_for_clients_of_workers(helm, is_standalone):
    objects = helm.objects(
        "profile=full",
        f"standaloneWorkers.enabled={str(is_standalone).lower()}",
        "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team=monitoring",
    )
    named = [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}]

    assert metrics_from(objects, "tensor-fusion-autoscaler") == named
    everybody = [{"namespaceSelector": {}}]
    assert metrics_from(objects, "tensor-fusion-controller") == (
        everybody if is_standalone else named
    )


def test_policies_can_be_left_to_somebody_else(helm):
    objects = helm.objects("profile=full", "networkPolicy.enabled=false")

    assert counted(objects)["NetworkPolicy"] == 0


def test_every_template_is_made_of_a_manifest_or_known():
    folder = CHART / "templates"
    found = {path for path in folder.rglob("*") if path.is_file()}

    assert {path.name for path in found - chart_files().keys()} == {
        "NOTES.txt",
        "_helpers.tpl",
        "autoscaler-beside-upstream.yaml",
        "autoscaler-files.yaml",
        "certificate.yaml",
        "checks.yaml",
        "leave.yaml",
    }


def test_a_certificate_of_cert_manager_is_only_read_by_us(helm):
    objects = helm.objects("profile=full", "certificate.issuer.name=authority")
    role = objects["Role", NAMESPACE, "tensor-fusion-controller-certificate"]
    of_secrets = [rule["verbs"] for rule in role["rules"] if rule["resources"] == ["secrets"]]
    [certificate] = [each for key, each in objects.items() if key[0] == "Certificate"]

    assert container(objects, CONTROLLER)["args"][-1] == "--external-certificate"
    assert of_secrets == [["get"]]
    page = (CHART.parents[2] / "docs" / "certificates.md").read_text(encoding="utf-8")
    [documented] = [
        yaml.safe_load(block.partition("```")[0])
        for block in page.split("```yaml\n")
        if "kind: Certificate" in block.partition("```")[0]
    ]
    documented["spec"]["issuerRef"] |= {"group": "cert-manager.io", "name": "authority"}
    assert certificate == documented


def documented(language):
    """Return the blocks of a language in the page about installing."""
    page = (CHART.parents[2] / "docs" / "install.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_every_documented_install_renders(helm, tmp_path):
    for values in documented("yaml"):
        name = re.match(r"# (\S+\.yaml)", values)[1]
        (tmp_path / name).write_text(values, encoding="utf-8")
    commands = [
        line
        for block in documented("console")
        for line in block.replace("\\\n", "").splitlines()
        if line.startswith("helm install")
    ]

    for command in commands:
        _, _, release, chart, *words = shlex.split(command)
        words = [str(tmp_path / word) if word.endswith(".yaml") else word for word in words]
        objects = keyed(helm.run("template", release, CHART.parents[2] / chart, *words).well().out)
        assert container(objects, AUTOSCALER)["image"].startswith("images.example.com/")
    assert len(commands) == len(VALUES)


def test_the_documented_files_are_read_by_the_process(helm, tmp_path):
    [values] = [each for each in documented("yaml") if "workloads:" in each]
    (tmp_path / "values.yaml").write_text(values, encoding="utf-8")
    words = ("--values", tmp_path / "values.yaml")
    objects = keyed(helm.run("template", "tfa", CHART, *words).well().out)
    [files] = [each["data"] for key, each in objects.items() if key[0] == "ConfigMap"]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    options = StatedOptions(workloads=tmp_path / "workloads.yaml", config=tmp_path / "tfa.yaml")
    assert [row.key for row in read_stated(options).rows] == [("team-a", "chat")]
