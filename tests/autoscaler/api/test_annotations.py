from autoscaler.api import names
from autoscaler.api.annotations import LABELS, OBJECT_KEYS, SYSTEM_KEYS, USER_KEYS, Writer


def keys(table):
    return [item.key for item in table]


def test_every_annotation_that_admission_acts_on_is_explained():
    assert sorted(keys(USER_KEYS)) == sorted(set(names.USER_ANNOTATIONS))


def test_every_annotation_of_the_system_is_explained():
    expected = {*names.SYSTEM_ANNOTATIONS, *names.DECLARED, names.SOURCES}

    assert sorted(keys(SYSTEM_KEYS)) == sorted(expected)


def test_every_label_and_every_annotation_of_other_objects_is_explained():
    assert set(keys(LABELS)) == {names.ENABLED, *names.SYSTEM_LABELS, names.SCHEMA_LABEL}
    of_users = {names.IS_DEFAULT_POOL, names.PAUSED}
    of_the_secret = {names.SERVING_SINCE, names.SERVING_FINGERPRINT}
    assert set(keys(OBJECT_KEYS)) == of_users | of_the_secret


def test_what_a_user_writes_says_what_is_allowed():
    assert {item.writer for item in USER_KEYS} == {Writer.USER}
    for item in (*USER_KEYS, *OBJECT_KEYS):
        assert item.allowed, item.key


def test_the_meaning_is_a_sentence():
    for item in (*USER_KEYS, *SYSTEM_KEYS, *OBJECT_KEYS, *LABELS):
        assert item.meaning.endswith("."), item.key
