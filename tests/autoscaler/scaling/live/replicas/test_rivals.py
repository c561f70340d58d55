from autoscaler.errors import ForbiddenError
from autoscaler.kube.resource import HPAS
from tests.autoscaler.scaling.live.live_objects import hpa
from tests.autoscaler.scaling.live.live_world import LiveWorld
from tests.autoscaler.workloads.objects import made

TARGET = ("team", "Deployment.apps", "chat")


def scaled_object(called="chat", /, **reference):
    spec = {"scaleTargetRef": reference}
    return made("ScaledObject", called, api_version="keda.sh/v1alpha1", spec=spec)


def test_a_horizontal_pod_autoscaler_is_named_by_what_it_scales():
    world = LiveWorld()
    world.put(HPAS, hpa("busy"))
    assert world.rivals.rival_of(*TARGET) == "HorizontalPodAutoscaler team/busy"
    assert world.rivals.rival_of("team", "StatefulSet.apps", "chat") is None
    assert world.rivals.rival_of("other", "Deployment.apps", "chat") is None
    assert world.rivals.rival_of("team", "Deployment.apps", "web") is None


def test_one_that_is_gone_scales_nothing():
    world = LiveWorld()
    world.put(HPAS, hpa())
    world.remove(HPAS, "chat")
    assert world.rivals.rival_of(*TARGET) is None


def test_every_change_is_another_version():
    world = LiveWorld()
    versions = [world.rivals.version]
    world.put(HPAS, hpa())
    versions.append(world.rivals.version)
    world.remove(HPAS, "chat")
    versions.append(world.rivals.version)
    assert len(set(versions)) == 3


def test_a_scaled_object_means_a_deployment_unless_it_says_else():
    world = LiveWorld()
    world.api.lists["scaledobjects"] = [
        scaled_object("a", name="chat"),
        scaled_object("b", name="db", kind="StatefulSet"),
        scaled_object("c"),
    ]
    world.rivals.refresh()
    assert world.rivals.rival_of(*TARGET) == "ScaledObject team/a"
    assert world.rivals.rival_of("team", "StatefulSet.apps", "db") == "ScaledObject team/b"


def test_the_scaled_object_is_named_before_the_autoscaler_that_it_makes():
    world = LiveWorld()
    world.put(HPAS, hpa("keda-hpa-chat"))
    world.api.lists["scaledobjects"] = [scaled_object(name="chat")]
    world.rivals.refresh()
    assert world.rivals.rival_of(*TARGET) == "ScaledObject team/chat"


def test_a_cluster_without_the_kind_has_none(caplog):
    world = LiveWorld()
    before = world.rivals.version
    world.rivals.refresh()
    assert (caplog.messages, world.rivals.version) == ([], before)


def test_what_is_known_stays_while_nothing_can_be_listed(caplog):
    world = LiveWorld()
    world.api.lists["scaledobjects"] = [scaled_object(name="chat")]
    world.rivals.refresh()
    world.api.lists["scaledobjects"] = ForbiddenError("no rights")
    world.rivals.refresh()
    world.rivals.refresh()
    assert world.rivals.rival_of(*TARGET) == "ScaledObject team/chat"
    [told] = caplog.messages
    assert told.startswith("ScaledObjects cannot be listed: no rights")


def test_a_list_that_is_the_same_is_no_other_version():
    world = LiveWorld()
    world.api.lists["scaledobjects"] = [scaled_object(name="chat")]
    world.rivals.refresh()
    before = world.rivals.version
    world.rivals.refresh()
    assert world.rivals.version == before
    world.api.lists["scaledobjects"] = []
    world.rivals.refresh()
    assert world.rivals.version != before
    assert world.rivals.rival_of(*TARGET) is None
