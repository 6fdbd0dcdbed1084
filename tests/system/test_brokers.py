"""The brokers themselves: till-devbroker, and deploy/kafka's nodes when they are stopped, killed and started again."""
import subprocess

from harness import ROOT, Broker, Program, program


def kcat(bootstrap, *args, data=None):
    done = subprocess.run(["kcat", "-q", "-b", bootstrap, *args], input=data, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def numbers(first, last):
    return [str(n) for n in range(first, last + 1)]


def produce(bootstrap, topic, values):
    kcat(bootstrap, "-P", "-t", topic, "-X", "acks=all", data="".join(f"{value}\n" for value in values))


def consume(bootstrap, topic):
    return sorted(kcat(bootstrap, "-C", "-t", topic, "-o", "beginning", "-e"), key=int)


def test_devbroker_keeps_what_it_is_given_and_ends_when_asked(tmp_path):
    devbroker = Program("till-devbroker", ["-o", "devbroker.partitions=2", "-o", "devbroker.topics=orders, returns"],
                        tmp_path / "devbroker.log")
    bootstrap = devbroker.ready["bootstrap"]
    topics = subprocess.run(["kcat", "-L", "-b", bootstrap], capture_output=True, text=True, timeout=60, check=True).stdout
    for topic in ("orders", "orders.dlq", "returns", "returns.dlq"):
        assert f'topic "{topic}" with 2 partitions' in topics
    produce(bootstrap, "orders", numbers(1, 100))
    assert consume(bootstrap, "orders") == numbers(1, 100)
    assert devbroker.stop() == 0


def test_devbroker_says_what_is_wrong(tmp_path):
    for option, words in (("devbroker.partitions=0", "is too small; the least is 1"),
                          ("devbroker.partition=4", 'did you mean "partitions"?')):
        done = subprocess.run([program("till-devbroker"), "-o", option], capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 2
        assert words in done.stderr


def test_three_nodes_outlive_one_and_keep_everything(tmp_path):
    kafka = Broker(tmp_path / "three nodes", nodes=3)
    try:
        kafka.topics("--create", "--topic", "orders", "--partitions", "4")
        assert "min.insync.replicas=2" in kafka.topics("--describe", "--topic", "orders")
        produce(kafka.bootstrap, "orders", numbers(1, 100))
        kafka.kill(2)
        produce(kafka.bootstrap, "orders", numbers(101, 200))
        kafka.start(2)
        kafka.kill(1)
        assert consume(kafka.bootstrap, "orders") == numbers(1, 200)
        assert kafka.up() == kafka.bootstrap  # starts what does not run, and no other cluster
        assert consume(kafka.bootstrap, "orders") == numbers(1, 200)
    finally:
        kafka.down()


def test_kafka_says_what_is_wrong(tmp_path):
    for args, words in ((["up", "--nodes", "7"], "--nodes is 1, 2 or 3, not 7"),
                        (["status", "--dir", tmp_path / "nothing"], "there is no folder"),
                        (["status", "--dir", tmp_path], "there is no cluster in"),
                        (["start", "--dir", tmp_path], "start needs --node N"),
                        (["start", "--dir", tmp_path, "--node", "1"], "there is no node 1 in")):
        done = subprocess.run([ROOT / "deploy/kafka/kafka", *args], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        assert words in done.stderr
        assert done.stdout == ""
