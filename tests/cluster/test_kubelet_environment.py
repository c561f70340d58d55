"""The environment of containers and the places of their volumes, by the rules of the kubelet."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.kubelet_environment import CannotStartError, environment, expand, field
from tests.cluster.kubelet_volumes import empty_dirs, mounts, relocated

POD = {
    "metadata": {
        "name": "trainer",
        "namespace": "team",
        "uid": "1-2",
        "labels": {"app": "llm"},
        "annotations": {"tensor-fusion.ai/vram-limit": "4Gi"},
    },
    "spec": {"nodeName": "node-1"},
    "status": {"podIP": "127.1.0.9"},
}
DATA = {
    ("ConfigMap", "settings"): {"MODE": "fast", "DEPTH": "3"},
    ("Secret", "keys"): {"TOKEN": "secret"},
}
NAMES = st.from_regex(r"[A-Z_][A-Z0-9_]{0,5}", fullmatch=True)
TEXTS = st.text(st.sampled_from("ab$()/ "), max_size=12)


def made(*entries, **container):
    return environment(
        {"env": list(entries), **container}, POD, lambda kind, name: DATA.get((kind, name))
    )


def from_field(path, name="X"):
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


@given(text=TEXTS, variables=st.dictionaries(NAMES, TEXTS))
def test_a_doubled_dollar_is_a_dollar_whatever_follows(text, variables):
    assert expand(text.replace("$", "$$"), variables) == text


@given(text=st.text(st.sampled_from("ab()/ ")), variables=st.dictionaries(NAMES, TEXTS))
def test_a_text_without_dollars_stays(text, variables):
    assert expand(text, variables) == text


@given(name=NAMES, value=TEXTS, before=st.sampled_from(["", "x", "$$", "$$$$("]))
def test_a_known_name_is_replaced_once_by_its_value(name, value, before):
    assert expand(f"{before}$({name})", {name: value}) == before.replace("$$", "$") + value


def test_a_name_reaches_to_the_next_bracket():
    assert expand("$($(A))", {"A": "1", "$(A": "2"}) == "2)"


@pytest.mark.parametrize("text", ["$(UNKNOWN)", "$(", "$(A", "$A", "5$", "$()"])
def test_what_names_no_known_variable_stays(text):
    assert expand(text, {"A": "1"}) == text


def test_a_reference_sees_the_entries_before_it_only():
    given = made(
        {"name": "FIRST", "value": "$(SECOND)"},
        {"name": "SECOND", "value": "2"},
        {"name": "THIRD", "value": "$(SECOND)$(SECOND)"},
    )

    assert given == {"FIRST": "$(SECOND)", "SECOND": "2", "THIRD": "22"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "trainer"),
        ("metadata.namespace", "team"),
        ("metadata.uid", "1-2"),
        ("metadata.labels['app']", "llm"),
        ("metadata.annotations['tensor-fusion.ai/vram-limit']", "4Gi"),
        ("metadata.annotations['tensor-fusion.ai/gpu-ids']", ""),
        ("spec.nodeName", "node-1"),
        ("status.podIP", "127.1.0.9"),
        ("status.hostIP", ""),
    ],
)
def test_fields_of_the_pod_are_texts_and_absent_ones_empty(path, value):
    assert field(POD, path) == value
    assert made(from_field(path)) == {"X": value}


def test_a_field_can_be_referred_to_by_a_later_entry():
    assert made(from_field("metadata.name", "POD"), {"name": "URL", "value": "/of/$(POD)"}) == {
        "POD": "trainer",
        "URL": "/of/trainer",
    }


def test_keys_of_config_maps_and_secrets_are_read():
    given = made(
        {"name": "M", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "MODE"}}},
        {"name": "T", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}},
    )

    assert given == {"M": "fast", "T": "secret"}


def test_whole_config_maps_come_first_with_their_prefix():
    sources = [{"prefix": "S_", "configMapRef": {"name": "settings"}}]

    assert made({"name": "S_MODE", "value": "was $(S_MODE)"}, envFrom=sources) == {
        "S_MODE": "was fast",
        "S_DEPTH": "3",
    }


@pytest.mark.parametrize("form", ["configMapKeyRef", "secretKeyRef"])
def test_an_optional_key_that_is_absent_sets_nothing_and_any_other_is_an_error(form):
    reference = {"name": "absent", "key": "K"}

    assert made({"name": "X", "valueFrom": {form: {**reference, "optional": True}}}) == {}
    with pytest.raises(CannotStartError, match=r"variable X: no key K in \w+ absent"):
        made({"name": "X", "valueFrom": {form: reference}})


def test_an_optional_secret_that_is_absent_sets_nothing_and_any_other_is_an_error():
    assert made(envFrom=[{"secretRef": {"name": "absent", "optional": True}}]) == {}
    with pytest.raises(CannotStartError, match="there is no Secret absent"):
        made(envFrom=[{"secretRef": {"name": "absent"}}])


def test_what_is_not_supported_is_named_with_what_is():
    with pytest.raises(CannotStartError, match="variable X: resourceFieldRef is not supported"):
        made({"name": "X", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}})
    with pytest.raises(CannotStartError, match=r"'spec.hostname' is not supported; .*metadata.uid"):
        made(from_field("spec.hostname"))


PLACES = {"/data": Path("/root/pods/1/data"), "/data/deep": Path("/root/pods/1/deep")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data", "/root/pods/1/data"),
        ("/data/x.bin", "/root/pods/1/data/x.bin"),
        ("--out=/data/x", "--out=/root/pods/1/data/x"),
        ("/usr/lib/a.so:/data/b.so", "/usr/lib/a.so:/root/pods/1/data/b.so"),
        ("/data/deep/x", "/root/pods/1/deep/x"),
        ("cat '/data/a' > /data/b", "cat '/root/pods/1/data/a' > /root/pods/1/data/b"),
    ],
)
def test_a_mount_path_becomes_its_place_on_this_machine(text, expected):
    assert relocated(text, PLACES) == expected


@pytest.mark.parametrize(
    "text", ["/database", "/data-1/x", "/data.old", "/my/data", "data", "http://data/x", "~/data"]
)
def test_a_path_that_only_looks_like_a_mount_stays(text):
    assert relocated(text, PLACES) == text


@given(text=st.text(max_size=20))
def test_without_mounts_nothing_changes(text):
    assert relocated(text, {}) == text


@given(rest=st.from_regex(r"(/[a-z]{1,4}){0,3}", fullmatch=True))
def test_what_stands_below_a_mount_keeps_its_name(rest):
    assert relocated(f"/mnt{rest}", {"/mnt": Path("/here")}) == f"/here{rest}"


def test_the_volumes_lie_where_the_kubelet_puts_them(tmp_path):
    pod = {**POD, "spec": {"volumes": [{"name": "tf-ctl", "emptyDir": {}}, {"name": "other"}]}}
    folder = tmp_path / "pods" / "1-2" / "volumes" / "kubernetes.io~empty-dir" / "tf-ctl"

    assert empty_dirs(tmp_path, pod) == {"tf-ctl": folder}


def test_a_mount_is_the_folder_of_its_volume_or_a_part_of_it():
    container = {
        "volumeMounts": [
            {"name": "scratch", "mountPath": "/a/"},
            {"name": "scratch", "mountPath": "/b", "subPath": "part"},
        ]
    }
    given = mounts(container, {"scratch": Path("/here")})

    assert given == {"/a": Path("/here"), "/b": Path("/here/part")}


def test_a_mount_of_another_kind_of_volume_is_an_error():
    with pytest.raises(CannotStartError, match=r"volume host is not supported .* emptyDir"):
        mounts({"volumeMounts": [{"name": "host", "mountPath": "/h"}]}, {})
