"""Keys go where Kafka's Java client sends them: the hashes are those of its own test."""

import pyarrow as pa

from shared_resources.streams.log.partitioning import partitions_of

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def test_a_key_goes_where_kafkas_clients_send_it():
    expected = [(hashed & 0x7FFFFFFF) % 97 for hashed in HASHES.values()]
    assert partitions_of(pa.array(list(HASHES), pa.binary()), 97).tolist() == expected


def test_a_slice_of_keys_is_read_from_its_own_beginning():
    keys = pa.array([b"other", *HASHES], pa.binary()).slice(1)
    assert partitions_of(keys, 97).tolist() == [(h & 0x7FFFFFFF) % 97 for h in HASHES.values()]


def test_an_empty_key_is_a_key():
    assert partitions_of(pa.array([b""], pa.binary()), 4).tolist() == [
        (0x106E08D9 & 0x7FFFFFFF) % 4
    ]
