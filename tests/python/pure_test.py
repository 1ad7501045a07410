"""Parts of the package `detente` that need no store: errors, display, files of records, stubs."""

import copy
import json
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path

import detente
import pytest
from detente import _contract, _filter, display, errors, loading, records
from google.protobuf import timestamp_pb2
from google.rpc import error_details_pb2, status_pb2

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples" / "belarus-2025"


def test_importing_is_quick() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import detente"]
    times = []
    for _ in range(5):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        [line] = [line for line in done.stderr.splitlines() if line.endswith("| detente")]
        times.append(int(line.split("|")[1]) / 1000)
        for late in (
            "yaml",
            "google.protobuf.json_format",
            "detente._core",
            "detente.v1.values_pb2",
        ):
            assert f" {late}\n" not in done.stderr
    assert min(times) < 150, times


def test_stubs_agree_with_the_contract() -> None:
    script = ROOT / "proto" / "generate_stubs.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_type_checkers_see_collections_and_messages(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import detente\n"
        "with detente.connect('x') as db, db.batch() as batch:\n"
        "    r1: detente.Release = db.releases.get('x')\n"
        "    r2: detente.Person | None = db.at(1).persons.list().first()\n"
        "    batch.persons.create(detente.Person(names=[detente.Name(full='A')]), id='a')\n"
        "    detente.v1.GetReleaseRequest(name='x')\n"
        "    db.relases  # error\n"
        "    detente.Relase  # error\n"
        "    db.at(1).persons.create()  # error\n"
        "    db.persons.create(detente.Release())  # error\n"
        "    detente.Release(effective_date=detente.Date('2025'))\n"
        "    b1: bool = detente.Date('2025').possibly_within('2025-12')\n"
        "    detente.Date(2025)  # error\n"
        "    f = detente.f\n"
        "    e1: detente.Expression = (f.headcount.best > 5) & ~f.labels['k'].present()\n"
        "    r3: detente.Release | None = db.at(1).releases.list(e1, where={'a': 1}).first()\n"
        "    s1: list[str] = db.releases.list(e1, explain=True).lowered\n"
        "    db.releases.list(explain=True).first()  # error\n"
        "    db.releases.list(f.headcount)  # error\n"
        "    t1: list[dict[str, object]] = db.aggregate('releases', by=f.region_code).to_dicts()\n"
        "    h1: str = [hit.display_name for hit in db.at(1).search('x')][0]\n"
        "    n1: list[str] = [edge.path for edge in db.neighbors('releases/x').edges]\n"
        "    p1: int = next(iter(db.stock('detentions', '2025-01-01', '2025-12-31'))).certain\n"
    )
    package = Path(detente.__file__).parent.parent
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(program)]
    done = subprocess.run(
        [*command, f"--cache-dir={ROOT / '.mypy_cache'}"],
        env=os.environ | {"MYPYPATH": str(package)},
        capture_output=True,
        text=True,
    )
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if "program.py:" in line}
    wanted = {n for n, line in enumerate(program.read_text().splitlines(), 1) if "# error" in line}
    assert found == wanted, done.stdout + done.stderr


def test_every_message_is_there_by_name() -> None:
    assert detente.Release is detente.v1.Release is detente.v1.release_pb2.Release
    for resource in _contract.resources().values():
        assert resource.type_name in dir(detente)
        assert getattr(detente, resource.type_name) is resource.message
        assert resource.get.input is getattr(detente.v1, f"Get{resource.type_name}Request")
    assert set(detente.__all__) <= set(dir(detente))
    for module in (detente, detente.v1):
        with pytest.raises(AttributeError, match="Relase"):
            module.Relase  # noqa: B018


def details(*parts: object) -> bytes:
    status = status_pb2.Status()
    for part in parts:
        status.details.add().Pack(part)
    return status.SerializeToString()


@pytest.mark.parametrize("code", errors.Code)
def test_every_code_has_its_class(code: errors.Code) -> None:
    error = errors.from_status(code, "m", b"")
    assert error.code == code
    assert isinstance(error, detente.Error)
    assert (type(error) is detente.Error) == (code == errors.Code.UNKNOWN)
    assert str(error) == "m"


def test_errors_carry_their_details() -> None:
    error = errors.from_status(
        errors.Code.INVALID_ARGUMENT,
        "a: is wrong",
        details(
            error_details_pb2.ErrorInfo(reason="INVALID_FIELD", metadata={"k": "v"}),
            error_details_pb2.BadRequest(
                field_violations=[
                    {"field": "a", "description": "is wrong"},
                    {"field": "b", "description": "too"},
                ]
            ),
            error_details_pb2.PreconditionFailure(
                violations=[{"type": "T", "subject": "s", "description": "d"}]
            ),
            error_details_pb2.RetryInfo(retry_delay={"seconds": 1, "nanos": 500_000_000}),
            timestamp_pb2.Timestamp(),
        ),
    )
    assert str(error) == "a: is wrong\n  b: too\n  s: d"
    assert (error.reason, error.metadata, error.retry_delay) == ("INVALID_FIELD", {"k": "v"}, 1.5)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is detente.InvalidArgumentError
        assert str(again) == str(error)
        assert again.field_violations == error.field_violations
    garbage = errors.from_status(errors.Code.UNAVAILABLE, "m", b"\xff\xff")
    assert (type(garbage), garbage.reason) == (detente.UnavailableError, "")
    assert type(errors.from_status(99, "m", b"")) is detente.Error


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({}, ""),
        ({"region_code": "BY"}, 'region_code = "BY"'),
        ({"region_code": ["BY", "RU"]}, '(region_code = "BY" OR region_code = "RU")'),
        ({"mechanism": "PARDON"}, "mechanism = PARDON"),
        ({"mechanism": detente.Release.PARDON}, "mechanism = PARDON"),
        (
            {"headcount.best": 123, "note": 'say "no"'},
            'headcount.best = 123 AND note = "say \\"no\\""',
        ),
        ({"participants.person": "persons/a"}, 'participants.person:"persons/a"'),
        ({"nowhere": True}, "nowhere = true"),
    ],
)
def test_where_becomes_a_filter(where: dict[str, object], text: str) -> None:
    descriptor = detente.Release.DESCRIPTOR
    assert _filter.join("", where, descriptor) == text
    if where:
        assert _filter.join("a OR b", where, descriptor) == f"(a OR b) AND {text}"
    for wrong in ([], {"a": 1}, None):
        with pytest.raises(detente.InvalidArgumentError, match="where"):
            _filter.join("", {"note": wrong}, descriptor)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (detente.UncertainDate(edtf="2025-12~"), "2025-12~"),
        (detente.UncertainDate(state="ONGOING"), "ongoing"),
        (detente.Estimate(best=1234), "1,234"),
        (detente.Estimate(best=5, low=3, high=8), "5 (3\N{EN DASH}8)"),
        (detente.Estimate(low=100, approximate=True), "at least about 100"),
        (detente.Estimate(high=9), "at most 9"),
        (detente.Estimate(low=1, high=2), "1\N{EN DASH}2"),
        (detente.Estimate(best=0), "0"),
        (detente.Estimate(text="thousands"), "thousands"),
        (detente.Actor(person="persons/a", description="b", on_behalf_of="organizations/c"),
         "persons/a, b for organizations/c"),
        (detente.Place(region_code="BY"), "BY"),
        (detente.Amount(currency_code="USD", value={"best": 65000}), "65,000 USD"),
        (detente.Recognition(kind="HOSTAGE"), "HOSTAGE"),
    ],
)  # fmt: skip
def test_values_in_a_line(message: object, text: str) -> None:
    assert display.value_text(message) == text


def test_tables_fit_and_align() -> None:
    cells = [["a", "Алесь Бяляцкі", "x" * 60], ["bb", "東京", "line\nbreak\x1b[31m"]]
    table = display.table(["id", "name", "text"], cells, 40)
    lines = table.splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= 40
    assert lines[1].endswith("…")
    assert "\x1b" not in table
    assert lines[2].index("line") == lines[1].index("xxx") - 2  # two wide characters before it


def test_notebooks_get_html(monkeypatch: pytest.MonkeyPatch) -> None:
    registered = {}
    html = types.SimpleNamespace(for_type=registered.__setitem__)
    shell = types.SimpleNamespace(
        display_formatter=types.SimpleNamespace(formatters={"text/html": html})
    )
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    display.register()
    [(kind, show)] = registered.items()
    release = detente.Release(
        name="releases/a",
        display_name="<b>A</b>",
        participants=[{"id": "x", "person": "persons/p"}],
        labels={"k": "v"},
    )
    assert isinstance(release, kind)
    page = show(release)
    assert "&lt;b&gt;A&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<td>persons/p</td>" in page
    assert show(timestamp_pb2.Timestamp()) is None
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    display.register()


def test_yaml_for_people_reads_back() -> None:
    for file in sorted(SAMPLES.glob("*.yaml")):
        found = [record for _, record in records.read(file)]
        text = records.to_yaml(found)
        assert [record for _, record in records.read(file, text)] == found
        for record in found:
            plain = json.loads(json.dumps(records.to_dict(record)))
            assert records.from_dict(type(record), plain) == record


@pytest.mark.parametrize(
    "note",
    ["2025", "0o17", "1e5", ".5", "yes", "null", "~", "a: b", "# c", " x ", "é\n\tё", "-", "0x1F"],
)
def test_yaml_keeps_every_string(note: str) -> None:
    record = detente.Person(name="persons/a", note=note, nationalities=[note], labels={"k": note})
    [(_, again)] = records.read("a.yaml", records.to_yaml(record))
    assert again == record


def test_editable_leaves_out_what_the_server_makes() -> None:
    release = detente.Release(
        name="releases/a",
        uid="u",
        etag="e",
        revision=3,
        effective_date={"edtf": "2025", "state": "VALUE", "earliest": {"year": 2025}},
        announce_date={"state": "UNKNOWN"},
        headcount={"best": 5},
        unnamed_remainder={"total": {"best": 5}},
        note="n",
    )
    assert records.editable(release) == {
        "name": "releases/a",
        "effective_date": "2025",
        "announce_date": {"state": "UNKNOWN"},
        "headcount": 5,
        "note": "n",
    }
    assert list(records.editable(release))[-1] == "note"
    assert records.editable(release, outputs=True)["unnamed_remainder"] == {"total": 5}


def located(*pairs: tuple[str, list[str]]) -> list[loading.Located]:
    """Releases of the given names, each with the given releases as its sources of conditions."""
    return [
        loading.Located(name, detente.Commitment(name=name, conditional_on=targets))
        for name, targets in pairs
    ]


def test_commits_refer_to_themselves_and_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_OPERATIONS", 3)
    items = located(
        ("a", ["b", "elsewhere"]),
        ("b", ["c"]),
        ("c", []),
        ("d", ["e"]),
        ("e", ["d"]),
        ("f", ["a", "f"]),
        ("g", ["d"]),
    )
    parts = [[item.where for item in part] for part in loading._parts(items)]
    assert sorted(name for part in parts for name in part) == list("abcdefg")
    assert all(len(part) <= 3 for part in parts)
    written: set[str] = set()
    targets = {item.where: set(item.record.conditional_on) - {"elsewhere"} for item in items}
    for part in parts:
        written |= set(part)
        assert all(targets[name] <= written for name in part)
    monkeypatch.setattr(loading, "MAX_OPERATIONS", 7)
    assert len(list(loading._parts(items))) == 1
