"""The verbs of the transport on a real API server."""

from __future__ import annotations

import pytest

from autoscaler.api.names import ServiceAccount
from autoscaler.errors import (
    AlreadyExistsError,
    ApiUnavailableError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
)
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import CONFIG_MAPS, DEPLOYMENTS, PODS, Resource
from tests.cluster.identities import write_kubeconfig
from tests.cluster.reflecting import asking, config_map
from tests.components.processes import LOOPBACK, free_port

UNKNOWN = Resource(group="example.com", version="v1", plural="things", kind="Thing")


@pytest.fixture
def api(control_plane):
    with asking(control_plane, user_agent="tfa-test") as api:
        yield api


@pytest.fixture
def existing(api, namespace):
    return api.create(CONFIG_MAPS, config_map(namespace, "a"))


def value(obj):
    return obj["data"]["v"]


def api_as(path):
    return ApiServer.from_environment(kubeconfig=path, user_agent="test")


def test_what_was_created_is_got_as_it_was_returned(api, existing, namespace):
    assert api.get(CONFIG_MAPS, "a", namespace) == existing


def test_the_metadata_of_an_object_come_alone(api, existing, namespace):
    found = api.get(CONFIG_MAPS, "a", namespace, is_metadata_only=True)

    assert found == {key: content for key, content in existing.items() if key != "data"}


def test_a_dry_run_creates_nothing(api, namespace):
    tried = api.create(CONFIG_MAPS, config_map(namespace, "a"), is_dry_run=True)

    assert tried["metadata"]["uid"]
    with pytest.raises(NotFoundError, match='404 Not Found: configmaps "a" not found'):
        api.get(CONFIG_MAPS, "a", namespace)


def test_what_exists_is_not_created_again(api, existing, namespace):
    with pytest.raises(AlreadyExistsError, match='configmaps "a" already exists'):
        api.create(CONFIG_MAPS, config_map(namespace, "a"))


def test_the_namespace_may_be_given_beside_the_object(api, namespace):
    found = api.create(CONFIG_MAPS, {"metadata": {"generateName": "x-"}}, namespace=namespace)

    assert found["metadata"]["namespace"] == namespace


def test_a_state_is_replaced_once_and_not_twice(api, existing):
    changed = {**existing, "data": {"v": "2"}}

    assert value(api.replace(CONFIG_MAPS, changed)) == "2"
    with pytest.raises(ConflictError, match="the object has been modified"):
        api.replace(CONFIG_MAPS, changed)


def test_a_merge_patch_removes_by_null(api, existing, namespace):
    patch = {"data": {"v": None, "w": "2"}}

    assert api.merge_patch(CONFIG_MAPS, "a", patch, namespace)["data"] == {"w": "2"}


def test_a_json_patch_is_refused_where_its_test_fails(api, existing, namespace):
    replacing = {"op": "replace", "path": "/data/v", "value": "2"}
    testing = {"op": "test", "path": "/data/v", "value": "1"}

    first = api.json_patch(CONFIG_MAPS, "a", [testing, replacing], namespace)

    assert value(first) == "2"
    with pytest.raises(InvalidError):
        api.json_patch(CONFIG_MAPS, "a", [testing, replacing], namespace)


def test_a_strategic_patch_finds_the_items_of_a_list_by_their_names(api, namespace):
    pod = {"containers": [{"name": "a", "image": "a"}, {"name": "b", "image": "b"}]}
    labels = {"app": "x"}
    spec = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    deployment = {"metadata": {"name": "d"}, "spec": {"replicas": 0, **spec}}
    api.create(DEPLOYMENTS, deployment, namespace=namespace)
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "b", "image": "new"}]}}}}

    found = api.strategic_patch(DEPLOYMENTS, "d", patch, namespace)

    containers = found["spec"]["template"]["spec"]["containers"]
    assert [(one["name"], one["image"]) for one in containers] == [("a", "a"), ("b", "new")]


def test_a_subresource_is_patched_alone(api, namespace):
    test_a_strategic_patch_finds_the_items_of_a_list_by_their_names(api, namespace)

    patch = {"spec": {"replicas": 3}, "status": {"replicas": 7}}
    found = api.merge_patch(DEPLOYMENTS, "d", patch, namespace, subresource="status")

    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (0, 7)


def test_fields_of_another_manager_are_taken_only_by_force(api, existing, namespace):
    mine = config_map(namespace, "a", "2")

    with pytest.raises(ConflictError, match=r"Apply failed with 1 conflict: .*\.data\.v"):
        api.apply(CONFIG_MAPS, mine, field_manager="m", is_forced=False)
    assert value(api.apply(CONFIG_MAPS, mine, field_manager="m")) == "2"


def test_only_the_object_that_is_meant_is_deleted(api, existing, namespace):
    with pytest.raises(ConflictError, match="precondition"):
        api.delete(CONFIG_MAPS, "a", namespace, uid="another")
    api.delete(CONFIG_MAPS, "a", namespace, uid=existing["metadata"]["uid"], grace_s=0)

    with pytest.raises(NotFoundError):
        api.get(CONFIG_MAPS, "a", namespace)


def test_a_kind_that_the_server_lacks_is_not_found(api, namespace):
    with pytest.raises(NotFoundError, match="404 Not Found"):
        list(api.pages(UNKNOWN))


def test_a_list_comes_in_pages_of_one_version(api, namespace):
    for name in "abcde":
        api.create(CONFIG_MAPS, config_map(namespace, name))

    pages = list(api.pages(CONFIG_MAPS, namespace=namespace, page=2))

    assert [[item["metadata"]["name"] for item in items] for items, _ in pages] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert len({version for _, version in pages}) == 1


def test_a_refused_object_is_explained(api, namespace):
    with pytest.raises(InvalidError) as caught:
        api.create(PODS, {"metadata": {"name": "p"}, "spec": {}}, namespace=namespace)

    assert str(caught.value) == (
        f'POST /api/v1/namespaces/{namespace}/pods: 422 Unprocessable Entity: Pod "p" is invalid: '
        "spec.containers: Required value"
    )


def test_missing_rights_are_named(control_plane, namespace):
    api = api_as(control_plane.kubeconfig(ServiceAccount.AGENT))

    with pytest.raises(ForbiddenError) as caught:
        api.get(PODS, "p", namespace)
    api.close()

    assert 'User "system:serviceaccount:tensor-fusion-agent:agent" cannot get' in str(caught.value)


def test_a_wrong_token_is_said_and_not_shown(control_plane, tmp_path):
    path = write_kubeconfig(
        tmp_path / "config", url=control_plane.url, ca_file=control_plane.ca_file
    )
    text = path.read_text(encoding="utf-8").replace(control_plane.token(), "wr0ng")
    path.write_text(text, encoding="utf-8")
    api = api_as(path)

    with pytest.raises(ForbiddenError) as caught:
        api.request("GET", "/api/v1/pods")
    api.close()

    assert str(caught.value) == "GET /api/v1/pods: 401 Unauthorized: Unauthorized"


def test_a_server_that_nobody_trusts_is_said(control_plane, tmp_path):
    path = write_kubeconfig(
        tmp_path / "config", url=control_plane.url, ca_file=control_plane.ca_file
    )
    text = path.read_text(encoding="utf-8").replace('"certificate-authority":', '"_":')
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ApiUnavailableError, match="the certificate of the server is not accepted"):
        api_as(path).request("GET", "/api/v1/pods")


def test_a_server_that_is_not_there_is_said(control_plane, tmp_path):
    url = f"https://{LOOPBACK}:{free_port()}"
    path = write_kubeconfig(tmp_path / "config", url=url, ca_file=control_plane.ca_file)

    with pytest.raises(ApiUnavailableError, match=f"no answer of {url}: connection refused"):
        api_as(path).request("GET", "/api/v1/pods")
