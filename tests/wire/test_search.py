"""QueryService.SearchRecords, over the wire."""

import pathlib
from collections.abc import Iterator
from typing import Any

import detente
import grpc
import pytest
from detente import loading
from google.protobuf.json_format import MessageToDict
from wire import contract
from wire.calls import INVALID, Client, Code, fill, refuses, refuses_fields
from wire.process import Server

SAMPLES = pathlib.Path(__file__).parents[2] / "samples" / "belarus-2025"


@pytest.fixture(scope="module")
def belarus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The founding case."""
    with Server(tmp_path_factory.mktemp("belarus") / "s.db") as server:
        with detente.connect(server.address) as db:
            loading.load(db, [SAMPLES])
        with Client(contract.detente(), server.address) as client:
            yield client


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with (
        Server(tmp_path_factory.mktemp("store") / "store.db") as server,
        Client(contract.detente(), server.address) as client,
    ):
        yield client


def search(client: Client, query: str = "", timeout: float = 30, **arguments: Any) -> Any:
    service = client.contract.pool.FindServiceByName("detente.v1.QueryService")
    method = service.methods_by_name["SearchRecords"]
    request = client.contract.new("detente.v1.SearchRecordsRequest")
    return client.call(method, fill(request, {"query": query} | arguments), timeout)


def names(client: Client, query: str, **arguments: Any) -> list[str]:
    return [hit.name for hit in search(client, query, page_size=1000, **arguments).hits]


def pages(client: Client, query: str, **arguments: Any) -> Iterator[Any]:
    token = ""
    while True:
        page = search(client, query, page_token=token, **arguments)
        yield page
        token = page.next_page_token
        if not token:
            return


def person(client: Client, name: str, display_name: str, **fields: Any) -> Any:
    made = client.contract.new("detente.v1.Person", name=name, **fields)
    made.display_name = display_name
    return made


def write(client: Client, *records: Any) -> None:
    client.batch_write(*({"create": {"record": r}} for r in records))


def texts_of(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)


# --- the founding case --------------------------------------------------------------------------


def test_spellings_find_each_other(belarus: Client) -> None:
    by_spelling = {
        spelling: search(belarus, spelling, collections=["persons"])
        for spelling in ("Бяляцкі", "Беляцкий", "Bialiatski", "Bialacki", "Belyatskiy")
    }
    for spelling, page in by_spelling.items():
        assert page.hits[0].name == "persons/ales-bialiatski", spelling
        assert page.hits[0].display_name == "Ales Bialiatski"
        assert page.hits[0].highlights[0].path == "display_name"
    found = [
        names(belarus, name, collections=["persons"]) for name in ("Kalesnikava", "Колесникова")
    ]
    assert found[0]
    assert found[0] == found[1]


def test_every_persons_own_name_finds_them(belarus: Client) -> None:
    for record in belarus.of("persons").pages("list"):
        query = '"' + record.display_name + '"'
        assert record.name in names(belarus, query, collections=["persons"]), query


def test_highlights_are_parts_of_the_record(belarus: Client) -> None:
    page = search(belarus, "prisoners OR Bialiatski OR prize OR release*", page_size=300)
    assert len(page.hits) > 50
    for hit in page.hits:
        assert 1 <= len(hit.highlights) <= 5, hit.name
        collection = hit.name.split("/")[0]
        texts = list(texts_of(MessageToDict(belarus.of(collection).get(hit.name))))
        for highlight in hit.highlights:
            text = "".join(part.text for part in highlight.parts)
            assert any(text in whole for whole in texts), (hit.name, text)
            assert any(part.matched for part in highlight.parts)
            assert highlight.path
        assert hit.ByteSize() < 4096


def test_order_and_facets(belarus: Client) -> None:
    page = search(belarus, "Lukashenko", page_size=1000)
    keys = [(-hit.score, hit.name) for hit in page.hits]
    assert keys == sorted(keys)
    assert all(hit.score > 0 for hit in page.hits)
    assert page.total_size == len(page.hits) == sum(f.count for f in page.facets) > 10
    counts = [(-f.count, f.collection) for f in page.facets]
    assert counts == sorted(counts)
    for facet in page.facets:
        of_it = search(belarus, "Lukashenko", collections=[facet.collection], page_size=1000)
        assert of_it.total_size == facet.count
        assert [h for h in page.hits if h.name.startswith(facet.collection + "/")] == list(
            of_it.hits
        )


def test_pages(belarus: Client) -> None:
    whole = search(belarus, "prison* OR release*", page_size=1000)
    for size in (1, 7, 50):
        found = list(pages(belarus, "prison* OR release*", page_size=size))
        assert [h for page in found for h in page.hits] == list(whole.hits)
        assert {page.total_size for page in found[1:]} <= {0}
        assert found[0].total_size == whole.total_size
        assert {page.revision for page in found} == {whole.revision}


# --- made up ------------------------------------------------------------------------------------


@pytest.fixture
def made_up(client: Client) -> Client:
    write(
        client,
        person(client, "persons/a", "Test Person Adamovich", note="lived near the green river"),
        person(client, "persons/b", "Test Person Baranova", note="a river, green and wide"),
        person(client, "persons/c", "Test Person Green", note="nothing of note"),
        client.contract.new(
            "detente.v1.Organization", name="organizations/r", display_name="River"
        ),
    )
    return client


def test_the_language(made_up: Client) -> None:
    def found(query: str) -> set[str]:
        return {name.split("/")[1] for name in names(made_up, query)}

    assert found("green river") == {"a", "b"}
    assert found('"green river"') == {"a"}
    assert found("green OR river") == {"a", "b", "c", "r"}
    assert found("green -river") == {"c"}
    assert found("river NOT (lived OR wide)") == {"r"}
    assert found("Ada*") == {"a"}
    assert found("ada") == set()
    assert found("АДАМОВИЧ") == {"a"}
    assert found("Baranava") == {"b"}  # by its sound
    assert found("person green") == {"a", "b", "c"}
    assert names(made_up, "green")[0] == "persons/c"  # a name weighs more than a text


def test_what_is_wrong_is_said(client: Client) -> None:
    for query in ("", "—", "-a", "(a", "a)", 'a "b', "a OR", "AND a", "a*b"):
        refuses_fields(["query"], search, client, query)
    failure = refuses(INVALID, "INVALID_FIELD", search, client, "green (river")
    assert "byte 7" in failure.message
    refuses(INVALID, "LIMIT_EXCEEDED", search, client, "a" * 1025)
    refuses(INVALID, "LIMIT_EXCEEDED", search, client, "a " * 33)
    refuses(INVALID, "LIMIT_EXCEEDED", search, client, "(" * 21 + "a" + ")" * 21)
    failure = refuses_fields(
        ["collections[1]"], search, client, "a", collections=["persons", "person"]
    )
    assert "`persons`" in failure.message
    failure = refuses_fields(
        ["query", "collections[0]", "page_size"],
        search,
        client,
        "(",
        collections=["x"],
        page_size=-1,
    )
    refuses(INVALID, "INVALID_PAGE_TOKEN", search, client, "a", page_token="x")


def test_a_filter_that_is_not_of_all_collections(client: Client) -> None:
    text = "effective_date:*"
    refuses_fields(["filter", "collections"], search, client, "word", filter=text)
    refuses_fields(["filter"], search, client, "word", filter="(")
    refuses_fields(["filter"], search, client, "word", filter=text, collections=["persons"])
    refuses_fields(["collections[0]"], search, client, "word", filter=text, collections=["person"])
    assert not search(client, "word", filter=text, collections=["releases"]).hits


def test_nothing_is_found_in_an_empty_store(client: Client) -> None:
    page = search(client, "anything OR prefix*")
    assert (len(page.hits), page.total_size, page.next_page_token) == (0, 0, "")


def test_past_and_deleted_records(made_up: Client) -> None:
    before = made_up.revision()
    made_up.of("persons").delete("persons/a")
    renamed = made_up.of("persons").get("persons/b")
    renamed.display_name = "Test Person Other"
    made_up.of("persons").update(renamed)
    assert names(made_up, "Adamovich") == []
    assert names(made_up, "Baranova") == []
    assert names(made_up, "Other") == ["persons/b"]
    at = {"revision": before}
    assert names(made_up, "Adamovich", at=at) == ["persons/a"]
    past = search(made_up, "Baranova", at=at)
    assert past.hits[0].display_name == "Test Person Baranova"
    assert past.revision == before
    assert names(made_up, "Other", at=at) == []
    made_up.of("persons").undelete("persons/a")
    assert names(made_up, "Adamovich") == ["persons/a"]


def test_a_filter_of_many_hits(client: Client) -> None:
    """More than are looked at one by one: the store selects, what its columns know and what not."""
    codes = ("XA", "XB", "XC")
    for start in range(0, 2600, 1000):
        write(
            client,
            *(
                client.contract.new(
                    "detente.v1.Release",
                    name=f"releases/r{i:04}",
                    display_name=f"Test release {'x ' * (i % 3)}",
                    region_code=codes[i % 3],
                    note=f"made up {i}",
                )
                for i in range(start, min(start + 1000, 2600))
            ),
        )
    before = client.revision()
    for i in range(0, 2600, 100):
        client.of("releases").delete(f"releases/r{i:04}")

    only: dict[str, Any] = {"collections": ["releases"]}
    everything = search(client, "test OR x", page_size=1000, **only)
    assert everything.total_size == 2574
    whole = [h for page in pages(client, "test OR x", page_size=1000) for h in page.hits]

    def matches(number: int, text: str) -> bool:
        if text == "note":
            return "77" in str(number)
        return codes[number % 3] == "XB"

    for kind, text in (("note", 'note = "*77*"'), ("region", 'region_code = "XB"')):
        expected = [h.name for h in whole if matches(int(h.name[-4:]), kind)]
        found = list(pages(client, "test OR x", page_size=300, filter=text, **only))
        assert [h.name for page in found for h in page.hits] == expected
        assert found[0].total_size == len(expected)
        past = search(client, "test OR x", filter=text, at={"revision": before}, **only)
        assert past.total_size == sum(matches(i, kind) for i in range(2600))


def test_pages_stay_as_they_are_while_others_write(client: Client) -> None:
    write(
        client,
        *(person(client, f"persons/p{i:03}", f"Test Person {'x ' * (i % 7)}") for i in range(200)),
    )
    expected = names(client, "person OR x")
    found: list[str] = []
    for number, page in enumerate(pages(client, "person OR x", page_size=30)):
        found += [hit.name for hit in page.hits]
        write(
            client,
            *(person(client, f"persons/new-{number}-{i}", "Person x x x") for i in range(40)),
        )
        client.of("persons").delete(found[-1])
        client.of("persons").delete(expected[150 + number])
    assert found == expected


def test_a_token_is_of_its_own_search(made_up: Client) -> None:
    token = search(made_up, "green", page_size=1).next_page_token
    refuses(INVALID, "INVALID_PAGE_TOKEN", search, made_up, "river", page_token=token)
    assert len(search(made_up, "green", page_token=token, page_size=9).hits) == 2


def test_many_words_fit_into_a_token(client: Client) -> None:
    write(client, *(person(client, f"persons/{'p' * 60}{i}", "Test Person") for i in range(3)))
    query = "person OR " + " OR ".join(f"word{chr(97 + i)}ov" for i in range(26))
    assert len([h for page in pages(client, query, page_size=1) for h in page.hits]) == 3


def test_a_search_ends_at_its_deadline(client: Client) -> None:
    for start in range(0, 5000, 1000):
        write(
            client,
            *(
                person(client, f"persons/p{start + i}", "Test Person " + "pa " * 30)
                for i in range(1000)
            ),
        )
    query = " OR ".join("abcdefghijklmnop"[i] + "*" for i in range(16)) + " OR pa OR person OR test"
    codes = []
    for timeout in (0.001, 0.003, 0.01):
        try:
            search(client, query, timeout=timeout)
        except grpc.RpcError as error:
            codes.append(error.code())
    assert set(codes) == {Code.DEADLINE_EXCEEDED}
    assert search(client, query).total_size == 5000


def test_an_erased_person_is_found_nowhere(made_up: Client) -> None:
    before = made_up.revision()
    service = made_up.contract.pool.FindServiceByName("detente.v1.RecordService")
    method = service.methods_by_name["EraseRecords"]
    made_up.call(
        method,
        fill(
            made_up.contract.new("detente.v1.EraseRecordsRequest"),
            {"names": ["persons/a"], "reason": "asked for"},
        ),
    )
    assert names(made_up, "Adamovich OR lived") == []
    assert names(made_up, "Adamovich OR lived", at={"revision": before}) == []
