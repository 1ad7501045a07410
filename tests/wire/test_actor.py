"""The caller's name for itself, in the metadata `detente-actor`."""

from typing import Any

import pytest
from wire.calls import INVALID, Client, refuses
from wire.records import new_id


def creating(client: Client, *metadata: tuple[str, str]) -> Any:
    """The call that creates a person as such a caller."""
    method = client.of("persons").method("create")

    def create(**arguments: Any) -> Any:
        request = client.of("persons").request("create", person={}, **arguments)
        answer = client.raw(method)(request.SerializeToString(), metadata=metadata, timeout=30)
        return client.contract.new("detente.v1.Person").FromString(answer)

    return create


@pytest.mark.parametrize("encoded", ["%", "%4", "%zz", "100%", "%FF", "%C3%28", "%ED%A0%80"])
def test_what_can_not_be_decoded_is_refused(client: Client, encoded: str) -> None:
    before = client.revision()
    failure = refuses(INVALID, "INVALID_FIELD", creating(client, ("detente-actor", encoded)))
    assert failure.fields == ["detente-actor"]
    assert client.revision() == before


def test_at_most_256_bytes_once(client: Client) -> None:
    creating(client, ("detente-actor", "%C5%81" * 128))()
    for metadata in ([("detente-actor", "a" * 257)], [("detente-actor", "%20" * 257)]):
        failure = refuses(INVALID, "LIMIT_EXCEEDED", creating(client, *metadata))
        assert failure.fields == ["detente-actor"]
    twice = [("detente-actor", "a"), ("detente-actor", "b")]
    refuses(INVALID, "INVALID_FIELD", creating(client, *twice))


def test_request_ids_are_the_callers_own(client: Client) -> None:
    request_id = new_id("request")
    ada, bob = (creating(client, ("detente-actor", name)) for name in ("ada", "bob"))
    nobody = creating(client)
    made = [create(request_id=request_id) for create in (ada, bob, nobody)]
    assert len({person.name for person in made}) == 3
    assert [create(request_id=request_id) for create in (ada, bob, nobody)] == made


def test_a_read_with_a_bad_actor(client: Client) -> None:
    """What is answered from memory alone is answered whoever asks."""
    name = creating(client)().name
    method = client.of("persons").method("get")
    request = client.of("persons").request("get", name=name, at={"revision": client.revision()})

    def read() -> Any:
        call = client.raw(method)
        return call(request.SerializeToString(), metadata=[("detente-actor", "%")], timeout=30)

    refuses(INVALID, "INVALID_FIELD", read)
