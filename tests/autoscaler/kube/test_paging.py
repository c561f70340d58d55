import pytest

from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.paging import pages
from autoscaler.kube.resource import CONFIG_MAPS


def answering(*answers):
    """Return what answers one request after the other, and the queries of them."""
    waiting, queries = list(answers), []

    def ask(query):
        queries.append(dict(query))
        return waiting.pop(0)

    return ask, queries


def listed(*names, version="7", rest=""):
    metadata = {"resourceVersion": version, "continue": rest}
    return {"metadata": metadata, "items": [{"metadata": {"name": name}} for name in names]}


def test_pages_are_asked_for_one_after_the_other_until_there_is_no_rest():
    ask, queries = answering(listed("a", "b", rest="next"), listed("c"))

    found = [
        ([item["metadata"]["name"] for item in items], version)
        for items, version in pages(CONFIG_MAPS, ask, {"labelSelector": "x=y"}, 2)
    ]

    assert found == [(["a", "b"], "7"), (["c"], "7")]
    assert queries == [
        {"labelSelector": "x=y", "limit": "2"},
        {"labelSelector": "x=y", "limit": "2", "continue": "next"},
    ]


def test_a_page_of_nought_is_all_at_once():
    ask, queries = answering(listed("a"))

    assert len(list(pages(CONFIG_MAPS, ask, {}, 0))) == 1
    assert queries == [{}]


def test_items_say_their_kind():
    ask, _ = answering(listed("a"))

    ((items, _),) = pages(CONFIG_MAPS, ask, {}, 0)

    assert (items[0]["apiVersion"], items[0]["kind"]) == ("v1", "ConfigMap")


def test_a_list_without_items_is_an_empty_one():
    ask, _ = answering({"metadata": {"resourceVersion": "7"}, "items": None})

    assert list(pages(CONFIG_MAPS, ask, {}, 5)) == [([], "7")]


@pytest.mark.parametrize("answer", [{}, {"metadata": {}, "items": "none"}, {"kind": "Status"}])
def test_what_is_no_list_is_an_error(answer):
    ask, _ = answering(answer)

    with pytest.raises(ApiUnavailableError, match=r"configmaps: the answer is a .* and no list"):
        list(pages(CONFIG_MAPS, ask, {}, 5))
