"""What calls take as arguments, made into what requests hold."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import Message

from detente import errors
from detente._contract import Resource, collection_of

Paths = str | Iterable[str]


def source_name(source: Message | str) -> str:
    """`sources/x` for a source, `sources/x` or `x`."""
    name = source if isinstance(source, str) else record_name("as_told_by", source)
    errors.text("as_told_by", name)
    if not name or name.startswith("sources/"):
        return name
    if "/" in name:
        raise errors.invalid("as_told_by", f"{name!r} is not one of sources")
    return f"sources/{name}"


def record_name(argument: str, record: Any) -> str:
    """The full name of a record of any collection, from the record or its name."""
    if isinstance(record, Message) and collection_of(record.DESCRIPTOR):
        return _name(record)
    if isinstance(record, str) and "/" in record:
        return errors.text(argument, record)
    raise errors.invalid(
        argument, f"a record or its name, such as releases/x, expected, not {record!r}"
    )


def policy(value: int | str) -> int:
    """The number of a value policy, from its name in letters of any case, or its number."""
    from detente.v1 import evidence_pb2

    kinds = evidence_pb2.Evidence.ValuePolicy
    if not value:
        return 0
    if isinstance(value, str) and value.upper() in kinds.keys():  # noqa: SIM118
        return kinds.Value(value.upper())
    if isinstance(value, int) and value in kinds.values():
        return int(value)
    known = ", ".join(name.lower() for name in kinds.keys()[1:])
    raise errors.invalid("value_policy", f"one of {known} expected, not {value!r}")


def full_name(resource: Resource, name: str) -> str:
    """`releases/x` for `x` or `releases/x`."""
    if not isinstance(name, str):
        raise errors.invalid("name", f"an id or a name expected, not {type(name).__name__}")
    errors.text("name", name)
    if "/" not in name:
        return f"{resource.collection}/{name}"
    if name.partition("/")[0] != resource.collection:
        raise errors.invalid("name", f"{name!r} is not one of {resource.collection}")
    return name


def new_record(resource: Resource, record: Message | None, fields: Mapping[str, Any]) -> Message:
    """A copy of `record` with `fields` set."""
    message: Message = resource.message()
    if record is not None:
        _check_type(resource, record)
        message.CopyFrom(record)
    _set(resource, message, fields)
    return message


def changed(
    resource: Resource,
    record: Message | str,
    update_mask: Paths | None,
    fields: Mapping[str, Any],
) -> tuple[Message, list[str]]:
    """The message and the mask of an update."""
    mask = None if update_mask is None else paths("update_mask", update_mask)
    if isinstance(record, str):
        if not fields:
            raise errors.invalid("record", "with a name alone, give the fields to write")
        message: Message = resource.message(name=full_name(resource, record))
    else:
        _check_type(resource, record)
        if not _name(record):
            raise errors.invalid("record", "it has no name; is it to be created?")
        if fields and mask is None:
            message = resource.message(name=_name(record), etag=getattr(record, "etag"))  # noqa: B009
        else:
            message = resource.message()
            message.CopyFrom(record)
    _set(resource, message, fields)
    if fields:
        mask = [*(mask or ()), *(name for name in fields if name not in (mask or ()))]
    return message, ["*"] if mask is None else mask


def name_and_etag(resource: Resource, record: Message | str) -> tuple[str, str]:
    """Of a record; by its id or name alone, the etag is empty."""
    if isinstance(record, str):
        return full_name(resource, record), ""
    _check_type(resource, record)
    return full_name(resource, _name(record)), getattr(record, "etag")  # noqa: B009


def _set(resource: Resource, message: Message, fields: Mapping[str, Any]) -> None:
    descriptor = resource.message.DESCRIPTOR
    for name, value in fields.items():
        if name not in descriptor.fields_by_name:
            import difflib

            near = difflib.get_close_matches(name, list(descriptor.fields_by_name), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise errors.invalid(name, f"{descriptor.name} has no such field{hint}")
        message.ClearField(name)
        if value is not None:
            message.MergeFrom(_partial(resource, name, value))


def _partial(resource: Resource, name: str, value: Any) -> Message:
    try:
        return resource.message(**{name: value})
    except (TypeError, ValueError):
        from detente import records

        try:
            return records.from_dict(resource.message, {name: value})
        except ValueError as error:
            text = str(error).removeprefix(f"{resource.type_name}: ").removeprefix(f"{name}: ")
            raise errors.invalid(name, text) from None


def _check_type(resource: Resource, record: Any) -> None:
    if not isinstance(record, resource.message):
        raise errors.invalid(
            "record", f"a detente.{resource.type_name} expected, not {type(record).__name__}"
        )


def _name(record: Message) -> str:
    name: str = getattr(record, "name")  # noqa: B009
    return name


def paths(argument: str, mask: Paths) -> list[str]:
    listed = mask.split(",") if isinstance(mask, str) else mask
    return [errors.text(argument, path).strip() for path in listed]


def int32(argument: str, value: int) -> int:
    number = whole(argument, value)
    if not -(2**31) <= number < 2**31:
        raise errors.invalid(argument, f"{value} is out of range")
    return number


def whole(argument: str, value: int) -> int:
    """A whole number, of numpy too."""
    try:
        return operator.index(value)
    except TypeError:
        raise errors.invalid(argument, f"a whole number expected, not {value!r}") from None
