"""The JSON door: a real Envoy before a real server that has the founding case, called with curl."""

import base64
import contextlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import time

import detente
import pyarrow.ipc
import pytest
from doors.curl import Door, curl
from doors.envoy import Envoy
from wire.contract import BINARY_DIR
from wire.process import Server

RELEASE = "/v1/releases/by-2025-12-13"


# --- Reads --------------------------------------------------------------------------------------


def test_get(door: Door) -> None:
    answer = door.get(RELEASE)
    assert answer.headers["content-type"] == "application/json"
    release = door.ok(answer)
    assert release["name"] == "releases/by-2025-12-13"
    assert release["headcount"] == {"best": "123"}  # 64 bits, and nothing that is at its default
    assert release["effective_date"]["earliest"] == {"year": 2025, "month": 12, "day": 13}
    masked = door.get(RELEASE, read_mask="display_name,headcount.best")
    assert door.ok(masked).keys() == {"display_name", "headcount"}


def test_list_page_by_page(door: Door) -> None:
    given = {"filter": 'region_code = "BY"', "order_by": "headcount.best desc", "page_size": 3}
    first = door.ok(door.get("/v1/releases", return_total_size="true", **given))
    names = [r["name"] for r in first["releases"]]
    page, pages = first, 1
    while token := page.get("next_page_token"):
        page = door.ok(
            door.get("/v1/releases", return_total_size="true", page_token=token, **given)
        )
        names += [r["name"] for r in page["releases"]]
        pages += 1
    assert pages == 3
    assert len(names) == len(set(names)) == first["total_size"] == 8
    changed = door.get("/v1/releases", page_token=first["next_page_token"], page_size=3)
    assert (changed.status, changed.reason) == (400, "INVALID_PAGE_TOKEN")


def test_text_that_is_not_ascii(door: Door) -> None:
    found = door.ok(door.get("/v1/persons", filter="Бяляцкі"))["persons"]
    assert [p["name"] for p in found] == ["persons/ales-bialiatski"]
    assert "Алесь Бяляцкі" in [n["full"] for n in found[0]["names"]]
    wrong = door.get("/v1/persons", filter="Б = 1")
    assert "Person has no field `Б`" in wrong.json["message"]


def test_reads_of_the_past(door: Door) -> None:
    at = door.ok(door.get("/v1/releases", at__revision=1, page_size=1))
    assert at["revision"] == "1"
    late = door.get(RELEASE, at__revision=1_000_000)
    assert (late.status, late.reason) == (400, "REVISION_OUT_OF_RANGE")
    early = door.get(RELEASE, at__read_time="2020-01-01T00:00:00Z")
    assert (early.status, early.reason) == (400, "READ_TIME_OUT_OF_RANGE")


def test_questions(door: Door) -> None:
    found = door.ok(door.get("/v1/records:search", query="Bialiatski", page_size=3))
    assert found["facets"][0]["count"] > 1
    assert any(p.get("matched") for h in found["hits"][0]["highlights"] for p in h["parts"])

    question = {"collection": "releases", "group_paths": ["effective_date.year"]}
    groups = door.ok(door.post("/v1/records:aggregate", question))["groups"]
    assert [g["keys"][0]["value"] for g in groups] == ["2025", "2026"]

    days = {"first_day__year": 2025, "first_day__month": 1, "first_day__day": 1}
    days |= {"last_day__year": 2025, "last_day__month": 3, "last_day__day": 1}
    stock = door.ok(door.get("/v1/records:stock", collection="detentions", **days))
    assert len(stock["series"][0]["points"]) == 3

    around = door.ok(door.get("/v1/persons/ales-bialiatski:neighbors", max_records=2))
    assert around["truncated"]
    assert around["nodes"][0]["name"] == "persons/ales-bialiatski"

    plan = door.ok(door.get("/v1/records:explain", collection="releases", filter="name:*"))
    assert plan["filter"]


def test_evidence_and_findings(door: Door) -> None:
    evidence = door.ok(door.get(f"{RELEASE}:evidence", fields="headcount"))
    assert evidence["fields"][0]["path"].startswith("headcount")
    conflicts = door.ok(door.get("/v1/records:conflicts", collections=["releases", "tallies"]))
    assert conflicts["conflicts"]
    findings = door.ok(door.get("/v1/records:findings", page_size=1))
    assert findings["findings"][0]["check"]


def test_several_by_name(door: Door) -> None:
    names = ["releases/by-2025-12-30", "releases/by-2025-12-13"]  # with their slashes
    found = door.ok(door.get("/v1/releases:batchGet", names=names, read_mask="name"))
    assert [r["name"] for r in found["releases"]] == names
    slash = curl(f"{door.url}/v1/releases%2Fby-2025-12-13")
    assert slash.status == 404


def test_rows_stream_as_lines(door: Door) -> None:
    asked = {"collection": "persons", "columns": ["name"], "return_row_count": True}
    session = door.ok(door.post("/v1/rows:createReadSession", asked))
    answer = door.get("/v1/rows:read", stream=session["streams"][0]["name"])
    assert answer.status == 200
    rows = 0
    for line in answer.text.splitlines():
        message = json.loads(line)
        table = pyarrow.ipc.open_stream(base64.b64decode(message["arrow_stream"])).read_all()
        assert table.column_names == ["name"]
        assert table.num_rows == message["row_count"]
        rows += table.num_rows
    assert str(rows) == session["row_count"] != "0"


# --- Writes -------------------------------------------------------------------------------------


def test_a_record_s_life(door: Door) -> None:
    path = "/v1/persons/door-1"
    made = door.ok(
        door.post(
            "/v1/persons?person_id=door-1&reason=met%20at%20the%20door",
            {"display_name": "Test Person 17", "names": [{"full": "Тэст 17"}]},
            *("--header", "detente-actor: Test%20Clerk"),
        )
    )
    assert made["name"] == "persons/door-1"
    commit = door.ok(door.get(f"/v1/commits/{made['revision']}"))
    assert commit["actor"] == "Test Clerk"
    assert commit["reason"] == "met at the door"
    assert commit["method"] == "detente.v1.PersonService.CreatePerson"

    taken = door.post("/v1/persons?person_id=door-1", {"display_name": "Test Person 18"})
    assert (taken.status, taken.json["code"], taken.reason) == (409, 6, "RECORD_EXISTS")

    change = {"note": "n", "display_name": "not in the mask", "etag": made["etag"]}
    changed = door.ok(door.send("PATCH", f"{path}?update_mask=note", change))
    assert (changed["note"], changed["display_name"]) == ("n", "Test Person 17")
    stale = door.send("PATCH", f"{path}?update_mask=note", change)
    assert (stale.status, stale.json["code"], stale.reason) == (409, 10, "ETAG_MISMATCH")

    assert door.ok(door.send("DELETE", path))["delete_time"]
    assert door.send("DELETE", path).status == 404
    listed = door.ok(door.get("/v1/persons", filter='name = "persons/door-1"'))
    assert "persons" not in listed
    assert "delete_time" not in door.ok(door.post(f"{path}:undelete", {}))
    again = door.post(f"{path}:undelete")  # no body is an empty one
    assert (again.status, again.reason) == (409, "RECORD_NOT_DELETED")
    back = door.ok(door.post(f"{path}:rollback", {"revision": made["revision"]}))
    assert "note" not in back
    revisions = door.ok(door.get(f"{path}:listRevisions"))["persons"]
    assert len(revisions) == 5
    changes = door.ok(
        door.get(
            "/v1/commits:diff",
            record="persons/door-1",
            base__revision=made["revision"],
            target__revision=changed["revision"],
        )
    )
    assert [f["path"] for f in changes["changes"][0]["fields"]] == ["note"]


def test_batch_write(door: Door) -> None:
    def person(number: int) -> dict:
        return {
            "@type": "type.googleapis.com/detente.v1.Person",
            "display_name": f"Test Person {number}",
        }

    good = [{"create": {"record": person(n), "record_id": f"batch-{n}"}} for n in (1, 2)]
    wrong = {"soft_delete": {"name": "persons/no-one"}}
    refused = door.post("/v1/records:batchWrite", {"operations": [*good, wrong]})
    assert (refused.status, refused.reason) == (404, "RECORD_NOT_FOUND")
    assert door.get("/v1/persons/batch-1").status == 404
    written = door.ok(door.post("/v1/records:batchWrite", {"operations": good}))
    assert [r["name"] for r in written["results"]] == ["persons/batch-1", "persons/batch-2"]
    change = {"record": person(3) | {"name": "persons/batch-1"}, "update_mask": "display_name"}
    door.ok(door.post("/v1/records:batchWrite", {"operations": [{"update": change}]}))
    assert door.ok(door.get("/v1/persons/batch-1"))["display_name"] == "Test Person 3"


def test_a_repeat_is_answered_as_before(door: Door) -> None:
    path = "/v1/persons?person_id=door-2&request_id=door-2"
    first = door.ok(door.post(path, {"display_name": "Test Person 19"}))
    assert door.ok(door.post(path, {"display_name": "Test Person 19"})) == first
    other = door.post(path, {"display_name": "Test Person 20"})
    assert (other.status, other.reason) == (400, "REQUEST_ID_REUSED")


# --- Errors -------------------------------------------------------------------------------------


def test_every_violation_is_told(door: Door) -> None:
    body = {"names": [{"given": "x"}], "birth_date": {"edtf": "soon"}}
    wrong = door.post("/v1/persons?person_id=wrong", body)
    assert wrong.status == 400
    assert wrong.json["code"] == 3
    assert wrong.reason == "INVALID_FIELD"
    assert set(wrong.fields) == {"person.names[0].full", "person.birth_date.edtf"}


@pytest.mark.parametrize(
    ("body", "reason", "fields"),
    [
        # A record that was meant to be hidden, were it not for a slip.
        ({"visiblity": "RESTRICTED"}, "UNKNOWN_FIELD", ["visiblity"]),
        ({"a": 1, "b": [1]}, "UNKNOWN_FIELD", ["a", "b"]),
        ({"names": [{"full": "x"}, {"fulll": "y"}]}, "UNKNOWN_FIELD", ["names[1].fulll"]),
        ({"birth_date": {"edtf": "2020", "stat": 1}}, "UNKNOWN_FIELD", ["birth_date.stat"]),
        ({'"\\': 1}, "UNKNOWN_FIELD", ['"\\']),
        ({"display\u0007": 1}, "UNKNOWN_FIELD", ["display\u0007"]),
        ({"імя": 1}, "UNKNOWN_FIELD", ["імя"]),
        ({f"f{i}": 1 for i in range(200)}, "UNKNOWN_FIELD", [f"f{i}" for i in range(100)]),
        ('{"display_name": "x"', "MALFORMED_REQUEST", []),
        ('{"display_name": "x",}', "MALFORMED_REQUEST", []),
        ('{"display_name": "x"} {}', "MALFORMED_REQUEST", []),
        ('{"display_name" "x"}', "MALFORMED_REQUEST", []),
        ("{'display_name': 'x'}", "MALFORMED_REQUEST", []),
        ("{display_name: 1}", "MALFORMED_REQUEST", []),
        ('{"display_name": "x', "MALFORMED_REQUEST", []),
        ('{"display_name": "x\\', "MALFORMED_REQUEST", []),
        ("", "MALFORMED_REQUEST", []),
        ("null", "INVALID_FIELD", ["person"]),
        ('{"names": ' + "[" * 100_000, "MALFORMED_REQUEST", []),
    ],
)
def test_bodies_that_are_wrong(door: Door, body: object, reason: str, fields: list[str]) -> None:
    answer = door.post("/v1/persons?person_id=wrong", body)
    assert answer.status == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["code"] == 3
    assert answer.reason == reason
    assert answer.fields == fields
    assert door.get("/v1/persons/wrong").status == 404


def test_unknown_fields_in_a_batch(door: Door) -> None:
    # The type says what the others mean, wherever it stands.
    record = {
        "zork": 1,
        "names": [{"x": {"y": 1}}],
        "@type": "type.googleapis.com/detente.v1.Person",
    }
    wrong = {"operations": [{"create": {"record": record, "recordId": "wrong"}}, {"remove": {}}]}
    answer = door.post("/v1/records:batchWrite", wrong)
    assert (answer.status, answer.reason) == (400, "UNKNOWN_FIELD")
    assert answer.fields == [
        "operations[0].create.record.zork",
        "operations[0].create.record.names[0].x",
        "operations[1].remove",
    ]
    for none in ("type.googleapis.com/detente.v1.None", 1, None):
        record = {"@type": none, "display_name": "x"}
        operation = {"create": {"record": record, "record_id": "wrong"}}
        answer = door.post("/v1/records:batchWrite", {"operations": [operation]})
        assert answer.status == 400, answer.text
    assert door.get("/v1/persons/wrong").status == 404


def test_bodies_as_others_write_them(door: Door) -> None:
    labels = {"x y": "1", "any": "2"}  # keys of a map are no fields
    body = {"displayName": "Test Person 21", "labels": labels, "birthDate": None}
    body |= {"names": [{"full": 'Тэст " \\ { [ 21', "languageCode": "be"}]}
    text = json.dumps(body, indent=4).replace("any", r"\u0061ny")
    made = door.ok(door.post("/v1/persons?personId=door-3", text))
    assert made["display_name"] == "Test Person 21"
    assert made["labels"] == labels
    assert made["names"][0]["full"] == body["names"][0]["full"]
    assert made["names"][0]["language_code"] == "be"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/v1/releases?nonsense=1", 400, "nonsense"),
        ("/v1/releases?page_size=many", 400, "page_size"),
        ("/v1/releases?value_policy=NONE", 400, "value_policy"),
        ("/v1/nonsense", 404, "/v1/nonsense"),
        ("/", 404, "/"),
        ("/detente.v1.ReleaseService/GetRelease", 404, "GetRelease"),
        ("/v1/releases/none", 404, "releases/none"),
        ("/v1/releases?page_size=-1", 400, "page_size"),
    ],
)
def test_what_is_refused_is_a_status(door: Door, path: str, status: int, words: str) -> None:
    answer = door.get(path)
    assert answer.status == status
    assert answer.json.keys() == {"code", "message", "details"}
    assert answer.json["code"] == {400: 3, 404: 5}[status]
    assert words in answer.json["message"]


@pytest.mark.parametrize(
    "path", ["/v1/persons/", "/v1/nonsense", "/detente.v1.PersonService/CreatePerson"]
)
def test_no_way_around_the_check_of_fields(door: Door, path: str) -> None:
    answer = door.post(path, {"nonsense": 1})
    assert (answer.status, answer.json["code"]) == (404, 5)
    letters = door.post("/v1/person%73", {"nonsense": 1})
    assert (letters.status, letters.reason) == (400, "UNKNOWN_FIELD")


def test_deadline(door: Door) -> None:
    answer = door.get("/v1/persons", "--header", "grpc-timeout: 0m")
    assert (answer.status, answer.json["code"]) == (504, 4)
    in_time = door.get("/v1/persons?page_size=1", "--header", "grpc-timeout: 20S")
    assert in_time.status == 200


# --- Limits -------------------------------------------------------------------------------------


def test_large_requests(door: Door) -> None:
    limit = 4 << 20
    body = json.dumps({"note": ""})
    allowed = json.dumps({"note": "x" * (limit - len(body))})
    answer = door.post("/v1/persons?person_id=large", allowed)  # the server's own limit
    assert (answer.status, answer.reason) == (400, "LIMIT_EXCEEDED")
    answer = door.post("/v1/persons?person_id=large", allowed + " ")
    assert (answer.status, answer.json["code"]) == (413, 3)
    # Many small things take no longer to look at than a large one.
    answer = door.post("/v1/persons?person_id=large", '{"names":[' + "{}," * 1_300_000 + "{}]}")
    assert (answer.status, answer.reason) == (400, "LIMIT_EXCEEDED")


def test_large_answers(door: Door) -> None:
    # Of JSON, the longest: a control character is six bytes.
    text = "\u0001" * (500 << 10)
    for n in range(4):
        door.ok(door.post(f"/v1/sources?source_id=large-{n}", {"title": "Test", "text": text}))
    answer = door.get("/v1/sources", filter='name = "sources/large-*"')
    found = door.ok(answer)["sources"]
    assert len(found) >= 3
    assert len(answer.text) > 9_000_000
    assert all(source["text"] == text for source in found)


def test_long_filters(door: Door) -> None:
    text = 'display_name = "' + "Ы" * 4080 + '"'  # 8 KiB, 24 in a URL
    assert door.get("/v1/persons", filter=text).json == {"revision": door_revision(door)}
    over = door.get("/v1/persons", filter=text + " " * 100)
    assert (over.status, over.reason) == (400, "LIMIT_EXCEEDED")
    assert door.get("/v1/persons", filter="x" * 98_304).status == 431


def door_revision(door: Door) -> str:
    return door.ok(door.get("/v1/sources", page_size=1, read_mask="name"))["revision"]


# --- The door itself ----------------------------------------------------------------------------


def test_openapi_is_served(door: Door) -> None:
    answer = curl(f"{door.url}/openapi.json")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.text == (BINARY_DIR / "openapi.json").read_text()


def test_grpc_passes(proxy: Envoy) -> None:
    def grpcurl(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["grpcurl", "-plaintext", *arguments], capture_output=True, text=True, timeout=20
        )

    assert "detente.v1.ReleaseService" in grpcurl(proxy.address, "list").stdout
    get = ("-d", '{"name": "releases/none"}', proxy.address, "detente.v1.ReleaseService/GetRelease")
    assert "RECORD_NOT_FOUND" in grpcurl(*get).stderr


def test_metrics(proxy: Envoy) -> None:
    metrics = proxy.admin("/stats/prometheus")
    assert 'envoy_cluster_upstream_rq_total{envoy_cluster_name="detente"}' in metrics


def test_our_client_goes_through(proxy: Envoy) -> None:
    with detente.connect(proxy.address) as db:
        rows = [{"name": f"persons/row-{n}", "display_name": f"Test Person {n}"} for n in range(99)]
        assert db.load(rows, into="persons").created == 99  # a stream both ways
        found = db.persons.list('name = "persons/row-*"')
        assert found.to_arrow().num_rows == found.count() == 99


def test_a_server_that_hangs(tmp_path: pathlib.Path) -> None:
    with Server(tmp_path / "s.db") as server:
        proxy = Envoy(
            tmp_path, server.address, {"max_stream_duration: 60s": "max_stream_duration: 0.3s"}
        )
        door = Door(proxy.url)
        try:
            assert door.get("/v1/persons").status == 200
            os.kill(server.pid, signal.SIGSTOP)
            for call in (door.get("/v1/persons"), door.post("/v1/persons", {"note": "x"})):
                assert (call.status, call.json["code"]) == (504, 4)
            started = time.monotonic()
            longer = door.get("/v1/persons", "--header", "grpc-timeout: 900m")
            assert (longer.status, longer.json["code"]) == (504, 4)
            assert time.monotonic() - started > 0.8
            # Rows may take longer: curl gives up first.
            with pytest.raises(AssertionError, match="timed out"):
                door.get("/v1/rows:read", "--max-time", "1", stream="x")
        finally:
            os.kill(server.pid, signal.SIGCONT)
            proxy.close()


def test_memory_and_connections_have_a_bound(tmp_path: pathlib.Path, case_server: str) -> None:
    bounds = {"max_heap_size_bytes: 402653184": "max_heap_size_bytes: 1048576"}
    bounds["connections: 10000"] = "connections: 2"
    proxy = Envoy(tmp_path, case_server, bounds)
    try:
        for _ in range(100):  # it looks once a second
            answer = Door(proxy.url).get(RELEASE)
            if answer.status != 200:
                break
            time.sleep(0.05)
        assert (answer.status, answer.json["code"]) == (503, 14)
        host, _, port = proxy.address.rpartition(":")
        with contextlib.ExitStack() as stack:
            taken = [
                stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(3)
            ]
            ends = select.select(taken, [], [], 5)[0]
            assert [connection.recv(1) for connection in ends] == [b""]
    finally:
        proxy.close()


def test_the_server_is_away(tmp_path: pathlib.Path) -> None:
    server = Server(tmp_path / "s.db")
    proxy = Envoy(tmp_path, server.address)
    try:
        door = Door(proxy.url)
        assert curl(f"{door.url}/healthz").status == 200
        server.close()
        answer = door.get("/v1/persons")
        assert (answer.status, answer.json["code"]) == (503, 14)
        for _ in range(100):
            status = curl(f"{door.url}/healthz").status
            if status != 200:
                break
        assert status == 503
    finally:
        proxy.close()
