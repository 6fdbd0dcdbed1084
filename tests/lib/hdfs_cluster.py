"""A real HDFS, a name node and a data node in one Java process: Hadoop's MiniDFSCluster, whose jars Maven fetches once."""
import fcntl
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from harness import DEADLINE, ROOT, wait_until

POM = ROOT / "tests" / "lib" / "hdfs" / "pom.xml"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "till"


def jars():
    """The folder of the jars; several callers at a time wait for the first."""
    version = re.search(r"<hadoop.version>(.*)</hadoop.version>", POM.read_text())[1]
    folder = CACHE / f"hdfs-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "hdfs.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = CACHE / f"hdfs-{version}.part"
            shutil.rmtree(part, ignore_errors=True)
            subprocess.run(["mvn", "-B", "-q", "-f", POM, "dependency:copy-dependencies", "-DincludeScope=runtime",
                            f"-DoutputDirectory={part}"], check=True, timeout=600, stdin=subprocess.DEVNULL)
            part.rename(folder)
    return folder


class HdfsCluster:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        details = self.folder / "details.json"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 "-cp", f"{jars()}/*", "org.apache.hadoop.test.MiniDFSClusterManager", "-format", "-datanodes", "1", "-nnport", "0",
                 "-httpport", "0", "-writeDetails", details.name, "-D", "dfs.replication=1"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(lambda: self.process.poll() is not None or (details.exists() and details.read_text().endswith("}")),
                   "the name node", 4 * DEADLINE)
        assert self.process.poll() is None, (self.folder / "log").read_text()[-4000:]
        self.url = f"hdfs://127.0.0.1:{json.loads(details.read_text())['namenode_port']}"

    def stop(self):
        self.process.kill()
        self.process.wait(DEADLINE)
