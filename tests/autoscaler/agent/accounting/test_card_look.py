from tests.autoscaler.agent.accounting.looks import GIB, look, process


def test_processes_with_a_slot_are_metered_and_others_are_outside():
    seen = look(process(1001), process(1002), owners={1001: "a", 1002: "a"}, metered=[1001]).of("a")

    assert [each.pid for each in seen.metered] == [1001]
    assert [each.pid for each in seen.unaccounted] == [1002]
    assert seen.memory_bytes == 2 * GIB


def test_processes_of_no_worker_count_for_none():
    seen = look(process(1001), process(4), owners={1001: "a"}, metered=[1001])

    assert set(seen.workers) == {"a"}
    assert [each.pid for each in seen.of("a").metered] == [1001]
    assert seen.of("b").memory_bytes == 0


def test_memory_that_the_driver_does_not_tell_is_not_zero():
    seen = look(process(1001), process(1002, memory_bytes=None), owners={1001: "a", 1002: "a"})

    assert seen.of("a").memory_bytes is None


def test_the_figure_of_the_card_is_that_of_a_worker_alone():
    seen = look(process(1001, 40.0), owners={1001: "a"}, metered=[1001], busy_percent=40.0)

    assert seen.alone_share("a", {"a": 0.4, "b": 0.0}) == 0.4


def test_the_figure_of_the_only_process_counts_before_the_older_one_of_the_card():
    busy = look(process(1001, 40.0), owners={1001: "a"}, busy_percent=90.0)
    idle = look(process(1001, 0.0), owners={1001: "a"}, busy_percent=90.0)
    untold = look(process(1001, None), owners={1001: "a"}, busy_percent=90.0)

    found = [each.alone_share("a", {"a": 0.4}) for each in (busy, idle, untold)]

    assert found == [0.4, 0.0, 0.9]


def test_processes_of_one_worker_that_take_turns_are_neighbours_of_each_other():
    owners = {1001: "a", 1002: "a"}
    both = look(process(1001, 99.0), process(1002, 99.0), owners=owners, busy_percent=99.0)
    one = look(process(1001, 60.0), process(1002), owners=owners, busy_percent=60.0)

    assert both.alone_share("a", {"a": 0.4}) is None
    assert one.alone_share("a", {"a": 0.6}) == 0.6


def test_a_neighbour_that_only_holds_memory_takes_no_time():
    seen = look(
        process(1001, 40.0), process(1002), owners={1001: "a", 1002: "b"}, busy_percent=40.0
    )

    assert seen.alone_share("a", {"a": 0.4}) == 0.4


def test_a_worker_is_not_alone_beside_work_of_others():
    owners = {1001: "a", 1002: "b"}
    busy = look(process(1001, 99.0), process(1002, 99.0), owners=owners, busy_percent=99.0)
    charged = look(process(1001, 99.0), owners=owners, busy_percent=99.0)
    stranger = look(process(1001, 99.0), process(4, 1.0), owners=owners, busy_percent=99.0)
    unknown = look(process(1001), process(1002, None), owners=owners, busy_percent=99.0)
    untold = look(process(1001, None), owners=owners)

    assert busy.alone_share("a", {"a": 0.3}) is None
    assert charged.alone_share("a", {"a": 0.3, "b": 0.01}) is None
    assert stranger.alone_share("a", {"a": 0.3}) is None
    assert unknown.alone_share("a", {"a": 0.3}) is None
    assert untold.alone_share("a", {"a": 0.3}) is None


def test_what_others_do_is_accounted_for_where_they_hold_slots_and_are_charged():
    owners = {1001: "a", 1002: "b"}
    both = [process(1001, 99.0), process(1002, 99.0)]
    seen = look(*both, owners=owners, metered=[1001, 1002])
    outside = look(*both, owners=owners, metered=[1001])
    own_outside = look(*both, owners={1001: "a", 1002: "a"}, metered=[1001])
    stranger = look(process(1001, 99.0), process(4, 1.0), owners=owners, metered=[1001])
    idle_stranger = look(process(1001, 99.0), process(4), owners=owners, metered=[1001])

    assert seen.accounts_for_others("a", {"a": 0.0, "b": 0.3})
    assert not seen.accounts_for_others("a", {"a": 0.3, "b": 0.0})
    assert not outside.accounts_for_others("a", {"a": 0.3, "b": 0.3})
    assert not own_outside.accounts_for_others("a", {"a": 0.3})
    assert not stranger.accounts_for_others("a", {"a": 0.3})
    assert idle_stranger.accounts_for_others("a", {"a": 0.3})
