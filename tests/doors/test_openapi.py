"""openapi.json is valid, and true: every operation is there, and answers are as it says."""

import copy
import http.client
import json
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import jsonschema
import openapi_spec_validator
import pytest
import yaml
from doors.envoy import CONFIG, TEST_CALL, Envoy
from wire.contract import BINARY_DIR, detente

DOCUMENT = json.loads((BINARY_DIR / "openapi.json").read_text())
OPERATIONS = {
    operation["operationId"]: (path, verb, operation)
    for path, operations in DOCUMENT["paths"].items()
    for verb, operation in operations.items()
}
# For parameters that a call must have; of the case.
SAMPLES = {
    "collection": "detentions",
    "first_day.year": 2025,
    "first_day.month": 1,
    "first_day.day": 1,
    "last_day.year": 2026,
    "last_day.month": 1,
    "last_day.day": 1,
    "query": "Bialiatski",
    "stream": "x",
    "names": "releases/by-2025-12-13",
}
BODIES: dict[str, Any] = {
    "CreateDetention": {"person": "persons/ales-bialiatski"},
    "AggregateRecords": {"collection": "releases", "group_paths": ["region_code"]},
    "BatchWrite": {
        "operations": [
            {
                "create": {
                    "record": {
                        "@type": "type.googleapis.com/detente.v1.Actor",
                        "description": "no record",
                    }
                }
            }
        ]
    },
    "CreateReadSession": {"collection": "releases"},
    "CreateSnapshot": {"title": "Test"},
    "EraseRecords": {"names": ["persons/no-one"], "validate_only": True},
}


def strict() -> dict[str, Any]:
    """The document, but that objects hold nothing that is not told. What a type is joined with,
    as in an Any, is told there."""
    document = copy.deepcopy(DOCUMENT)
    schemas = document["components"]["schemas"]
    for name, schema in list(schemas.items()):
        schemas[f"{name}-open"] = copy.deepcopy(schema)
        if schema["type"] == "object":
            schema["unevaluatedProperties"] = False
    for schema in objects(document):
        parts = schema.get("allOf", [])
        if any("$ref" in part for part in parts):
            schema["unevaluatedProperties"] = False
            for part in parts:
                if "$ref" in part:
                    part["$ref"] += "-open"
    return document


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from objects(inner)


STRICT = strict()


def conforms(value: Any, schema: dict[str, Any]) -> None:
    jsonschema.validate(
        value,
        {"components": STRICT["components"], **schema},
        cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )


def schema_of(content: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = content["content"]["application/json"]["schema"]
    return schema


class Caller:
    """Calls by operation, over one connection."""

    def __init__(self, proxy: Envoy, examples: dict[str, str]) -> None:
        self.proxy = proxy
        self.examples = examples  # an id of each kind of record
        self.connection = http.client.HTTPConnection(proxy.address, timeout=30)
        self.calls = 0

    def call(self, name: str, query: dict[str, Any], body: Any = None) -> tuple[int, str]:
        self.calls += 1
        path, verb, _ = OPERATIONS[name]
        parts = {"collection": "persons", "id": "ales-bialiatski", **self.examples}
        path = path.format(**parts)
        text = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json", TEST_CALL: str(self.calls)}
        target = f"{path}?{urllib.parse.urlencode(query, doseq=True)}"
        self.connection.request(verb.upper(), target, text, headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()


@pytest.fixture(scope="module")
def caller(proxy: Envoy) -> Iterator[Caller]:
    examples = {"commit": "1"}
    caller = Caller(proxy, examples)
    status, answer = caller.call("CreateSnapshot", {"snapshot_id": "openapi"}, {"title": "Test"})
    assert status == 200, answer
    examples["snapshot"] = "openapi"
    for resource in detente().resources:
        status, answer = caller.call(f"List{resource.many}", {"at.revision": 1, "page_size": 1})
        (record,) = json.loads(answer)[resource.collection]
        examples[resource.singular] = record["name"].removeprefix(f"{resource.collection}/")
    yield caller
    caller.connection.close()


def test_it_is_valid() -> None:
    openapi_spec_validator.validate(DOCUMENT)


def test_it_has_every_method_with_a_path() -> None:
    with_path = {
        method.name
        for service in detente().services
        for method in service.methods
        if detente().option(method, "google.api.http").WhichOneof("pattern")
    }
    methods = {method.name for service in detente().services for method in service.methods}
    assert OPERATIONS.keys() == with_path
    assert methods - with_path == {"WriteRows"}


def test_envoy_has_every_service() -> None:
    (listener,) = yaml.safe_load(CONFIG.read_text())["static_resources"]["listeners"]
    filters = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    (transcoder,) = (f for f in filters if f["name"].endswith("grpc_json_transcoder"))
    assert transcoder["typed_config"]["services"] == sorted(
        service.full_name for service in detente().services
    )


def test_everything_is_described() -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        assert operation["description"], name
        for parameter in operation.get("parameters", []):
            assert "$ref" in parameter or parameter["description"], (name, parameter)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema["description"], name
        if not name.startswith("google."):
            for field, its in schema.get("properties", {}).items():
                assert its["description"], (name, field)


def test_what_it_says_of_fields() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    release = schemas["Release"]["properties"]
    assert release["revision"]["readOnly"]
    assert "readOnly" not in release["note"]
    assert release["mechanism"]["$ref"] == "#/components/schemas/Release.Mechanism"
    assert "* `PARDON`: Pardon." in schemas["Release.Mechanism"]["description"]
    assert schemas["RollbackReleaseRequest"]["required"] == ["revision"]
    assert "name" not in schemas["RollbackReleaseRequest"]["properties"]
    conforms({"person": "persons/x"}, {"$ref": "#/components/schemas/Actor"})
    both = {"person": "persons/x", "organization": "organizations/x"}
    with pytest.raises(jsonschema.ValidationError):
        conforms(both, {"$ref": "#/components/schemas/Actor"})


def given(name: str) -> tuple[dict[str, Any], Any]:
    """Query and body of a call that changes nothing, if the method can be asked for that."""
    _, _, operation = OPERATIONS[name]
    query = {
        parameter["name"]: SAMPLES[parameter["name"]]
        for parameter in operation.get("parameters", [])
        if parameter.get("required") and parameter["in"] == "query"
    }
    names = {parameter.get("name") for parameter in operation.get("parameters", [])}
    query |= {"page_size": 1000} if "page_size" in names else {}
    query |= dict.fromkeys(names & {"validate_only", "force"}, "true")
    if "requestBody" not in operation:
        return query, None
    if name.startswith("Rollback"):
        return query, {"revision": "1", "validate_only": True}
    return query, BODIES.get(name, {})


# What is deleted for good comes last.
CALLED = sorted(OPERATIONS.keys() - {"ReadRows"}, key=lambda name: name == "DeleteSnapshot")


@pytest.mark.parametrize("name", CALLED)
def test_every_operation_is_there(name: str, caller: Caller) -> None:
    _, _, operation = OPERATIONS[name]
    query, body = given(name)
    if name.startswith("BatchGet"):
        kind = name.removeprefix("BatchGet")
        resource = next(r for r in detente().resources if r.many == kind)
        query["names"] = f"{resource.collection}/{caller.examples[resource.singular]}"
    if body is not None:
        schema = schema_of(operation["requestBody"])
        if name == "BatchWrite":
            with pytest.raises(jsonschema.ValidationError):  # it has no record
                conforms(body, schema)
        else:
            conforms(body, schema)
    status, text = caller.call(name, query, body)
    answer = json.loads(text)
    if status == 200:
        conforms(answer, schema_of(operation["responses"]["200"]))
    else:
        conforms(answer, schema_of(DOCUMENT["components"]["responses"]["Error"]))
        # The server itself said it, not the proxy.
        assert any(d.get("domain") == "detente" for d in answer["details"]), text
        refused = ("BatchWrite", "CreateSnapshot", "EraseRecords")
        assert name.startswith("Undelete") or name in refused, text
    assert reached(caller) == f"/detente.v1.{operation['tags'][0]}/{name}"


def reached(caller: Caller) -> str:
    """The method that the last call became, as Envoy's log has it."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for line in caller.proxy.access_log.read_text().splitlines():
            number, _, path = line.partition(" ")
            if number == str(caller.calls):
                return path
        time.sleep(0.005)
    raise TimeoutError(f"call {caller.calls} is not in the log")


def test_rows(caller: Caller) -> None:
    _, text = caller.call("CreateReadSession", {}, {"collection": "persons"})
    status, text = caller.call("ReadRows", {"stream": json.loads(text)["streams"][0]["name"]})
    assert status == 200
    schema = schema_of(OPERATIONS["ReadRows"][2]["responses"]["200"])
    assert text
    for line in text.splitlines():
        conforms(json.loads(line), schema)


def test_every_parameter_is_known(caller: Caller) -> None:
    for name, (_, _, operation) in OPERATIONS.items():
        parameters = [p for p in operation.get("parameters", []) if p.get("in") == "query"]
        query = {p["name"]: SAMPLES.get(p["name"], "") for p in parameters}
        query |= dict.fromkeys(query.keys() & {"validate_only"}, "true")
        _, body = given(name)
        _, text = caller.call(name, query, body)
        assert "Could not find field" not in text, (name, text)
    _, text = caller.call("ListReleases", {"no_such_parameter": ""})
    assert "Could not find field" in text
