from autoscaler.scaling.page.queries import KEPT_S, WITHIN_S, Queries

KEYS = [("team", f"chat{i}") for i in range(5)]


class Source:
    """Answers with a query for each resource but VRAM; each question takes ``takes_s``."""

    def __init__(self, takes_s=0.0):
        self.takes_s = takes_s
        self.now_s = 0.0
        self.asked = []

    def monotonic_s(self):
        return self.now_s

    def promql(self, resource, namespace, workload):
        self.now_s += self.takes_s
        self.asked.append((namespace, workload, resource))
        return () if resource == "vram_bytes" else (f"{resource}{{{workload}}}",)


def test_a_resource_without_a_query_is_left_out():
    source = Source()

    found = Queries(source.promql, source.monotonic_s).of(KEYS[:1], ["tflops", "vram_bytes"])

    assert found == {KEYS[0]: {"tflops": ("tflops{chat0}",)}}


def test_what_was_found_is_not_looked_for_again_within_an_hour():
    source = Source()
    queries = Queries(source.promql, source.monotonic_s)
    first = queries.of(KEYS, ["tflops"])
    source.now_s += KEPT_S

    assert queries.of(KEYS, ["tflops"]) == first
    assert len(source.asked) == 5
    source.now_s += 1
    queries.of(KEYS, ["tflops"])
    assert len(source.asked) == 10


def test_a_look_spends_a_moment_and_the_next_one_goes_on():
    source = Source(takes_s=WITHIN_S / 2)
    queries = Queries(source.promql, source.monotonic_s)

    sizes = [len(queries.of(KEYS, ["tflops"])) for _ in range(3)]

    assert sizes == [3, 5, 5]
    assert [workload for _, workload, _ in source.asked] == [f"chat{i}" for i in range(5)]


def test_workloads_that_are_no_longer_shown_are_forgotten():
    source = Source()
    queries = Queries(source.promql, source.monotonic_s)
    queries.of(KEYS, ["tflops"])
    queries.of(KEYS[:1], ["tflops"])

    queries.of(KEYS, ["tflops"])

    assert len(source.asked) == 9
