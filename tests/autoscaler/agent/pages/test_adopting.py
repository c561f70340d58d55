import pytest

from autoscaler.agent.pages.adopting import adopted_trims
from autoscaler.agent.pages.control_page import open_control_page
from tests.autoscaler.agent.pages.pages import UUIDS, terms


def test_what_an_earlier_agent_found_of_costs_is_taken_over_by_gpu(tmp_path):
    first, second = terms().gpus
    stated = terms(gpus=(first._replace(trim_k=1.25), second))
    open_control_page(tmp_path, stated, 1).close()

    assert adopted_trims(tmp_path) == {UUIDS[0]: 1.25, UUIDS[1]: 1.0}


def test_where_costs_are_not_trimmed_nothing_is_taken_over(tmp_path):
    gpu = terms().gpus[0]._replace(is_time_shared=False)
    open_control_page(tmp_path, terms(gpus=(gpu,)), 1).close()

    assert adopted_trims(tmp_path) == {}


@pytest.mark.parametrize("content", [None, b"", b"short", bytes(4096)])
def test_a_page_that_tells_nothing_gives_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "ctl").write_bytes(content)

    assert adopted_trims(tmp_path) == {}
