"""Reads of the past beside those of the newest state, and what a history costs."""

import bisect
import dataclasses
import hashlib
import os
import pathlib
import random
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import grpc
from detente.v1 import (
    commit_pb2,
    commit_service_pb2,
    evidence_pb2,
    person_pb2,
    person_service_pb2,
    record_service_pb2,
    release_pb2,
    release_service_pb2,
    snapshot_pb2,
    snapshot_service_pb2,
    values_pb2,
)
from google.protobuf.message import Message
from report import Result, Row, check
from servers import BUILD, ROOT, Server, serve

PERSONS = 1_000
REVISIONS = 100  # of each person, by commits that change them all
SINGLE = 2_000  # commits of one person each, on top
BACK = 1_000  # commits
FAR = 2  # the revision that is read of the far past
PAGE = 100  # records
BIG = 100_000  # records of the store for snapshots and erasures
BIG_ROUNDS = 3
SECONDS = 0.1  # of one measurement
TRIES = 3  # of each call in a round, in turn; the least counts: what runs beside only adds
IN_FLIGHT = (4, 16)  # connections, and calls on each, where a server is busy
RELEASE = "releases/by-2025-12-13"
SOURCE = "sources/s102"

PERSON_SERVICE = "/detente.v1.PersonService/"
RELEASE_SERVICE = "/detente.v1.ReleaseService/"
RECORD_SERVICE = "/detente.v1.RecordService/"
COMMIT_SERVICE = "/detente.v1.CommitService/"
SNAPSHOT_SERVICE = "/detente.v1.SnapshotService/"

Point = values_pb2.ReadPoint


def note(number: int, state: int) -> str:
    return f"State {state} of the invented person {number}. " + "Nobody knows of any such. " * 18


def person(number: int, state: int) -> person_pb2.Person:
    """About 700 bytes as they are stored."""
    made = person_pb2.Person(
        display_name=f"Example Exampleson-{number}",
        gender=person_pb2.Person.FEMALE,
        nationalities=["BY"],
        occupations=["invented occupation"],
        note=note(number, state),
    )
    made.names.add(id="en", full=f"Example Exampleson-{number}", family=f"Exampleson-{number}")
    made.names.add(id="pl", full=f"Przykład Exampleson-{number}", language_code="pl")
    made.birth_date.edtf = "1970-01"
    return made


def person_name(number: int) -> str:
    return f"persons/p-{number:06}"


def is_reviewed(number: int) -> bool:
    """At every other state; commits of single persons leave these alone."""
    return number % 4 == 0


class Caller:
    """Calls that are answered in bytes."""

    def __init__(self, server: Server) -> None:
        options = [("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(server.address, options)

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *error: object) -> None:
        self.channel.close()

    def start(self, path: str, request: Message | bytes) -> Any:
        call = self.channel.unary_unary(path, lambda b: b, lambda b: b)
        data = request if isinstance(request, bytes) else request.SerializeToString()
        return call.future(data, timeout=120)

    def call(self, path: str, request: Message | bytes) -> bytes:
        answer: bytes = self.start(path, request).result()
        return answer


def create(caller: Caller, first: int, count: int) -> None:
    request = record_service_pb2.BatchWriteRequest()
    for number in range(first, first + count):
        record = person(number, 0)
        if is_reviewed(number):
            record.review_state = values_pb2.Record.SUBMITTED
        operation = request.operations.add().create
        operation.record_id = person_name(number).partition("/")[2]
        operation.record.Pack(record)
    caller.call(RECORD_SERVICE + "BatchWrite", request)


def update(caller: Caller, state: int) -> None:
    """A commit that changes every person."""
    request = record_service_pb2.BatchWriteRequest()
    for number in range(PERSONS):
        record = person_pb2.Person(name=person_name(number), note=note(number, state))
        operation = request.operations.add().update
        operation.update_mask.paths.append("note")
        if is_reviewed(number):
            reviewed = state % 2 == 1
            record.review_state = (
                values_pb2.Record.REVIEWED if reviewed else values_pb2.Record.SUBMITTED
            )
            operation.update_mask.paths.append("review_state")
        operation.record.Pack(record)
    caller.call(RECORD_SERVICE + "BatchWrite", request)


class Past:
    """What each person was at each revision, as it was written."""

    def __init__(self) -> None:
        self.revisions: list[list[int]] = [[] for _ in range(PERSONS)]
        self.notes: list[list[str]] = [[] for _ in range(PERSONS)]
        self.newest = 0

    def add(self, number: int, revision: int, text: str) -> None:
        at = bisect.bisect(self.revisions[number], revision)
        self.revisions[number].insert(at, revision)
        self.notes[number].insert(at, text)
        self.newest = max(self.newest, revision)

    def check(self, record: person_pb2.Person, revision: int, name: str) -> None:
        check(record.name == name, f"{record.name!r} at {revision}, not {name}")
        number = int(name.rpartition("-")[2])
        at = bisect.bisect(self.revisions[number], revision) - 1
        right = record.note == self.notes[number][at]
        right = right and record.revision == self.revisions[number][at]
        check(right, f"{name} at revision {revision} is not what was written")


def change_single(caller: Caller, past: Past, chosen: random.Random, states: range) -> None:
    """Commits of one person each, some of them under way at a time."""
    under_way: list[tuple[int, str, Any]] = []

    def take() -> None:
        number, text, future = under_way.pop(0)
        record = person_pb2.Person.FromString(future.result())
        past.add(number, record.revision, text)

    numbers = [n for n in range(PERSONS) if not is_reviewed(n)]
    for state in states:
        number = chosen.choice(numbers)
        text = note(number, state)
        request = person_service_pb2.UpdatePersonRequest()
        request.person.name = person_name(number)
        request.person.note = text
        request.update_mask.paths.append("note")
        under_way.append((number, text, caller.start(PERSON_SERVICE + "UpdatePerson", request)))
        if len(under_way) >= 64:
            take()
    while under_way:
        take()


@dataclasses.dataclass
class Space:
    """On disk, once the server has let go of the store.

    Attributes:
        file: Of the whole file.
        past: Of the table of superseded versions and its index.
    """

    file: int
    past: int


def space(path: pathlib.Path) -> Space:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        (file,) = db.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
        try:
            (past,) = db.execute(
                "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%past_persons%'"
            ).fetchone()
        except sqlite3.OperationalError:  # built without it
            past = 0
    return Space(file, past or 0)


@dataclasses.dataclass
class Filled:
    past: Past
    token: str  # of a second page, BACK commits old
    payload: float  # bytes of a superseded version
    file: float  # bytes of the file for each
    table: float  # bytes of their table and its index for each


def fill(path: pathlib.Path) -> Filled:
    past = Past()
    flags = [f"--store=sqlite:{path}"]
    with serve("detente-server", *flags) as server, Caller(server) as caller:
        create(caller, 0, PERSONS)
    for number in range(PERSONS):
        past.add(number, 1, note(number, 0))
    before = space(path)
    with serve("detente-server", *flags) as server, Caller(server) as caller:
        for state in range(1, REVISIONS):
            update(caller, state)
            for number in range(PERSONS):
                past.add(number, state + 1, note(number, state))
    after = space(path)
    superseded = PERSONS * (REVISIONS - 1)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        count, payload = db.execute(
            "SELECT count(*), avg(length(record)) FROM past_persons"
        ).fetchone()
    check(count == superseded, f"{count} superseded versions, not {superseded}")
    with serve("detente-server", *flags) as server, Caller(server) as caller:
        chosen = random.Random(7)
        change_single(caller, past, chosen, range(REVISIONS, REVISIONS + SINGLE - BACK))
        page = list_page(caller, person_service_pb2.ListPersonsRequest(page_size=PAGE))
        change_single(caller, past, chosen, range(REVISIONS + SINGLE - BACK, REVISIONS + SINGLE))
        caller.call(
            SNAPSHOT_SERVICE + "CreateSnapshot",
            snapshot_service_pb2.CreateSnapshotRequest(
                snapshot=snapshot_pb2.Snapshot(title="Far", revision=FAR), snapshot_id="far"
            ),
        )
    check(past.newest == REVISIONS + SINGLE, f"{past.newest} commits")
    return Filled(
        past,
        page.next_page_token,
        payload,
        (after.file - before.file) / superseded,
        (after.past - before.past) / superseded,
    )


def list_page(
    caller: Caller, request: person_service_pb2.ListPersonsRequest
) -> person_service_pb2.ListPersonsResponse:
    return person_service_pb2.ListPersonsResponse.FromString(
        caller.call(PERSON_SERVICE + "ListPersons", request)
    )


@dataclasses.dataclass
class Case:
    """One call, made again and again."""

    name: str
    path: str
    request: Message
    verify: Callable[[bytes], None]
    baseline: str = ""
    rpc_target: float | None = None
    cpu_target: float | None = None
    busy: bool = False  # measured with many calls in flight as well
    rpc_us: list[float] = dataclasses.field(default_factory=list)
    cpu_us: list[float] = dataclasses.field(default_factory=list)
    busy_us: list[float] = dataclasses.field(default_factory=list)
    calls: int = 10
    answer: bytes = b""


def load(
    server: Server, case: Case, body: pathlib.Path, connections: int = 1, streams: int = 1
) -> tuple[float, float]:
    """Microseconds of a call: of the clock, and of the server's CPU."""
    calls = case.calls * connections
    data = case.request.SerializeToString()
    body.write_bytes(b"\0" + struct.pack(">I", len(data)) + data)
    command = ["h2load", f"-n{calls}", f"-c{connections}", f"-m{streams}", "-w24", "-W24"]
    command += ["-H", "content-type: application/grpc", "-H", "te: trailers", "-d", str(body)]
    before = server.cpu_seconds()
    done = subprocess.run(
        [*command, f"http://{server.address}{case.path}"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    cpu = server.cpu_seconds() - before
    check(done.returncode == 0, f"h2load: {done.stderr}")
    speed = re.search(r"finished in .*?, ([\d.]+) req/s", done.stdout)
    got = re.search(r"\((\d+)\) data", done.stdout)
    if not (speed and got):
        raise RuntimeError(f"h2load says something new:\n{done.stdout}")
    expected = calls * (5 + len(case.answer))  # a frame's head before every message
    check(int(got[1]) == expected, f"{case.name}: {got[1]} bytes, not {expected}")
    return 1e6 / float(speed[1]), cpu * 1e6 / calls


def measure(server: Server, cases: list[Case], rounds: int, body: pathlib.Path) -> None:
    with Caller(server) as caller:

        def verify(case: Case) -> bytes:
            answer = caller.call(case.path, case.request)
            case.verify(answer)
            return answer

        for case in cases:
            case.answer = verify(case)
        for case in cases:  # warms up, and tells how many calls make a measurement
            rpc, _ = load(server, case, body)
            case.calls = max(5, min(20_000, int(SECONDS * 1e6 / rpc)))
        for _ in range(rounds):
            tries: dict[str, list[tuple[float, float, float]]] = {case.name: [] for case in cases}
            for _ in range(TRIES):
                for case in cases:
                    rpc, cpu = load(server, case, body)
                    busy = load(server, case, body, *IN_FLIGHT)[1] if case.busy else 0.0
                    tries[case.name].append((rpc, cpu, busy))
            for case in cases:
                rpcs, cpus, busies = zip(*tries[case.name], strict=True)
                case.rpc_us.append(min(rpcs))
                case.cpu_us.append(min(cpus))
                case.busy_us.append(min(busies))
        for case in cases:
            verify(case)


def rows(cases: list[Case]) -> Iterator[Row]:
    by_name = {case.name: case for case in cases}
    for case in cases:

        def row(
            name: str, of: Callable[[Case], list[float]], target: float | None, case: Case = case
        ) -> Row:
            baseline = by_name.get(case.baseline)
            return Row(name, "us", of(case), of(baseline) if baseline else None, target)

        yield row(f"{case.name}: a call", lambda c: c.rpc_us, case.rpc_target)
        yield row("  server CPU", lambda c: c.cpu_us, case.cpu_target)
        if case.busy:
            yield row("  server CPU, busy", lambda c: c.busy_us, case.cpu_target)


# --- reads of persons ----------------------------------------------------------------------------


def reads(caller: Caller, filled: Filled) -> list[Case]:
    past = filled.past
    newest = past.newest
    # One that was changed not long ago: near is just before.
    number = max(range(PERSONS), key=lambda n: past.revisions[n][-1])
    near = past.revisions[number][-1] - 1
    get_commit = commit_service_pb2.GetCommitRequest(name=f"commits/{FAR}")
    answer = caller.call(COMMIT_SERVICE + "GetCommit", get_commit)
    far_time = commit_pb2.Commit.FromString(answer).create_time

    def get(revision: int, at: Point | None) -> dict[str, Any]:
        def verify(answer: bytes) -> None:
            past.check(person_pb2.Person.FromString(answer), revision, person_name(number))

        request = person_service_pb2.GetPersonRequest(name=person_name(number), at=at)
        return {"path": PERSON_SERVICE + "GetPerson", "request": request, "verify": verify}

    def listing(
        revision: int, at: Point | None, *, first: int = 0, reviewed: bool = False, token: str = ""
    ) -> dict[str, Any]:
        request = person_service_pb2.ListPersonsRequest(
            page_size=PAGE, at=at, reviewed_only=reviewed, page_token=token
        )
        numbers = [n for n in range(first, PERSONS) if not reviewed or is_reviewed(n)][:PAGE]

        def verify(answer: bytes) -> None:
            page = person_service_pb2.ListPersonsResponse.FromString(answer)
            check(page.revision == revision, f"a page at {page.revision}, not {revision}")
            check(len(page.persons) == len(numbers), f"{len(page.persons)} persons on a page")
            for n, record in zip(numbers, page.persons, strict=True):
                past.check(record, revision, person_name(n))

        return {"path": PERSON_SERVICE + "ListPersons", "request": request, "verify": verify}

    head_token = list_page(
        caller, person_service_pb2.ListPersonsRequest(page_size=PAGE)
    ).next_page_token
    far = Point(revision=FAR)
    return [
        Case("Get", **get(newest, None), busy=True),
        Case(
            "Get at the newest revision",
            **get(newest, Point(revision=newest)),
            baseline="Get",
            busy=True,
        ),
        Case(
            "Get at a near revision",
            **get(near, Point(revision=near)),
            busy=True,
            baseline="Get",
            rpc_target=1.2,
            cpu_target=1.2,
        ),
        Case(
            "Get at a far revision",
            **get(FAR, far),
            busy=True,
            baseline="Get",
            rpc_target=1.2,
            cpu_target=1.2,
        ),
        Case(
            "Get at a far time",
            **get(FAR, Point(read_time=far_time)),
            busy=True,
            baseline="Get at a far revision",
        ),
        Case(
            "Get at a snapshot",
            **get(FAR, Point(snapshot="snapshots/far")),
            busy=True,
            baseline="Get at a far revision",
        ),
        Case(f"List of {PAGE}", **listing(newest, None)),
        Case(
            "List at a far revision",
            **listing(FAR, far),
            baseline=f"List of {PAGE}",
            rpc_target=2.5,
        ),
        Case(
            f"List at {BACK:,} commits back",
            **listing(newest - BACK, Point(revision=newest - BACK)),
            baseline=f"List of {PAGE}",
            rpc_target=1.5,
        ),
        Case("List, second page", **listing(newest, None, first=PAGE, token=head_token)),
        Case(
            f"List, second page, pinned {BACK:,} commits back",
            **listing(newest - BACK, None, first=PAGE, token=filled.token),
            baseline="List, second page",
            rpc_target=1.5,
        ),
        Case("List of reviewed (a quarter)", **listing(newest, None, reviewed=True)),
        Case(
            "List of reviewed at a far revision",
            **listing(FAR, far, reviewed=True),
            baseline="List of reviewed (a quarter)",
        ),
        *commits(past, number),
    ]


def commits(past: Past, number: int) -> list[Case]:
    newest = past.newest
    name = person_name(number)

    def verify_list(expected: list[int]) -> Callable[[bytes], None]:
        def verify(answer: bytes) -> None:
            page = commit_service_pb2.ListCommitsResponse.FromString(answer)
            check([c.revision for c in page.commits] == expected, "other commits")

        return verify

    def verify_diff(expected: list[str]) -> Callable[[bytes], None]:
        def verify(answer: bytes) -> None:
            page = commit_service_pb2.DiffRevisionsResponse.FromString(answer)
            check([c.name for c in page.changes] == expected, "other changes")
            check(all(c.fields for c in page.changes), "changes without fields")

        return verify

    base = newest - BACK
    changed = [person_name(n) for n in range(PERSONS) if past.revisions[n][-1] > base]
    request = commit_service_pb2.ListCommitsRequest
    diff = commit_service_pb2.DiffRevisionsRequest
    return [
        Case(
            f"ListCommits, {PAGE}",
            COMMIT_SERVICE + "ListCommits",
            request(page_size=PAGE),
            verify_list(list(range(newest, newest - PAGE, -1))),
        ),
        Case(
            f"ListCommits of a record, {PAGE}",
            COMMIT_SERVICE + "ListCommits",
            request(page_size=PAGE, record=name),
            verify_list(past.revisions[number][::-1][:PAGE]),
            baseline=f"ListCommits, {PAGE}",
        ),
        Case(
            "DiffRevisions of a record",
            COMMIT_SERVICE + "DiffRevisions",
            diff(base=Point(revision=FAR), record=name),
            verify_diff([name]),
            baseline="Get",
        ),
        Case(
            f"DiffRevisions of {BACK:,} commits, {PAGE} records",
            COMMIT_SERVICE + "DiffRevisions",
            diff(base=Point(revision=base), page_size=PAGE),
            verify_diff(changed[:PAGE]),
            baseline=f"List of {PAGE}",
        ),
        Case(
            f"DiffRevisions of the whole history, {PAGE} records",
            COMMIT_SERVICE + "DiffRevisions",
            diff(base=Point(revision=FAR), page_size=PAGE),
            verify_diff([person_name(n) for n in range(PAGE)]),
            baseline=f"List of {PAGE}",
        ),
    ]


# --- evidence, of the samples --------------------------------------------------------------------


def load_samples(path: pathlib.Path) -> None:
    # `--flag` and not the environment: a developer's DETENTE_… would be taken.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DETENTE_")}
    samples = ROOT / "samples/belarus-2025"
    subprocess.run(
        [sys.executable, "-m", "detente", "load", str(samples), "--db", str(path)],
        stdout=subprocess.DEVNULL,
        check=True,
        env=environment,
    )


def evidence() -> list[Case]:
    def verify_get(answer: bytes) -> None:
        check(release_pb2.Release.FromString(answer).name == RELEASE, "another release")

    def verify_evidence(answer: bytes) -> None:
        found = evidence_pb2.Evidence.FromString(answer)
        check(len(found.fields) > 5, f"evidence of {len(found.fields)} fields")

    def verify_conflicts(answer: bytes) -> None:
        page = record_service_pb2.ListConflictsResponse.FromString(answer)
        check(len(page.conflicts) > 5, f"{len(page.conflicts)} conflicts")

    get = release_service_pb2.GetReleaseRequest
    return [
        Case("Get of a sample", RELEASE_SERVICE + "GetRelease", get(name=RELEASE), verify_get),
        Case(
            "Get as told by a source",
            RELEASE_SERVICE + "GetRelease",
            get(name=RELEASE, as_told_by=SOURCE),
            verify_get,
            baseline="Get of a sample",
        ),
        Case(
            "GetEvidence",
            RECORD_SERVICE + "GetEvidence",
            record_service_pb2.GetEvidenceRequest(name=RELEASE),
            verify_evidence,
            baseline="Get of a sample",
        ),
        Case(
            "ListConflicts of the samples",
            RECORD_SERVICE + "ListConflicts",
            record_service_pb2.ListConflictsRequest(),
            verify_conflicts,
            baseline="Get of a sample",
        ),
    ]


# --- what goes over a whole store ----------------------------------------------------------------


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def sum_up(path: pathlib.Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        sha = hashlib.sha256()
        count = 0
        for (record,) in db.execute("SELECT record FROM head_persons ORDER BY id"):
            sha.update(record)
            count += 1
    check(count == BIG, f"{count} persons")


def vacuum(path: pathlib.Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def erase(caller: Caller, number: int) -> float:
    request = record_service_pb2.EraseRecordsRequest(names=[person_name(number)])
    answer = b""

    def work() -> None:
        nonlocal answer
        answer = caller.call(RECORD_SERVICE + "EraseRecords", request)

    took = seconds(work)
    erased = record_service_pb2.EraseRecordsResponse.FromString(answer)
    check(len(erased.names) == 1 and "erased-" in erased.names[0], "nothing was erased")
    return took


def whole(folder: pathlib.Path, rounds: int) -> list[Row]:
    original = folder / "big.db"
    with (
        serve("detente-server", f"--store=sqlite:{original}") as server,
        Caller(server) as caller,
    ):
        for first in range(0, BIG, 1_000):
            create(caller, first, 1_000)
    measured: dict[str, list[float]] = {
        key: [] for key in ("sum", "snapshot", "vacuum", "erase", "erase held")
    }
    path = folder / "copy.db"
    for round_ in range(rounds):
        for name in folder.glob("copy.db*"):
            name.unlink()
        shutil.copy(original, path)
        measured["sum"].append(seconds(lambda: sum_up(path)))
        measured["vacuum"].append(seconds(lambda: vacuum(path)))
        with (
            serve("detente-server", f"--store=sqlite:{path}") as server,
            Caller(server) as caller,
        ):
            number = 5_000 + round_
            measured["erase"].append(erase(caller, number))
            request = snapshot_service_pb2.CreateSnapshotRequest(
                snapshot=snapshot_pb2.Snapshot(title="All"), snapshot_id="all"
            )
            start = time.perf_counter()
            answer = caller.call(SNAPSHOT_SERVICE + "CreateSnapshot", request)
            measured["snapshot"].append(time.perf_counter() - start)
            snapshot = snapshot_pb2.Snapshot.FromString(answer)
            check(snapshot.record_count == BIG - 1, f"{snapshot.record_count} records")
            measured["erase held"].append(erase(caller, number + 1))
            got = snapshot_service_pb2.GetSnapshotRequest(name="snapshots/all")
            now = snapshot_pb2.Snapshot.FromString(
                caller.call(SNAPSHOT_SERVICE + "GetSnapshot", got)
            )
            check(now.erased_count == 1, f"{now.erased_count} erased records in the snapshot")
            check(now.checksum == snapshot.checksum, "the snapshot's checksum has changed")
        held = path.read_bytes().count(f"Exampleson-{number}\x12".encode())
        check(held == 0, "an erased name is still in the file")

    def rows_s(key: str) -> list[float]:
        return [BIG / value for value in measured[key]]

    return [
        Row(f"SHA-256 of {BIG:,} payloads by Python's sqlite3: rows", "/s", rows_s("sum")),
        Row(f"CreateSnapshot of {BIG:,} records: rows", "/s", rows_s("snapshot"), rows_s("sum")),
        Row("VACUUM and checkpoint of that store by sqlite3", "s", measured["vacuum"]),
        Row("EraseRecords of one of them", "s", measured["erase"], measured["vacuum"]),
        Row("  that a snapshot holds", "s", measured["erase held"], measured["vacuum"]),
    ]


def run(rounds: int) -> Result:
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as name:
        folder = pathlib.Path(name)
        filled = fill(folder / "history.db")
        body = folder / "request"
        with serve(
            "detente-server", f"--store=sqlite:{folder}/history.db", "--head_cache_mb=0"
        ) as server:
            with Caller(server) as caller:
                cases = reads(caller, filled)
            measure(server, cases, rounds, body)
        load_samples(folder / "samples.db")
        with serve(
            "detente-server", f"--store=sqlite:{folder}/samples.db", "--head_cache_mb=0"
        ) as server:
            samples = evidence()
            measure(server, samples, rounds, body)
        big_rounds = min(rounds, BIG_ROUNDS)
        big = whole(folder, big_rounds)
    return Result(
        "history",
        f"{PERSONS:,} persons of {REVISIONS} revisions each and {SINGLE:,} commits of one of them, "
        f"past the head cache; {rounds} rounds of {TRIES} x {SECONDS:g} s of each call, one after "
        f"the other by h2load; busy: {IN_FLIGHT[0]} connections x {IN_FLIGHT[1]} calls in flight; "
        f"over {BIG:,} records {big_rounds} rounds",
        [
            *rows(cases),
            *rows(samples),
            Row("a superseded version: its payload", "bytes", [filled.payload]),
            Row("  its rows and their index", "bytes", [filled.table], [filled.payload]),
            Row("  the whole file", "bytes", [filled.file], [filled.payload]),
            *big,
        ],
    )
