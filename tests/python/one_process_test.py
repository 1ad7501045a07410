"""TLS, a regex kernel and gRPC in one process, loaded in any order.

pyarrow's libraries carry RE2 and OpenSSL of their own. Where the loader took one library's symbols
for another's, one of these would crash, or TLS fail.
"""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import detente
import grpc
import pytest

STEPS = {
    "regex": r"""
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
found = pc.match_substring_regex(pa.array(["Test Person 17", "nobody"]), r"^Test \w+ [0-9]{2}$")
assert found.to_pylist() == [True, False]
""",
    "tls": """
import socket, ssl
context = ssl.create_default_context(cafile=certificate)
with socket.create_connection(("localhost", port), 20) as plain:
    with context.wrap_socket(plain, server_hostname="localhost") as secure:
        assert secure.version() in ("TLSv1.2", "TLSv1.3")
""",
    "grpc": """
import detente
with detente.connect(f"localhost:{port}", ca_cert=certificate, tls=True) as db:
    assert [person.display_name for person in db.persons.list()] == ["Test Person 17"]
""",
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for localhost, with its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2"
    names = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = "-keyout key.pem -out cert.pem"
    subprocess.run(
        f"{command} {names} {files}".split(), cwd=folder, check=True, capture_output=True
    )
    return folder / "cert.pem"


class Persons(grpc.GenericRpcHandler):
    """Answers every list with one person."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        from detente.v1 import person_service_pb2

        answer = person_service_pb2.ListPersonsResponse(
            persons=[detente.Person(name="persons/t-17", display_name="Test Person 17")]
        )
        if details.method != "/detente.v1.PersonService/ListPersons":
            return None
        return grpc.unary_unary_rpc_method_handler(lambda *_: answer.SerializeToString())


@pytest.fixture(scope="module")
def port(certificate: Path) -> Iterator[int]:
    key = certificate.with_name("key.pem").read_bytes()
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[Persons()])
    credentials = grpc.ssl_server_credentials([(key, certificate.read_bytes())])
    bound = server.add_secure_port("localhost:0", credentials)
    server.start()
    yield bound
    server.stop(None).wait()


def test_every_order(certificate: Path, port: int) -> None:
    """Each step once in the order, and once more when all are loaded."""
    running = {}
    for order in itertools.permutations(STEPS):
        program = f"certificate, port = {str(certificate)!r}, {port}\n"
        program += "".join(STEPS[step] for step in (*order, *order))
        running[order] = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    for order, process in running.items():
        told, _ = process.communicate(timeout=60)
        assert (process.returncode, told) == (0, ""), order
