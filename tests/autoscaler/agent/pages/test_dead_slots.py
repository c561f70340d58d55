from autoscaler.agent.pages.dead_slots import Owner, dead_slots
from autoscaler.agent.pages.use_page import parse_use
from tests.autoscaler.agent.pages.pages import claim, use_bytes, use_page


def _reading(page):
    return parse_use(use_bytes(page), 1, 1, "use")


def test_slots_of_processes_that_are_gone_are_dead():
    page = use_page()
    claim(page, 0, pid=10, generation=3)
    claim(page, 5, pid=11, generation=8)

    dead = dead_slots(_reading(page), {Owner(pid=10, start_time=100)})

    assert dead == {5: 8}


def test_a_later_process_with_the_same_pid_does_not_keep_a_slot():
    page = use_page()
    claim(page, 0, pid=10, generation=3, start_time=100)

    dead = dead_slots(_reading(page), {Owner(pid=10, start_time=200)})

    assert dead == {0: 3}


def test_the_same_pid_in_another_container_does_not_keep_a_slot():
    page = use_page()
    claim(page, 0, pid=10, pid_namespace=7, start_time=100)
    claim(page, 1, pid=10, pid_namespace=8, start_time=101)

    dead = dead_slots(_reading(page), {Owner(pid=10, start_time=101)})

    assert dead == {0: 1}


def test_processes_of_one_name_keep_each_others_slots_until_both_have_ended():
    page = use_page()
    claim(page, 0, pid=10, pid_namespace=7)
    claim(page, 1, pid=10, pid_namespace=8)

    assert dead_slots(_reading(page), {Owner(pid=10, start_time=100)}) == {}
    assert dead_slots(_reading(page), set()) == {0: 1, 1: 1}


def test_a_process_that_is_moving_in_is_left_alone():
    page = use_page()
    claim(page, 0, pid=10, generation=3).ready_generation = 2

    assert dead_slots(_reading(page), set()) == {}
