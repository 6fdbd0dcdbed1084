"""`till export` into S3 (an emulator) and HDFS (a real one)."""
import io
import itertools
import json
import threading
from decimal import Decimal

import boto3
import hdfs_native
import pyarrow.parquet
import pytest
from between_pages import BetweenPages
from export_rig import Exporting, counted, till_export
from harness import DEADLINE
from hdfs_cluster import HdfsCluster
from moto.server import ThreadedMotoServer

LINES = [{"order_id": f"o{number}", "product_id": f"p{number % 20:02}", "quantity": 1, "unit_price": "0.35", "currency": "EUR",
          "ts": 1_291_193_160_000 + number} for number in range(60)]
WANTED = {f"p{number:02}": Decimal("1.05") for number in range(20)}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "till", "AWS_SECRET_ACCESS_KEY": "till", "AWS_DEFAULT_REGION": "us-east-1"}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory):
    made = HdfsCluster(tmp_path_factory.mktemp("hdfs"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def moto():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture(scope="module")
def at(lasting_pipeline):
    return counted(lasting_pipeline(), LINES)


class S3:
    """A bucket of the emulator, looked at with Amazon's own client."""

    def __init__(self, endpoint, name):
        self.env = {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}
        self.url, self.bucket = f"s3://{name}", name
        self.client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="till",
                                   aws_secret_access_key="till")
        self.client.create_bucket(Bucket=name)

    def names(self):
        """Of all objects; marks of folders, which pyarrow makes, are none."""
        return sorted(each["Key"] for each in self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())
                      if not each["Key"].endswith("/"))

    def read(self, name):
        return self.client.get_object(Bucket=self.bucket, Key=name)["Body"].read()


class Hdfs:
    """A folder of the cluster, looked at without the code that is tested."""

    def __init__(self, url, name):
        self.env, self.url = {}, f"{url}/{name}"
        self.root, self.client = f"/{name}/", hdfs_native.Client(url)

    def names(self):
        try:
            found = self.client.list_status(self.root, True)
        except FileNotFoundError:
            return []
        return sorted(each.path.removeprefix(self.root) for each in found if not each.isdir)

    def read(self, name):
        return self.client.read(self.root + name).read()


@pytest.fixture(params=["s3", "hdfs"])
def place(request):
    name = f"shop-{next(_numbers)}"
    if request.param == "s3":
        return S3(request.getfixturevalue("moto"), name)
    return Hdfs(request.getfixturevalue("hdfs").url, name)


def revenue(data):
    table = pyarrow.parquet.read_table(io.BytesIO(data))
    return dict(zip(table.column("product_id").to_pylist(), table.column("total_revenue").to_pylist(), strict=True))


def test_files_are_replaced_whole(place, at):
    for _ in range(2):
        done = till_export("--view", "products", "--view", "users", "--to", f"{place.url}/daily", "--format", "parquet", at=at,
                           env=place.env)
        assert done.returncode == 0, done.stderr
        assert f"{place.url}/daily/products.parquet: 20 rows" in done.stderr
    assert place.names() == ["daily/products.parquet", "daily/users.parquet"]
    assert revenue(place.read("daily/products.parquet")) == WANTED
    done = till_export("--view", "products", "--to", f"{place.url}/daily/p.csv", at=at, env=place.env)
    assert done.returncode == 0, done.stderr
    assert len(place.read("daily/p.csv").splitlines()) == 21
    assert json.loads(place.read("daily/p.csv.as_of.json"))["bytes"] == len(place.read("daily/p.csv"))


def test_a_kill_leaves_the_old_file_and_the_next_run_cleans_up(place, at):
    to = ("--view", "products", "--to", f"{place.url}/products.parquet")
    assert till_export(*to, at=at, env=place.env).returncode == 0
    before = place.read("products.parquet")
    between, reached, released = BetweenPages(at, page_rows=7), threading.Event(), threading.Event()

    def hold(number):
        if number == 2:
            reached.set()
            released.wait(DEADLINE)
    between.before_page = hold
    exporting = Exporting("/dev/null", *to, "--timeout", "1min", at=between.endpoint, env=place.env)
    assert reached.wait(DEADLINE)
    exporting.kill()
    released.set()
    between.close()
    assert place.read("products.parquet") == before
    assert till_export(*to, at=at, env=place.env).returncode == 0
    assert place.names() == ["products.parquet"]


def test_snapshots_have_a_pointer_and_a_mark_of_being_complete(place, at):
    for _ in range(3):
        done = till_export("--view", "products", "--to", place.url, "--format", "parquet", "--snapshots", "--keep", "2", at=at,
                           env=place.env)
        assert done.returncode == 0, done.stderr
    latest = json.loads(place.read("latest.json"))["snapshot"]
    snapshots = sorted({name.split("/")[0] for name in place.names()} - {"latest.json"})
    assert len(snapshots) == 2
    assert latest == snapshots[-1]
    assert place.names() == sorted([*(f"{name}/{file}" for name in snapshots for file in ("_SUCCESS", "products.parquet")), "latest.json"])
    assert revenue(place.read(f"{latest}/products.parquet")) == WANTED


def test_what_is_not_there_is_said_in_a_sentence(moto, at):
    env = {**CREDENTIALS, "AWS_ENDPOINT_URL": moto}
    done = till_export("--view", "products", "--to", "s3://nobodys-bucket/x.csv", at=at, env=env)
    assert done.returncode == 1
    assert "s3://nobodys-bucket/x.csv" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
