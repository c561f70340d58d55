import logging
import threading

import pytest

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE
from autoscaler.errors import ApiUnavailableError, ForbiddenError
from autoscaler.kube.certificate_keeper import KeeperRules
from autoscaler.kube.certificates import new_authority_and_serving
from autoscaler.kube.resource import SECRETS
from autoscaler.kube.rotation import SOON_S
from autoscaler.kube.rotation_action import Action
from autoscaler.kube.webhook_address import ServiceAddress
from autoscaler.kube.webhook_entries import (
    OBJECTS_WEBHOOK,
    PODS_WEBHOOK,
    TEMPLATES_WEBHOOK,
    WEBHOOKS,
    authorities_of,
    entry_of,
)
from tests.autoscaler.kube.webhook_world import ADDRESS, DAY_S, WebhookWorld

LOGGER = "autoscaler.kube.certificate_keeper"


def filled(**rules):
    world = WebhookWorld(KeeperRules(**rules))
    world.settle()
    assert len(world.entries) == len(WEBHOOKS)
    return world


def external(issued):
    """Return a world whose Secret somebody else wrote; its processes have loaded it."""
    world = WebhookWorld(KeeperRules(is_external=True))
    write_externally(world, issued)
    world.load()
    return world


def write_externally(world, issued):
    secret = {
        "metadata": {"name": CERTIFICATE_SECRET, "namespace": NAMESPACE},
        "data": {},
    }
    world.api._store((SECRETS, NAMESPACE, CERTIFICATE_SECRET), secret)
    world.edit_secret(
        ca_crt=encoded(issued.authority),
        tls_crt=encoded(issued.serving.certificate),
        tls_key=encoded(issued.serving.key),
    )


def encoded(text):
    config = ADDRESS.client_config("", text)
    return config["caBundle"]


def issued(world):
    return new_authority_and_serving(
        ADDRESS.names, now_s=world.clock.now_s(), lifetime_s=90 * DAY_S
    )


def bundles(world):
    return {authorities_of(entry) for entry in world.entries}


def test_a_fresh_installation_is_filled_when_two_endpoints_are_verified():
    world = WebhookWorld()
    world.run(3)
    world.load(0)
    assert (world.run(), world.entries) == (SOON_S, [])
    assert world.keeper.snapshot().verified_endpoints == 1
    world.load(1)
    world.run(2)
    bundle = "".join(world.stored.authorities)
    assert world.entries == [entry_of(webhook, ADDRESS, bundle) for webhook in WEBHOOKS]
    assert world.keeper.snapshot().is_filled


def test_one_endpoint_is_enough_where_there_is_to_be_one():
    world = WebhookWorld(KeeperRules(needed_endpoints=1), endpoints=1)
    world.settle()
    assert len(world.entries) == len(WEBHOOKS)


def test_a_filled_installation_is_not_written_again():
    world = filled()
    version = world.api.version
    assert world.run(3) == 15.0
    assert world.api.version == version


def test_one_run_is_one_step():
    world = WebhookWorld()
    assert world.run() == 0.0
    assert [key[2] for key in world.api.writes] == [CERTIFICATE_SECRET]


def test_one_verified_endpoint_keeps_a_configuration_filled():
    world = filled()
    world.processes[1] = None
    world.advance(30 * DAY_S)
    world.run(2)
    assert len(world.entries) == len(WEBHOOKS)


def test_edits_by_hand_are_put_right():
    world = filled()
    expected = world.entries
    world.edit_entry(PODS_WEBHOOK, failurePolicy="Ignore", objectSelector={})
    world.edit_entry(TEMPLATES_WEBHOOK, clientConfig={"url": "https://elsewhere"})
    world.run()
    assert world.entries == expected


def test_who_changed_the_configuration_meanwhile_is_not_overwritten():
    world = filled()
    world.edit_entry(PODS_WEBHOOK, timeoutSeconds=30)
    read = world.api.get

    def read_before_another_write(resource, name, namespace=None):
        live = read(resource, name, namespace)
        if resource is PODS_WEBHOOK.configuration:
            world.edit_entry(PODS_WEBHOOK, timeoutSeconds=29)
        return live

    world.api.get = read_before_another_write
    assert world.run() == SOON_S
    assert world.entries[0]["timeoutSeconds"] == 29


def test_a_webhook_that_is_gone_stays_required_by_default():
    world = filled()
    world.processes = [None, None]
    world.advance(20 * DAY_S)
    world.run(2)
    assert len(world.entries) == len(WEBHOOKS)


def test_a_webhook_that_is_gone_for_long_is_left_out_where_that_is_wanted():
    world = filled(open_after_s=600)
    pair = world.processes[0]
    world.processes = [None, None]
    world.run()
    world.advance(599)
    world.run()
    assert len(world.entries) == len(WEBHOOKS)
    world.advance(1)
    world.run()
    assert world.entries == []
    world.processes = [pair, None]
    world.run(2)
    assert world.entries == [], "one of two is not enough to begin again"
    world.processes = [pair, pair]
    world.run(2)
    assert len(world.entries) == len(WEBHOOKS)


def test_the_time_without_webhook_begins_anew_with_each_keeper():
    world = filled(open_after_s=600)
    world.processes = [None, None]
    world.advance(599)
    world.restart_keeper()
    world.run()
    world.advance(599)
    world.run()
    assert len(world.entries) == len(WEBHOOKS)


def test_who_does_not_lead_reads_and_writes_nothing():
    world = WebhookWorld()
    world.is_leader = False
    version = world.api.version
    assert world.run(3) == 15.0
    assert world.api.version == version
    assert world.keeper.snapshot().known_endpoints == 0


def test_who_loses_the_lead_within_a_run_writes_nothing_more():
    world = WebhookWorld()
    leads = iter([True, False, False])
    world.keeper._is_leader = lambda: next(leads)
    world.run()
    assert world.secret is None


def test_a_missing_configuration_is_named_and_does_not_hinder_the_others():
    world = WebhookWorld()
    webhook = OBJECTS_WEBHOOK
    world.api.remove(webhook.configuration, webhook.configuration_name)
    world.settle()
    snapshot = world.keeper.snapshot()
    assert len(world.entries) == 2
    assert not snapshot.is_filled
    assert snapshot.last_error == (
        "ValidatingWebhookConfiguration tensor-fusion-autoscaler is not installed"
    )


def test_a_renamed_service_gets_a_certificate_for_its_new_name():
    world = filled()
    world.address = ServiceAddress(name="renamed")
    world.restart_keeper()
    world.settle()
    world.settle()
    assert world.failures() == []
    assert {entry["clientConfig"]["service"]["name"] for entry in world.entries} == {"renamed"}


def test_a_certificate_that_ran_out_is_replaced_without_waiting():
    world = filled()
    world.advance(100 * DAY_S)
    world.settle()
    assert world.failures() == []
    assert world.keeper.snapshot().steps[Action.ISSUE] == 2


def test_a_deleted_secret_comes_back_with_no_failure_in_between():
    world = filled()
    world.api.remove(SECRETS, CERTIFICATE_SECRET, NAMESPACE)
    world.run(4)
    assert (world.stored.serving, world.failures()) == (None, [])
    world.advance(60)
    world.run()
    world.load(0)
    assert (world.stored.serving is not None, world.failures()) == (True, [])


def test_a_secret_of_somebody_else_is_only_read():
    world = WebhookWorld(KeeperRules(is_external=True))
    theirs = issued(world)
    world = external(theirs)
    data = world.secret["data"]
    world.settle()
    assert bundles(world) == {(theirs.authority,)}
    assert world.secret["data"] == data
    world.clock.advance_to(world.clock.now_s() + 100 * DAY_S)
    world.run(3)
    assert world.secret["data"] == data


def test_a_new_authority_of_somebody_else_joins_until_all_endpoints_serve_its_certificate():
    world = WebhookWorld()
    first, second = issued(world), issued(world)
    world = external(first)
    world.settle()
    write_externally(world, second)
    world.run(2)
    world.load(0)
    world.run(2)
    assert bundles(world) == {(second.authority, first.authority)}
    world.catch_up()
    assert world.failures() == []
    world.load(1)
    world.run(2)
    assert bundles(world) == {(second.authority,)}


def test_a_secret_of_somebody_else_that_is_not_there_is_named():
    world = WebhookWorld(KeeperRules(is_external=True))
    world.run()
    assert world.keeper.snapshot().last_error.startswith(
        "Secret tensor-fusion-autoscaler/tensor-fusion-webhook-certificate does not exist, and it "
        "is somebody else who writes it; "
    )
    assert world.secret is None


def test_a_secret_of_somebody_else_without_authority_is_named():
    world = external(issued(WebhookWorld()))
    del world.secret["data"]["ca.crt"]
    world.run()
    assert world.keeper.snapshot().last_error.startswith(
        "Secret tensor-fusion-autoscaler/tensor-fusion-webhook-certificate has no certificates "
        "in ca.crt, and it is somebody else who writes it"
    )


def test_an_error_of_the_api_server_is_raised_and_kept():
    world = WebhookWorld()

    def refuse(*_names):
        raise ForbiddenError("GET secrets: may not")

    world.api.get = refuse
    with pytest.raises(ForbiddenError):
        world.keeper.run_once()
    assert world.keeper.snapshot().last_error == "GET secrets: may not"


def test_the_loop_goes_on_after_errors_and_ends_when_told():
    world = WebhookWorld()
    stop = threading.Event()

    def fail(*_names):
        stop.set()
        raise ApiUnavailableError("GET secrets: connection refused")

    world.api.get = fail
    world.keeper.run(stop)
    assert world.keeper.snapshot().last_error == "GET secrets: connection refused"


def test_the_loop_goes_on_after_a_defect_and_tells_of_it(caplog):
    world = WebhookWorld()
    stop = threading.Event()

    def fail(*_names):
        stop.set()
        raise ValueError("nobody thought of this")

    world.api.get = fail
    world.keeper.run(stop)
    assert world.keeper.snapshot().last_error == "a defect: nobody thought of this"
    assert "nobody thought of this" in caplog.text


def test_the_snapshot_tells_when_the_certificate_ends():
    world = filled()
    snapshot = world.keeper.snapshot()
    assert snapshot.expires_s == world.clock.now_s() + 90 * DAY_S
    assert (snapshot.authorities, snapshot.known_endpoints, snapshot.last_error) == (1, 2, "")


def test_steps_and_changed_problems_are_logged_once_and_no_secret_is(caplog):
    with caplog.at_level(logging.INFO, LOGGER):
        world = filled()
        world.live(64)
        world.run(3)
    said = [record.getMessage() for record in caplog.records]
    assert "webhook certificate: issue: there is no serving certificate" in said
    assert "MutatingWebhookConfiguration tensor-fusion-autoscaler: entry written" in said
    assert said.count("webhook certificate: all is well again") == 1
    assert not any("BEGIN" in text for text in said)
