"""What calls raise: `detente.Error` and below it one class for each way to fail."""

import enum
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class Code(enum.IntEnum):
    """Status codes of gRPC."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class FieldViolation(NamedTuple):
    """One field of a request that is wrong: its path, and what is wrong with it."""

    field: str
    description: str


class PreconditionViolation(NamedTuple):
    """One thing that stands against a write: what sort, where, and why."""

    type: str
    subject: str
    description: str


class Error(Exception):
    """A call failed. Everything that Détente raises on purpose is one of these.

    Attributes:
        message: What the server said.
        code: The gRPC status code.
        reason: A name from `detente.v1.ErrorReason`, such as `RECORD_NOT_FOUND`; stable, for
            programs. Empty when the server sent none.
        metadata: What the reason is about; `error_reason.proto` lists the keys of each.
        field_violations: Every field of the request that is wrong, for invalid arguments.
        precondition_violations: What stands against it, for failed preconditions.
        retry_delay: Seconds to wait before another try, if the server said so.

    Example:
        >>> try:
        ...     db.releases.get("nowhere")
        ... except detente.NotFoundError as error:
        ...     print(error.reason, error.metadata["name"])
        RECORD_NOT_FOUND releases/nowhere
    """

    code: Code = Code.UNKNOWN

    def __init__(
        self,
        message: str = "",
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        field_violations: Iterable[FieldViolation] = (),
        precondition_violations: Iterable[PreconditionViolation] = (),
        retry_delay: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.field_violations = tuple(field_violations)
        self.precondition_violations = tuple(precondition_violations)
        self.retry_delay = retry_delay

    def __str__(self) -> str:
        lines = [self.message or self.code.name]
        for field, description in self.field_violations:
            if not (field in self.message and description in self.message):
                lines.append(f"  {field}: {description}")
        for _, subject, description in self.precondition_violations:
            if not (subject in self.message and description in self.message):
                lines.append(f"  {subject}: {description}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.message, {**self.__dict__})


class NotFoundError(Error):
    """There is no such record, at that revision."""

    code = Code.NOT_FOUND


class AlreadyExistsError(Error):
    """The id is taken, for ever; or what was to be undeleted is not deleted."""

    code = Code.ALREADY_EXISTS


class InvalidArgumentError(Error, ValueError):
    """An argument is wrong; `field_violations` names every one.

    Attributes:
        position: Where a text that `detente.Date` or `detente.Filter` was given is wrong, in bytes
            from 0.
    """

    code = Code.INVALID_ARGUMENT
    position: int | None = None


class ConflictError(Error):
    """The record has changed since it was read: read it again, and try again.

    Or, with the reason ERASED, an erasure has ended a read: read again.
    """

    code = Code.ABORTED


class FailedPreconditionError(Error):
    """The store is not in the state for it: a reference leads nowhere, or a file is in use."""

    code = Code.FAILED_PRECONDITION


class PermissionDeniedError(Error):
    """The caller may not do that."""

    code = Code.PERMISSION_DENIED


class UnauthenticatedError(Error):
    """The server does not know who is calling."""

    code = Code.UNAUTHENTICATED


class UnavailableError(Error):
    """The server or its store can't be reached now; the same call may succeed later."""

    code = Code.UNAVAILABLE


class DeadlineExceededError(Error):
    """The call's time ran out."""

    code = Code.DEADLINE_EXCEEDED


class ResourceExhaustedError(Error):
    """Too much at once; `retry_delay` may say when to come again."""

    code = Code.RESOURCE_EXHAUSTED


class CancelledError(Error):
    """The call was ended by its caller, or its connection closed."""

    code = Code.CANCELLED


class OutOfRangeError(Error):
    """Past the end of what there is."""

    code = Code.OUT_OF_RANGE


class UnimplementedError(Error):
    """The server does not serve this yet."""

    code = Code.UNIMPLEMENTED


class InternalError(Error):
    """A defect of the server; `metadata["incident"]` is found in its log."""

    code = Code.INTERNAL


class DataLossError(Error):
    """Stored data is damaged."""

    code = Code.DATA_LOSS


_KINDS: list[type[Error]] = [Error, *Error.__subclasses__()]
_BY_CODE: dict[int, type[Error]] = {kind.code: kind for kind in _KINDS}


def error_class(code: int) -> type[Error]:
    """The class for a gRPC status code."""
    return _BY_CODE.get(code, Error)


def from_status(code: int, message: str, details: bytes) -> Error:
    """The exception for a failed call; `details` is a serialized google.rpc.Status, or empty."""
    error = error_class(code)(message)
    if not details:
        return error
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

    try:
        status = status_pb2.Status.FromString(details)
        for detail in status.details:
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                info = error_details_pb2.ErrorInfo.FromString(detail.value)
                error.reason = info.reason
                error.metadata = dict(sorted(info.metadata.items()))  # a map has no order
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest.FromString(detail.value)
                error.field_violations = tuple(
                    FieldViolation(v.field, v.description) for v in bad.field_violations
                )
            elif detail.Is(error_details_pb2.PreconditionFailure.DESCRIPTOR):
                failure = error_details_pb2.PreconditionFailure.FromString(detail.value)
                error.precondition_violations = tuple(
                    PreconditionViolation(v.type, v.subject, v.description)
                    for v in failure.violations
                )
            elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
                retry = error_details_pb2.RetryInfo.FromString(detail.value)
                error.retry_delay = retry.retry_delay.ToTimedelta().total_seconds()
    except DecodeError:
        pass  # details of a proxy's own; the code and the message stand
    return error


def invalid(argument: str, description: str) -> InvalidArgumentError:
    """For an argument that is wrong before any call is made."""
    return InvalidArgumentError(
        f"{argument}: {description}",
        reason="INVALID_FIELD",
        field_violations=[FieldViolation(argument, description)],
    )


def no_text(argument: str, value: str) -> InvalidArgumentError:
    """For an argument with half a surrogate pair, which UTF-8 has no bytes for."""
    return invalid(argument, f"{value!r} is no text: it has half a character")


def text(argument: str, value: str) -> str:
    """The value, if all of it is text."""
    if not isinstance(value, str):
        raise invalid(argument, f"a text expected, not {value!r}")
    if not value.isprintable() and any("\ud800" <= char <= "\udfff" for char in value):
        raise no_text(argument, value)
    return value


def _rebuilt(kind: type[Error], message: str, state: dict[str, Any]) -> Error:
    error = kind(message)
    error.__dict__.update(state)
    return error
