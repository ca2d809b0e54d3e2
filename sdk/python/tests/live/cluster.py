"""A real Elasticsearch on loopback, in a temporary folder.

`TUTELA_ELASTICSEARCH` names the unpacked distribution. It is only read: settings, data and logs of every
server are its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import httpx
import pytest
from stage import Process, free_ports

VARIABLE = "TUTELA_ELASTICSEARCH"
# A small heap, the serial collector and the first compiler only: 10 s and 430 MiB.
JVM_OPTIONS = (
    "-Xms256m\n-Xmx512m\n-XX:+UseSerialGC\n-XX:TieredStopAtLevel=1\n-XX:-AlwaysPreTouch\n"
    "-XX:+ExitOnOutOfMemoryError\n"
)


class Elasticsearch:
    """A server of one node, without login. It has its address before it runs.

    It ends with the process that started it, however that ends.
    """

    def __init__(self, distribution: Path) -> None:
        self._distribution = readable(distribution)
        self._folder = tempfile.TemporaryDirectory(prefix="tutela-search")
        self._process: Process | None = None
        self._here = Path(self._folder.name)
        port, transport = free_ports(2)
        self.url = f"http://127.0.0.1:{port}"
        for name in ("config/jvm.options.d", "data", "logs", "tmp"):
            (self._here / name).mkdir(parents=True)
        config = self._here / "config"
        (config / "elasticsearch.yml").write_text(
            f"network.host: 127.0.0.1\nhttp.port: {port}\ntransport.port: {transport}\n"
            f"discovery.type: single-node\npath.data: {self._here}/data\npath.logs: {self._here}/logs\n"
            # It is never full here, however full the machine is.
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
            "xpack.security.enabled: false\n"
        )
        (config / "jvm.options").write_text(f"{JVM_OPTIONS}-Djava.io.tmpdir={self._here}/tmp\n")
        shutil.copyfile(self._distribution / "config/log4j2.properties", config / "log4j2.properties")
        if is_root():
            for path in (self._here, *self._here.rglob("*")):
                shutil.chown(path, "nobody", "nogroup")

    @classmethod
    def named(cls) -> Elasticsearch:
        """The distribution that the environment names. Skips the test where it names none."""
        distribution = os.environ.get(VARIABLE)
        if not distribution:
            pytest.skip(f"no search cluster: set {VARIABLE} to the folder of an unpacked Elasticsearch")
        return cls(Path(distribution))

    def start(self) -> None:
        """Start it and wait until it answers."""
        # It is a launcher and a server, and refuses to run as root.
        user = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"] if is_root() else []
        program = str(self._distribution / "bin/elasticsearch")
        command = ["setpriv", "--pdeathsig", "KILL", *user, program]
        # Nothing of our own environment changes how it runs.
        env = {"PATH": os.environ.get("PATH", ""), "HOME": str(self._here), "ES_JAVA_HOME": java_home()}
        env |= {"ES_PATH_CONF": str(self._here / "config"), "ES_TMPDIR": str(self._here / "tmp")}
        self._process = Process(command, self._here / "log", env, group=True)
        self._process.wait_until(self._is_ready, within=120.0)

    def stop(self) -> None:
        """Stop it, if it runs, and throw away what it kept."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        self._folder.cleanup()

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A request to it, past tutela."""
        with httpx.Client(base_url=self.url, timeout=20.0, trust_env=False) as http:
            return http.request(method, path, json=body)

    def documents(self, index: str, query: object) -> dict[str, dict]:
        """What it holds that matches, by the documents' ids."""
        assert self.ask("POST", f"/{index}/_refresh").is_success
        answer = self.ask("POST", f"/{index}/_search", {"query": query, "size": 1000})
        assert answer.is_success, answer.text
        return {hit["_id"]: hit["_source"] for hit in answer.json()["hits"]["hits"]}

    def _is_ready(self) -> bool:
        return self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s").status_code == 200


def readable(distribution: Path) -> Path:
    """The distribution where `nobody` can read it, who may not enter root's home. Copied once per machine."""
    if not is_root():
        return distribution
    copy = Path(tempfile.gettempdir()) / f"tutela-{distribution.name}"
    if not copy.exists():
        work = Path(tempfile.mkdtemp(prefix="tutela-search"))
        shutil.copytree(distribution, work / "copy", symlinks=True)
        try:
            (work / "copy").rename(copy)
        except OSError:
            # Of two processes that get here at once, one finds the other's folder in place.
            assert copy.exists()
        shutil.rmtree(work)
    return copy


def java_home() -> str:
    """The folder of the `java` in PATH."""
    java = shutil.which("java")
    assert java is not None, "`java` is not in PATH, and Elasticsearch needs it"
    return str(Path(java).resolve().parents[1])


def is_root() -> bool:
    """Whether this process may become somebody else."""
    return os.geteuid() == 0
