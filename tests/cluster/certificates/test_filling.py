"""Entries come and go with the webhook, and survive what people do to the configurations."""

import json

import pytest

from autoscaler.errors import KubeError
from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.kube.webhook_address import ServiceAddress
from autoscaler.kube.webhook_entries import PODS_WEBHOOK, WEBHOOKS, entry_of
from tests.cluster.admission_server import AdmissionServer
from tests.cluster.certificates.asking import admit, is_admitted
from tests.cluster.certificates.installation import (
    CONFIGURATIONS,
    entries,
    filled,
    keeper_of,
    live,
)
from tests.components.processes import until


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
    plane.kubectl("apply", *flags, "-f", CONFIGURATIONS).well()
    keeper = filled(keeper_of(api, webhook), admin, webhook)
    before = [entries(admin, one) for one in WEBHOOKS]
    plane.kubectl("apply", *flags, "-f", CONFIGURATIONS).well()
    assert [entries(admin, one) for one in WEBHOOKS] == before
    assert keeper.run_once() >= 1


def test_going_over_to_server_side_apply_keeps_the_entries(plane, api, admin, webhook):
    filled(keeper_of(api, webhook), admin, webhook)
    before = [entries(admin, one) for one in WEBHOOKS]
    for _ in range(2):
        plane.kubectl("apply", "--server-side", "-f", CONFIGURATIONS).well()
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
