"""Stores that a newer contract has written to: fields that this server does not know."""

import pathlib
import sqlite3

from wire import contract
from wire.calls import Client, Code, refuses
from wire.process import Server
from wire.records import ELEMENT, World, content, new_id, newer

UNKNOWN = newer(contract.detente().new("google.type.Date")).SerializeToString()


def unknown_count(record: object) -> int:
    return record.SerializeToString().count(UNKNOWN)


def enrich(record: object) -> object:
    """Puts an unknown field into the record, into an element, and into a message of the element."""
    citation = record.citations[0]
    citation.assert_date.CopyFrom(newer(citation.assert_date))
    citation.CopyFrom(newer(citation))
    return newer(record)


def test_unknown_fields_that_are_stored_survive_updates(tmp_path: pathlib.Path) -> None:
    """The bytes of rows are replaced by what a server of a newer contract would have written."""
    store = tmp_path / "store.db"
    detente = contract.detente()
    names = {}
    with Server(store) as server, Client(detente, server.address) as client:
        world = World(client)
        for resource in detente.resources:
            made = client.of(resource.collection).create(world.record(resource), new_id())
            names[resource.collection] = made.name
        server.terminate()

    db = sqlite3.connect(store)
    for collection, name in names.items():
        table, record_id = f"head_{collection}", name.split("/")[1]
        row = f"FROM {table} WHERE id = ?"
        (stored,) = db.execute(f"SELECT record {row}", (record_id,)).fetchone()
        record = detente.resource(collection).new()
        record.ParseFromString(stored)
        enriched = enrich(record).SerializeToString(deterministic=True)
        db.execute(f"UPDATE {table} SET record = ? WHERE id = ?", (enriched, record_id))
    db.commit()
    db.close()

    with Server(store) as server, Client(detente, server.address) as client:
        for collection, name in names.items():
            records = client.of(collection)
            before = records.get(name)
            assert unknown_count(before) == 3
            assert unknown_count(records.rows(records.batch_get(name))[0]) == 3
            change = content(before, detente)
            change.DiscardUnknownFields()
            for note, mask in (
                ("absent", None),
                ("all", "*"),
                ("list", ["note", "citations"]),
                ("element", ["note", f'citations["{ELEMENT}"]']),
                ("path", ["note", f'citations["{ELEMENT}"].assert_date']),
                ("every", ["note", "citations[*].assert_date.edtf"]),
            ):
                change.name, change.note = name, note
                updated = records.update(change, update_mask=mask)
                assert updated.note == note
                assert unknown_count(updated) == 3, (collection, note)
            # Sent back as it came, it is a write of fields that this server does not know.
            refuses(Code.INVALID_ARGUMENT, "UNKNOWN_FIELD", records.update, updated)
            deleted = records.delete(name)
            assert unknown_count(deleted) == 3
            assert unknown_count(records.undelete(name)) == 3
            gone = records.update(type(change)(name=name), update_mask=["citations"])
            assert unknown_count(gone) == 1
        server.terminate()


def test_a_store_of_a_newer_contract_is_opened_for_reading(tmp_path: pathlib.Path) -> None:
    store = tmp_path / "store.db"
    specimen = contract.specimen()
    with (
        Server(store, binary="detente-server-specimen") as server,
        Client(specimen, server.address) as client,
    ):
        world = World(client)
        person = world.reference("persons")
        kept = world.reference("specimens")
        server.terminate()
    with Server(store) as server, Client(contract.detente(), server.address) as client:
        assert "newer" in server.log()
        persons = client.of("persons")
        got = persons.get(person)
        refuses(Code.FAILED_PRECONDITION, "STORE_READ_ONLY", persons.delete, person, force=True)
        change = type(got)(name=person, note="x")
        refuses(Code.FAILED_PRECONDITION, "STORE_READ_ONLY", persons.update, change)
        assert persons.get(person) == got
        server.terminate()
    with (
        Server(store, binary="detente-server-specimen") as server,
        Client(specimen, server.address) as client,
    ):
        assert client.of("specimens").get(kept).name == kept
        server.terminate()
