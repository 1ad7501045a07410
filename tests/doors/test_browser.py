"""What browsers need: leave for pages of certain origins, and gRPC-Web."""

import base64
import http.client

import pytest
from doors.curl import Door, curl
from doors.envoy import Envoy
from wire import contract

RELEASE = "/v1/releases/by-2025-12-13"


def test_cors(door: Door) -> None:
    def preflight(origin: str) -> dict[str, str]:
        asked = ("Access-Control-Request-Method: PATCH", f"Origin: {origin}")
        headers = [part for header in asked for part in ("--header", header)]
        return curl(f"{door.url}/v1/persons/x", "--request", "OPTIONS", *headers).headers

    allowed = preflight("http://localhost:3000")
    assert allowed["access-control-allow-origin"] == "http://localhost:3000"
    assert "patch" in allowed["access-control-allow-methods"]
    assert "content-type" in allowed["access-control-allow-headers"]
    for other in ("https://example.org", "http://localhost.example.org", "null"):
        assert "access-control-allow-origin" not in preflight(other)

    read = door.get(RELEASE, "--header", "Origin: http://127.0.0.1")
    assert read.headers["access-control-allow-origin"] == "http://127.0.0.1"
    error = door.get("/v1/releases/none", "--header", "Origin: http://127.0.0.1")
    assert error.headers["access-control-allow-origin"] == "http://127.0.0.1"
    other = door.get(RELEASE, "--header", "Origin: https://example.org")
    assert "access-control-allow-origin" not in other.headers


def test_forms_of_other_pages_write_nothing(door: Door) -> None:
    # These a browser sends for any page without a preflight.
    body = '{"display_name": "Test Person 22"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        header = f"Content-Type: {kind}" if kind else "Content-Type;"
        answer = curl(
            f"{door.url}/v1/persons?person_id=form",
            *("--header", "Origin: https://example.org", "--header", header, "--data", body),
        )
        assert answer.status == 415, kind
        assert answer.json["code"] == 3
    assert door.get("/v1/persons/form").status == 404


@pytest.mark.parametrize("encoding", ["proto", "text"])
def test_grpc_web(proxy: Envoy, encoding: str) -> None:
    """As a browser sends it, which knows no trailers: they are the body's last frame."""
    kind = "application/grpc-web+proto" if encoding == "proto" else "application/grpc-web-text"
    headers = {
        "content-type": kind,
        "accept": kind,
        "x-grpc-web": "1",
        "origin": "http://localhost:3000",
    }

    def call(name: str) -> tuple[http.client.HTTPResponse, bytes]:
        request = service.FindMethodByName("GetRelease").input_type
        data = contract.detente().new(request.full_name, name=name).SerializeToString()
        body = b"\0" + len(data).to_bytes(4, "big") + data
        if encoding == "text":
            body = base64.b64encode(body)
        connection = http.client.HTTPConnection(proxy.address, timeout=20)
        connection.request("POST", f"/{service.full_name}/GetRelease", body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        if encoding == "text":  # each piece that Envoy had is padded by itself
            data = b"".join(base64.b64decode(data[i : i + 4]) for i in range(0, len(data), 4))
        return answer, data

    service = contract.detente().resource("releases").service
    answer, data = call("releases/by-2025-12-13")
    assert answer.status == 200
    assert answer.getheader("access-control-allow-origin") == "http://localhost:3000"
    size = int.from_bytes(data[1:5], "big")
    release = contract.detente().resource("releases").new()
    release.ParseFromString(data[5 : 5 + size])
    assert release.headcount.best == 123
    assert data[5 + size] == 0x80
    assert b"grpc-status:0" in data[10 + size :]

    answer, data = call("releases/none")
    told = str(answer.headers).encode() + data
    assert answer.getheader("access-control-expose-headers")
    assert b"grpc-status: 5" in told or b"grpc-status:5" in told
    assert b"grpc-status-details-bin" in told
