"""Reading chunk by chunk: two at once, in order, and shorter where one was too much."""

from threading import Barrier

import numpy as np
import pytest

from autoscaler.errors import QueryRejectedError, QueryTimeoutError, SourceUnavailableError
from autoscaler.sources.prometheus.chunked import ChunkedReader
from autoscaler.sources.prometheus.reading import Piece

START_S = 1_772_323_200
HOUR_S = 3600
PATIENCE_S = 30


class Client:
    """Stands for a client that has a twin."""

    def __init__(self):
        self.other = None

    def twin(self):
        self.other = Client()
        return self.other


def piece(from_s, upto_s):
    ts = np.arange(from_s, upto_s, 60)
    return Piece(labels=({},), series=np.zeros(len(ts), int), ts=ts, value=np.ones(len(ts)))


def read(read_part, hours, length_s=HOUR_S, whole_s=1):
    span = START_S, START_S + hours * HOUR_S
    return ChunkedReader(Client()).read("tflops", span, length_s, read_part, whole_s=whole_s)


def test_pieces_are_whole_and_in_the_order_of_time():
    pieces = read(lambda _client, *part: piece(*part), hours=5)
    assert np.concatenate([p.ts for p in pieces]).tolist() == list(
        range(START_S, START_S + 5 * HOUR_S, 60)
    )


def test_two_chunks_are_read_at_once_by_clients_of_their_own():
    both = Barrier(2)
    clients = []

    def read_part(client, from_s, upto_s):
        clients.append(client)
        both.wait(PATIENCE_S)
        return piece(from_s, upto_s)

    assert len(read(read_part, hours=4)) == 4
    assert len(set(map(id, clients))) == 2


def test_a_time_of_one_chunk_is_read_by_the_client_itself():
    client = Client()
    seen = []
    ChunkedReader(client).read(
        "tflops",
        (START_S, START_S + 600),
        HOUR_S,
        lambda own, *part: seen.append(own) or piece(*part),
        whole_s=1,
    )
    assert seen == [client]


def test_what_was_read_before_a_fault_of_the_second_chunk_is_not_read_again():
    asked = []

    def read_part(_client, from_s, upto_s):
        asked.append((from_s, upto_s))
        if upto_s - from_s > HOUR_S and from_s > START_S:
            raise QueryTimeoutError("too slow")
        return piece(from_s, upto_s)

    pieces = read(read_part, hours=4, length_s=2 * HOUR_S)
    assert [len(p) for p in pieces] == [120, 60, 60]
    assert asked.count((START_S, START_S + 2 * HOUR_S)) == 1


@pytest.mark.parametrize(
    "error",
    [SourceUnavailableError("refused"), QueryRejectedError("parse error", http_status=400)],
)
def test_a_fault_that_is_not_the_length_s_ends_the_reading(error):
    def read_part(_client, from_s, upto_s):
        if from_s >= START_S + HOUR_S:
            raise error
        return piece(from_s, upto_s)

    with pytest.raises(type(error)):
        read(read_part, hours=3)


def test_a_defect_beside_is_not_swallowed():
    def read_part(_client, from_s, upto_s):
        if from_s > START_S:
            raise ZeroDivisionError
        return piece(from_s, upto_s)

    with pytest.raises(ZeroDivisionError):
        read(read_part, hours=2)
