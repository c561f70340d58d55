"""Where the volumes of a pod let it run."""

from autoscaler.kube.resource import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from autoscaler.kube.store import Store
from autoscaler.workloads.nodes.volumes import VolumeTerm, volume_terms
from tests.autoscaler.workloads.objects import made, pod

IN_A = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}


class Volumes:
    """The caches of claims and volumes."""

    def __init__(self, *objects):
        self._stores = {PERSISTENT_VOLUME_CLAIMS: Store(), PERSISTENT_VOLUMES: Store()}
        for obj in objects:
            kind = next(each for each in self._stores if each.kind == obj["kind"])
            self._stores[kind].put(obj)

    def store(self, resource):
        return self._stores[resource]


def claim(name="data", volume=""):
    spec = {"volumeName": volume} if volume else {}
    return made("PersistentVolumeClaim", name, api_version="v1", spec=spec)


def volume(name="disk", *terms):
    affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": list(terms)}}} if terms else {}
    return made("PersistentVolume", name, api_version="v1", namespace="", spec=affinity)


def using(*claims):
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    return pod(volumes=[{"name": "scratch", "emptyDir": {}}, *volumes])


def test_a_bound_claim_asks_for_the_nodes_of_its_volume():
    caches = Volumes(claim(volume="disk"), volume("disk", IN_A))
    assert volume_terms(using("data"), caches) == (VolumeTerm(claim="data", terms=(IN_A,)),)


def test_a_volume_that_may_be_anywhere_asks_for_nothing():
    caches = Volumes(claim(volume="disk"), volume("disk"))
    assert volume_terms(using("data"), caches) == ()


def test_a_claim_that_waits_for_its_first_consumer_asks_for_nothing():
    assert volume_terms(using("data"), Volumes(claim())) == ()


def test_a_claim_that_is_not_there_keeps_the_pod_waiting():
    expected = VolumeTerm(claim="data", problem="PersistentVolumeClaim data does not exist")
    assert volume_terms(using("data"), Volumes()) == (expected,)


def test_a_volume_that_is_not_there_keeps_the_pod_waiting():
    [found] = volume_terms(using("data"), Volumes(claim(volume="disk")))
    assert found.problem == "PersistentVolume disk of claim data does not exist"


def test_an_ephemeral_volume_is_the_claim_of_its_pod():
    obj = pod("job", volumes=[{"name": "cache", "ephemeral": {"volumeClaimTemplate": {}}}])
    caches = Volumes(claim("job-cache", volume="disk"), volume("disk", IN_A))
    assert volume_terms(obj, caches) == (VolumeTerm(claim="job-cache", terms=(IN_A,)),)


def test_a_pod_without_volumes_asks_for_nothing():
    assert volume_terms(pod(), Volumes()) == ()
