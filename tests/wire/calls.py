"""A foreign client: pip's grpcio, methods by descriptor, bytes as protobuf's Python makes them."""

from __future__ import annotations

import dataclasses
from typing import Any

import grpc
from google.protobuf import message_factory
from google.rpc import error_details_pb2, status_pb2
from wire.contract import Contract, Resource

Code = grpc.StatusCode
INVALID = Code.INVALID_ARGUMENT


class Client:
    def __init__(self, contract: Contract, address: str) -> None:
        self.contract = contract
        self.address = address
        # A channel of its own: grpcio shares connections of equal channels in one process.
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(address, options)
        self._calls: dict[str, Any] = {}

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def raw(self, method: Any) -> Any:
        """The call of a method with bytes in and out."""
        path = f"/{method.containing_service.full_name}/{method.name}"
        if path not in self._calls:
            self._calls[path] = self.channel.unary_unary(path)
        return self._calls[path]

    def call(self, method: Any, request: Any, timeout: float = 30) -> Any:
        data = self.raw(method)(request.SerializeToString(), timeout=timeout)
        return message_factory.GetMessageClass(method.output_type).FromString(data)

    def of(self, collection: str) -> Collection:
        return Collection(self, self.contract.resource(collection))

    def batch_write(self, *operations: Any, **arguments: Any) -> Any:
        """`operations` are dicts of one entry, as {"create": {"record": r}}."""
        request = self.contract.new("detente.v1.BatchWriteRequest", **arguments)
        for operation in operations:
            ((kind, fields),) = operation.items()
            fields = dict(fields)
            record = fields.pop("record", None)
            added = getattr(request.operations.add(), kind)
            added.SetInParent()
            fill(added, fields)
            if record is not None:
                added.record.Pack(record)
        return self.call(self.batch_write_method, request)

    @property
    def batch_write_method(self) -> Any:
        service = self.contract.pool.FindServiceByName("detente.v1.RecordService")
        return service.methods_by_name["BatchWrite"]

    def revision(self) -> int:
        """The newest."""
        return self.of("sources").list(page_size=1).revision


def fill(message: Any, fields: dict[str, Any]) -> Any:
    for name, value in fields.items():
        if value is None:
            continue
        field = message.DESCRIPTOR.fields_by_name[name]
        if field.message_type is not None and not field.is_repeated:
            if field.message_type.name == "FieldMask" and not hasattr(value, "paths"):
                getattr(message, name).SetInParent()
                getattr(message, name).paths.extend([value] if isinstance(value, str) else value)
            elif isinstance(value, dict):
                getattr(message, name).SetInParent()
                fill(getattr(message, name), value)
            else:
                getattr(message, name).CopyFrom(value)
        elif field.is_repeated:
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    return message


class Collection:
    """The standard methods of one resource. Arguments are the request's fields; a mask is a list of
    paths, a message may be a dict."""

    def __init__(self, client: Client, resource: Resource) -> None:
        self.client = client
        self.resource = resource

    def method(self, verb: str) -> Any:
        one, many = self.resource.one, self.resource.many
        name = {
            "list": f"List{many}",
            "batch_get": f"BatchGet{many}",
            "list_revisions": f"List{one}Revisions",
        }.get(verb, verb.capitalize() + one)
        return self.resource.service.methods_by_name[name]

    def request(self, verb: str, **arguments: Any) -> Any:
        full_name = self.method(verb).input_type.full_name
        return fill(self.client.contract.new(full_name), arguments)

    def call(self, verb: str, **arguments: Any) -> Any:
        return self.client.call(self.method(verb), self.request(verb, **arguments))

    def get(self, name: str, **arguments: Any) -> Any:
        return self.call("get", name=name, **arguments)

    def list(self, **arguments: Any) -> Any:
        return self.call("list", **arguments)

    def rows(self, answer: Any) -> Any:
        return getattr(answer, self.resource.collection)

    def pages(self, verb: str = "list", **arguments: Any) -> list[Any]:
        """All records, page by page."""
        found, token = [], ""
        while True:
            page = self.call(verb, page_token=token, **arguments)
            found += self.rows(page)
            token = page.next_page_token
            if not token:
                return found

    def create(self, record: Any, record_id: str = "", **arguments: Any) -> Any:
        singular = self.resource.singular
        given = {singular: record, f"{singular}_id": record_id}
        return self.call("create", **given, **arguments)

    def update(self, record: Any, **arguments: Any) -> Any:
        return self.call("update", **{self.resource.singular: record}, **arguments)

    def delete(self, name: str, **arguments: Any) -> Any:
        return self.call("delete", name=name, **arguments)

    def undelete(self, name: str, **arguments: Any) -> Any:
        return self.call("undelete", name=name, **arguments)

    def rollback(self, name: str, revision: int, **arguments: Any) -> Any:
        return self.call("rollback", name=name, revision=revision, **arguments)

    def batch_get(self, *names: str, **arguments: Any) -> Any:
        return self.call("batch_get", names=names, **arguments)

    def revisions(self, name: str, **arguments: Any) -> list[Any]:
        return self.pages("list_revisions", name=name, **arguments)


@dataclasses.dataclass
class Failure:
    code: Code
    message: str
    reason: str
    metadata: dict[str, str]
    fields: list[str]  # of BadRequest
    subjects: list[str]  # of PreconditionFailure
    retry_seconds: float | None


def failure_of(error: grpc.RpcError) -> Failure:
    """Takes a failure apart; every one carries an ErrorInfo of our domain."""
    trailers = dict(error.trailing_metadata() or ())
    assert "grpc-status-details-bin" in trailers, f"no details: {error.code()} {error.details()}"
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    assert status.message
    found = Failure(error.code(), status.message, "", {}, [], [], None)
    infos = 0
    for detail in status.details:
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        precondition = error_details_pb2.PreconditionFailure()
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            infos += 1
            assert info.domain == "detente"
            found.reason, found.metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            found.fields = [v.field for v in bad.field_violations]
            assert all(v.description for v in bad.field_violations)
        elif detail.Unpack(precondition):
            found.subjects = [v.subject for v in precondition.violations]
        elif detail.Unpack(retry):
            found.retry_seconds = retry.retry_delay.ToTimedelta().total_seconds()
    assert infos == 1, f"{infos} ErrorInfo: {status}"
    return found


def failing(call: Any, /, *arguments: Any, **named: Any) -> Failure:
    try:
        answer = call(*arguments, **named)
    except grpc.RpcError as error:
        return failure_of(error)
    raise AssertionError(f"did not fail, but answered {str(answer)[:500]}")


def refuses(code: Code, reason: str, call: Any, /, *arguments: Any, **named: Any) -> Failure:
    """The call fails so; returns how."""
    failure = failing(call, *arguments, **named)
    assert (failure.code, failure.reason) == (code, reason), failure
    return failure


def refuses_fields(fields: list[str], call: Any, /, *arguments: Any, **named: Any) -> Failure:
    """The call is INVALID_FIELD with exactly these violations."""
    failure = refuses(INVALID, "INVALID_FIELD", call, *arguments, **named)
    assert sorted(failure.fields) == sorted(fields), failure
    return failure
