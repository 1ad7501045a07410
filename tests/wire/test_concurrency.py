"""Many callers at once, and a process that is killed: what was acknowledged stays, in order."""

import pathlib
import random
import threading
import time

import grpc
from wire import contract
from wire.calls import Client
from wire.process import Server

DETENTE = contract.detente()
ROUNDS = 200


def source(**fields: str) -> object:
    return DETENTE.resource("sources").new(**fields)


def test_ten_writers_and_a_lister(tmp_path: pathlib.Path) -> None:
    """Each pass of the lister is the state at one revision: checked afterwards against what the
    revisions of every record say, which is what the writers were answered."""
    writers, records, seconds = 10, 30, 4.0
    written: list[list[object]] = [[] for _ in range(writers)]
    passes: list[tuple[int, list[object]]] = []
    failures: list[BaseException] = []
    with Server(tmp_path / "s.db") as server, Client(DETENTE, server.address) as setup:
        sources = setup.of("sources")
        first = [sources.create(source(title=str(i)), f"start-{i:03d}") for i in range(records)]
        stop = time.monotonic() + seconds

        def write(number: int) -> None:
            chance = random.Random(number)
            own: list[str] = []
            with Client(DETENTE, server.address) as client:
                mine = client.of("sources")
                while time.monotonic() < stop:
                    action = chance.random()
                    if action < 0.4 or not own:
                        record_id = f"{chance.randrange(10**6):06d}-{number}-{len(own)}"
                        answer = mine.create(source(title="new"), record_id)
                        own.append(answer.name)
                    elif action < 0.9:
                        name = chance.choice([*own, first[number].name])
                        note = str(chance.random())
                        change = source(name=name, note=note)
                        try:
                            answer = mine.update(change)
                        except grpc.RpcError:  # deleted
                            answer = mine.undelete(name)
                    else:
                        try:
                            answer = mine.delete(chance.choice(own))
                        except grpc.RpcError:
                            continue
                    written[number].append(answer)

        def run(number: int) -> None:
            try:
                write(number)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=run, args=[n]) for n in range(writers)]
        for thread in threads:
            thread.start()
        with Client(DETENTE, server.address) as listing:
            lister = listing.of("sources")
            while time.monotonic() < stop:
                token, found, revisions = "", [], set()
                while True:
                    page = lister.list(page_size=7, page_token=token)
                    found += page.sources
                    revisions.add(page.revision)
                    token = page.next_page_token
                    if not token:
                        break
                assert len(revisions) == 1
                passes.append((revisions.pop(), found))
        for thread in threads:
            thread.join()
        assert not failures

        versions = [*first, *(v for one in written for v in one)]
        assert sorted(v.revision for v in versions) == list(range(1, len(versions) + 1))
        assert len(versions) > 200
        assert len(passes) >= 3
        for revision, found in passes:
            state = {}
            for version in sorted(versions, key=lambda v: v.revision):
                if version.revision <= revision:
                    state[version.name] = version
            live = [v for _, v in sorted(state.items()) if not v.HasField("delete_time")]
            assert found == live
        revision, found = passes[len(passes) // 2]
        assert sources.pages(page_size=1000, at={"revision": revision}) == found
        by_name: dict[str, list[object]] = {}
        for version in sorted(versions, key=lambda v: -v.revision):
            by_name.setdefault(version.name, []).append(version)
        for name in list(by_name)[:40]:
            assert sources.revisions(name) == by_name[name]
        assert server.terminate() == 0


def test_kill_9_in_the_middle_of_200_rounds(tmp_path: pathlib.Path) -> None:
    """In each round writers write pairs, one record of each of two collections, in one commit; the
    process is killed; it opens again with every pair that was acknowledged, no half of any, and
    revisions without a gap."""
    store = tmp_path / "s.db"
    chance = random.Random(4)
    acknowledged: dict[str, int] = {}  # id of a pair -> revision
    lock = threading.Lock()
    person, commitment = DETENTE.resource("persons"), DETENTE.resource("commitments")
    checked_to = 0  # revisions up to it are known
    killed_in_the_middle = 0

    def write(client: Client, name: str) -> None:
        count = 0
        while True:
            pair = f"{name}-{count}"
            count += 1
            referrer = commitment.new(conditional_on=[f"persons/{pair}"])
            try:
                answer = client.batch_write(
                    {"create": {"record": person.new(), "record_id": pair}},
                    {"create": {"record": referrer, "record_id": pair}},
                )
            except grpc.RpcError:
                return
            with lock:
                acknowledged[pair] = answer.revision

    for round_number in range(ROUNDS):
        before = len(acknowledged)
        with Server(store) as server:
            clients = [Client(DETENTE, server.address) for _ in range(2)]
            # What the rounds before have left.
            newest = clients[0].of("persons").list(page_size=1).revision
            for collection in ("persons", "commitments"):
                records = clients[0].of(collection)
                for pair, revision in acknowledged.items():
                    if revision > checked_to:
                        assert records.get(f"{collection}/{pair}").revision == revision
            checked_to = newest
            threads = [
                threading.Thread(target=write, args=[c, f"r{round_number}-{i}"])
                for i, c in enumerate(clients)
            ]
            for thread in threads:
                thread.start()
            give_up = time.monotonic() + 5
            while len(acknowledged) == before and time.monotonic() < give_up:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.03))
            server.kill()
            for thread in threads:
                thread.join()
            for client in clients:
                client.close()
        killed_in_the_middle += len(acknowledged) > before

    with Server(store) as server, Client(DETENTE, server.address) as client:
        persons = client.of("persons").pages(page_size=1000)
        commitments = client.of("commitments").pages(page_size=1000)
        newest = client.of("persons").list(page_size=1).revision
        halves = [
            {r.name.split("/")[1]: r.revision for r in records}
            for records in (persons, commitments)
        ]
        assert halves[0] == halves[1]
        assert acknowledged.items() <= halves[0].items()
        assert sorted(halves[0].values()) == list(range(1, newest + 1))
        unacknowledged = len(halves[0]) - len(acknowledged)
        assert server.terminate() == 0
    # Else the kills came at harmless moments, and the test shows nothing.
    assert killed_in_the_middle > ROUNDS / 2
    assert unacknowledged > 0
