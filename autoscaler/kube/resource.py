"""The kinds that the parts read and write, each with its place in the API."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.api.names import GROUP, VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind as the API server serves it."""

    group: str
    """Empty for the core group."""
    version: str
    plural: str
    kind: str
    is_namespaced: bool = True

    @property
    def api_version(self) -> str:
        """Return ``apiVersion`` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Return the path of a collection (all namespaces without one), object or subresource."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        within = (f"/namespaces/{namespace}",) if namespace and self.is_namespaced else ()
        parts = (f"/{self.plural}", f"/{name}" if name else "")
        below = f"/{subresource}" if subresource else ""
        return "".join((root, *within, *parts, below))


def _core(plural: str, kind: str, *, is_namespaced: bool = True) -> Resource:
    return Resource(group="", version="v1", plural=plural, kind=kind, is_namespaced=is_namespaced)


def _of(
    group: str, plural: str, kind: str, *, version: str = "v1", is_namespaced: bool = True
) -> Resource:
    return Resource(
        group=group, version=version, plural=plural, kind=kind, is_namespaced=is_namespaced
    )


def _ours(plural: str, kind: str, *, is_namespaced: bool = True) -> Resource:
    return Resource(
        group=GROUP, version=VERSION, plural=plural, kind=kind, is_namespaced=is_namespaced
    )


PODS = _core("pods", "Pod")
NODES = _core("nodes", "Node", is_namespaced=False)
NAMESPACES = _core("namespaces", "Namespace", is_namespaced=False)
PERSISTENT_VOLUMES = _core("persistentvolumes", "PersistentVolume", is_namespaced=False)
PERSISTENT_VOLUME_CLAIMS = _core("persistentvolumeclaims", "PersistentVolumeClaim")
SECRETS = _core("secrets", "Secret")
CONFIG_MAPS = _core("configmaps", "ConfigMap")
SERVICES = _core("services", "Service")
SERVICE_ACCOUNTS = _core("serviceaccounts", "ServiceAccount")
REPLICA_SETS = _of("apps", "replicasets", "ReplicaSet")
DEPLOYMENTS = _of("apps", "deployments", "Deployment")
STATEFUL_SETS = _of("apps", "statefulsets", "StatefulSet")
DAEMON_SETS = _of("apps", "daemonsets", "DaemonSet")
JOBS = _of("batch", "jobs", "Job")
CRON_JOBS = _of("batch", "cronjobs", "CronJob")
HPAS = _of("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", version="v2")
SCALED_OBJECTS = _of("keda.sh", "scaledobjects", "ScaledObject", version="v1alpha1")
ROLLOUTS = _of("argoproj.io", "rollouts", "Rollout", version="v1alpha1")
ISSUED_CERTIFICATES = _of("cert-manager.io", "certificates", "Certificate")
CERTIFICATE_REQUESTS = _of("cert-manager.io", "certificaterequests", "CertificateRequest")
LEASES = _of("coordination.k8s.io", "leases", "Lease")
EVENTS = _of("events.k8s.io", "events", "Event")
ENDPOINT_SLICES = _of("discovery.k8s.io", "endpointslices", "EndpointSlice")
DISRUPTION_BUDGETS = _of("policy", "poddisruptionbudgets", "PodDisruptionBudget")
PRIORITY_CLASSES = _of("scheduling.k8s.io", "priorityclasses", "PriorityClass", is_namespaced=False)
MUTATING_CONFIGURATIONS = _of(
    "admissionregistration.k8s.io",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    is_namespaced=False,
)
VALIDATING_CONFIGURATIONS = _of(
    "admissionregistration.k8s.io",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    is_namespaced=False,
)
CUSTOM_RESOURCE_DEFINITIONS = _of(
    "apiextensions.k8s.io",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    is_namespaced=False,
)
WORKLOAD_PROFILES = _ours("workloadprofiles", "WorkloadProfile")
WORKLOADS = _ours("tensorfusionworkloads", "TensorFusionWorkload")
CONNECTIONS = _ours("tensorfusionconnections", "TensorFusionConnection")
QUOTAS = _ours("gpuresourcequotas", "GPUResourceQuota")
POOLS = _ours("gpupools", "GPUPool", is_namespaced=False)
GPUS = _ours("gpus", "GPU", is_namespaced=False)
