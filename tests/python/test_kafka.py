"""Asking Kafka again while a topic has no leader yet, and not for ever."""
import confluent_kafka
import pytest
from harness import free_port
from till.errors import NotReached
from till.kafka import Reader


@pytest.fixture
def reader():
    """Nobody listens there."""
    made = Reader(f"127.0.0.1:{free_port()}", "nobody", "archive", {}, 0.3)
    yield made
    made.close()


def no_leader():
    return confluent_kafka.KafkaException(confluent_kafka.KafkaError(confluent_kafka.KafkaError.LEADER_NOT_AVAILABLE))


def test_it_asks_again_while_there_is_no_leader(reader):
    refusals = [no_leader(), no_leader()]

    def ask():
        if refusals:
            raise refusals.pop()
        return "an answer"

    reader.timeout_s = 60
    assert reader.insist(ask) == "an answer"


def test_it_gives_up_and_says_where(reader):
    with pytest.raises(NotReached, match=f"Kafka at {reader.brokers}: .*does Kafka run"):
        reader.insist(lambda: reader.look(["orders"]))
