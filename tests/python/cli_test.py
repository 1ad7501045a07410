"""The command line `detente`, as a process: what it prints, and how it exits."""

import csv
import io
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import detente
import pytest
from detente import _contract, records
from wire.process import Server

SAMPLES = Path(__file__).parents[2] / "samples" / "belarus-2025"


def run(
    *arguments: str | Path, stdin: str = "", **variables: str
) -> "subprocess.CompletedProcess[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("DETENTE_", "EDITOR"))}
    done = subprocess.run(
        [sys.executable, "-m", "detente", *map(str, arguments)],
        input=stdin,
        env=kept | {"COLUMNS": "120"} | variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def good(*arguments: str | Path, **options: str) -> str:
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bad(code: int, *arguments: str | Path, **options: str) -> str:
    done = run(*arguments, **options)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "detente" in done.stderr
    return done.stderr


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store file with two people."""
    path = tmp_path / "store.db"
    with detente.open(path, create=True) as db:
        db.persons.create(id="a", display_name="A", birth_date="1962")
        db.persons.create(id="b", display_name="Бэ", names=[{"full": "Бэ", "script_code": "Cyrl"}])
    return path


@pytest.fixture(params=["--db", "--server"])
def where(request: pytest.FixtureRequest, store: Path) -> Iterator[list[str]]:
    """The arguments that name the store: its file, or a server of it."""
    if request.param == "--db":
        yield ["--db", str(store)]
        return
    server = Server(store)
    yield ["--server", server.address]
    server.close()


def test_get(where: list[str]) -> None:
    text = good("get", "persons/a", *where)
    assert "display_name: A\n" in text
    assert "birth_date: '1962'\n" in text
    both = good("get", "persons/a", "persons/b", *where)
    assert "---\n" in both
    assert "full: Бэ" in both
    [line] = good("get", "--json", "persons/a@1", *where).splitlines()
    assert json.loads(line)["birth_date"]["edtf"] == "1962"
    assert "at revision 2" in bad(1, "get", "persons/nobody", *where)
    assert "did you mean persons" in bad(2, "get", "person/a", *where)
    assert "is no record's name" in bad(2, "get", "a", *where)
    assert bad(1, "get", "persons/b", "--at", "1", *where)
    assert bad(1, "get", "persons/b", "--at", "99", *where)
    assert bad(2, "get", *where)


def test_list(where: list[str]) -> None:
    lines = good("list", "persons", *where).splitlines()
    assert [line.split() for line in lines] == [
        ["name", "display_name", "birth_date"],
        ["persons/a", "A", "1962"],
        ["persons/b", "Бэ"],
    ]
    found = json.loads(good("list", "persons", "--json", *where))
    assert [record["name"] for record in found] == ["persons/a", "persons/b"]
    assert json.loads(good("list", "releases", "--json", *where)) == []
    rows = list(csv.DictReader(io.StringIO(good("list", *where, "persons", "--csv"))))
    assert rows[0]["birth_date"] == "1962"
    assert rows[1]["display_name"] == "Бэ"
    assert good("list", "persons", "--limit", "1", *where).count("persons/") == 1
    assert good("list", "persons", "--at", "1", *where).count("persons/") == 1
    empty = run("list", "releases", *where)
    assert (empty.returncode, empty.stdout, empty.stderr) == (0, "", "no releases\n")
    assert good("list", "persons", *where, 'display_name = "A"').count("persons/") == 1
    assert "no_field" in bad(1, "list", "persons", "--order-by", "no_field", *where)
    assert bad(2, "list", *where)
    assert bad(2, "list", "persons", "--limit", "-1", *where)
    assert bad(2, "list", "persons", "--json", "--csv", *where)
    assert bad(2, "list", "persons", "--nonsense", *where)


def test_create(where: list[str], tmp_path: Path) -> None:
    text = good("create", "persons", *where, "--id", "c", "display_name=C", "birth_date=1990")
    assert "name: persons/c\n" in text
    file = tmp_path / "d.yaml"
    file.write_text("display_name: D\nbirth_date: 1962-09-25\n")
    made = json.loads(good("create", "persons", "--file", file, "note=x", "--json", *where))
    assert (made["display_name"], made["note"]) == ("D", "x")
    piped = good("create", "persons", "--file", "-", "--id", "e", *where, stdin='{"note": "n"}')
    assert "note: n" in piped
    assert "note: checked" in good("create", "persons", "note=checked", "--validate-only", *where)
    assert good("list", "persons", *where).count("persons/") == 5

    assert "the id is taken" in bad(1, "create", "persons", "--id", "a", *where)
    assert "did you mean note" in bad(1, "create", "persons", "notte=x", *where)
    assert "person.birth_date" in bad(1, "create", "persons", "birth_date=soon", *where)
    assert "person_id" in bad(1, "create", "persons", "--id", "A B", *where)
    assert "is not FIELD=VALUE" in bad(2, "create", "persons", "note", *where)
    assert bad(1, "create", "persons", "labels={", *where)
    assert bad(1, "create", "persons", "--file", tmp_path / "none.yaml", *where)
    file.write_text("display_nam: D\n")
    assert "did you mean display_name" in bad(1, "create", "persons", "--file", file, *where)
    assert good("list", "persons", *where).count("persons/") == 5


def editor(tmp_path: Path, *scripts: str) -> str:
    """An editor that runs one Python script on `text` at each start, and says so in a log."""
    path = tmp_path / "editor"
    steps = "".join(f"    if n == {n}:\n        {script}\n" for n, script in enumerate(scripts))
    path.write_text(
        f"#!{sys.executable}\n"
        "import pathlib, sys\n"
        f"log = pathlib.Path({str(tmp_path / 'log')!r})\n"
        "file = pathlib.Path(sys.argv[-1])\n"
        "n = len(list(log.parent.glob('seen-*')))\n"
        "text = file.read_text()\n"
        "log.with_name(f'seen-{n}').write_text(text)\n"
        f"def edit(text):\n{steps}    return text\n"
        "file.write_text(edit(text))\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_edit(where: list[str], tmp_path: Path) -> None:
    assert "note: n" in good("edit", "persons/a", "note=n", *where)
    assert "note" not in good("edit", "persons/a", "note=", *where)
    assert bad(1, "edit", "persons/nobody", "note=x", *where)

    change = editor(tmp_path, "text = text.replace('1962', '1963')")
    assert "birth_date: '1963'" in good("edit", "persons/a", *where, EDITOR=change)
    seen = (tmp_path / "seen-0").read_text()
    assert seen.startswith("# persons/a at revision 4.")
    assert "uid" not in seen
    (tmp_path / "seen-0").unlink()

    same = run("edit", "persons/a", *where, EDITOR="true")
    assert (same.returncode, same.stdout, same.stderr) == (0, "", "nothing changed\n")


def test_edit_shows_errors_and_opens_again(where: list[str], tmp_path: Path) -> None:
    twice = editor(
        tmp_path,
        "text = text.replace('1962', '19x2').replace('name: A', 'name: AA')",
        "text = text.replace('19x2', '1964')",
    )
    text = good("edit", "persons/a", *where, EDITOR=twice, TMPDIR=str(tmp_path))
    assert "birth_date: '1964'" in text
    assert "display_name: AA" in text
    again = (tmp_path / "seen-1").read_text()
    assert "# Not saved:\n# person.birth_date.edtf: `19x2`" in again
    assert not list(tmp_path.glob("detente-*"))


def test_edit_gives_up_and_keeps_the_text(where: list[str], tmp_path: Path) -> None:
    wrong = editor(tmp_path, "text = 'note: [unfinished'")
    told = bad(1, "edit", "persons/a", *where, EDITOR=wrong, TMPDIR=str(tmp_path))
    [kept] = tmp_path.glob("detente-*")
    assert str(kept) in told
    assert "[unfinished" in kept.read_text()


def test_edit_sees_a_conflict(tmp_path: Path, store: Path) -> None:
    server = Server(store)
    meanwhile = (
        "import detente; "
        f"db = detente.connect({server.address!r}); db.persons.update('a', note='mine'); "
        "db.close(); text = text.replace('1962', '1963')"
    )
    told = bad(
        1,
        "edit",
        "persons/a",
        "--server",
        server.address,
        EDITOR=editor(tmp_path, meanwhile),
        TMPDIR=str(tmp_path),
    )
    server.close()
    assert "has changed since it was read" in told
    assert "Your text is kept in" in told
    with detente.open(store) as db:
        assert (db.persons.get("a").note, db.persons.get("a").birth_date.edtf) == ("mine", "1962")


def test_delete(where: list[str]) -> None:
    good("create", "releases", "--id", "r", 'participants=[{person: "persons/a"}]', *where)
    assert "releases/r" in bad(1, "delete", "persons/a", *where)
    assert good("delete", "persons/b", "--validate-only", *where) == "persons/b would be deleted\n"
    assert good("delete", "persons/a", "persons/b", "--force", *where) == (
        "persons/a deleted\npersons/b deleted\n"
    )
    assert good("list", "persons", "--show-deleted", *where).count("persons/") == 2
    assert bad(1, "delete", "persons/a", *where)
    assert good("delete", "--undo", "persons/a", *where) == "persons/a undeleted\n"
    assert bad(2, "delete", *where)


def test_load_and_export(where: list[str], tmp_path: Path) -> None:
    first = good("load", SAMPLES, *where, "--reason", "test")
    assert first.endswith("created, 0 updated, 0 unchanged; revision 3\n")
    total = int(first.split()[0])
    again = json.loads(good("load", SAMPLES, "--json", *where))
    assert again == {"created": 0, "updated": 0, "unchanged": total, "revision": 3}

    lines = good("export", *where)
    assert len(lines.splitlines()) == total + 2
    assert {json.loads(line)["name"].partition("/")[0] for line in lines.splitlines()} == set(
        _contract.resources()
    )
    file = tmp_path / "all.jsonl"
    file.write_text(lines)
    assert f"{total + 2} unchanged" in good("load", file, *where)
    other = tmp_path / "other.db"
    assert f"{total + 2} created" in good("load", file, "--db", other)
    assert editable(good("export", "--db", other)) == editable(lines)

    good("edit", "persons/a", "note=changed since", *where)
    assert f"1 updated, {total + 1} unchanged" in good("load", file, *where)
    assert "changed since" not in good("get", "persons/a", *where)

    people = good("export", "persons", *where)
    assert all('"name":"persons/' in line for line in people.splitlines())
    assert len(good("export", "--at", "1", *where).splitlines()) == 1
    assert bad(2, "export", "people", *where)


def editable(lines: str) -> list[dict[str, object]]:
    return [records.editable(record) for _, record in records.read("lines.jsonl", text=lines)]


def test_load_replaces_records_whole(where: list[str], tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text("- {name: persons/a, note: n}\n- {name: persons/c}\n- {name: persons/b}\n")
    assert "3 records: 1 created, 2 updated, 0 unchanged" in good("load", file, *where)
    assert "display_name" not in good("get", "persons/a", *where)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "d.json").write_text('{"name": "persons/d"}')
    (tmp_path / "more" / "e.yml").write_text("name: persons/e\n")
    (tmp_path / "more" / "notes.txt").write_text("not records")
    assert "2 created" in good("load", tmp_path / "more", *where)


def test_load_names_file_record_and_field(where: list[str], tmp_path: Path) -> None:
    cases = {
        "- {name: persons/x, birth_date: 19x2}": "x.yaml:1: persons/x: birth_date.edtf: `19x2`",
        "- {name: persons/x}\n- {name: persons/x}": "x.yaml:2: persons/x: also in",
        "- {name: persons/x, nam: y}": "x.yaml:1: persons/x: nam: no such field",
        "- {name: people/x}": "no collection 'people'",
        "- {note: y}": "x.yaml:1: a record is a mapping with a `name`",
        "- [": "x.yaml",
        "5": "expected a record",
        "- {name: releases/x, participants: [{id: p, person: persons/no}]}": (
            'x.yaml:1: releases/x: participants["p"].person: persons/no'
        ),
        "- {name: persons/X}": "x.yaml:1: persons/X: name",
    }
    file = tmp_path / "x.yaml"
    for text, told in cases.items():
        file.write_text(text)
        assert told in bad(1, "load", file, *where), text
    file.write_text(
        "- {name: releases/x, headcount: {low: 3, high: 2}}\n- {name: persons/x, birth_date: x}"
    )
    assert "x.yaml:1: releases/x: headcount.low" in bad(1, "load", file, *where)
    (tmp_path / "x.jsonl").write_text('{"name": "persons/x"}\n{"name": \n')
    assert "x.jsonl:2" in bad(1, "load", tmp_path / "x.jsonl", *where)
    (tmp_path / "x.jsonl").write_bytes(b"\xff\xfe")
    assert "not UTF-8" in bad(1, "load", tmp_path / "x.jsonl", *where)
    assert "none.yaml" in bad(1, "load", tmp_path / "none.yaml", *where)
    (tmp_path / "empty").mkdir()
    assert "holds no file" in bad(1, "load", tmp_path / "empty", *where)
    assert good("list", "persons", *where).count("persons/") == 2
    file.write_text("- {name: persons/y}")
    assert "1 records are right" in good("load", file, "--validate-only", *where)
    assert bad(1, "get", "persons/y", *where)


def test_where_the_records_are(store: Path, tmp_path: Path) -> None:
    assert "A" in good("get", "persons/a", DETENTE_DB=str(store))
    assert "give one of" in bad(2, "get", "persons/a")
    assert "give one of" in bad(2, "get", "persons/a", "--db", store, "--server", "localhost:1")
    assert "typo.db" in bad(1, "list", "persons", "--db", tmp_path / "typo.db")
    assert not (tmp_path / "typo.db").exists()
    assert "localhost:1" in bad(1, "list", "persons", "--server", "localhost:1", "--timeout", "0.5")
    (tmp_path / "text.db").write_text("not a store" * 1000)
    assert "text.db" in bad(1, "list", "persons", "--db", tmp_path / "text.db")


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    path = tmp_path / "many.db"
    with detente.open(path, create=True) as db, db.batch() as batch:
        for number in range(1000):
            batch.persons.create(id=f"p{number}", note="x" * 500)
    command = f"{sys.executable} -m detente export --db {path} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)


def test_usage() -> None:
    assert "detente" in good("--version")
    for verb in ("demo", "serve", "get", "list", "create", "edit", "delete", "load", "export"):
        assert verb in good("--help")
        assert "usage: detente" in good(verb, "--help")
    assert bad(2)
    assert bad(2, "nonsense")
    assert bad(2, "demo", "--nonsense")


def test_serve(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "detente", "serve", "--listen=localhost:0"]
    process = subprocess.Popen(
        [*command, "--db", str(tmp_path / "served.db")], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        assert "persons/a" in good("create", "persons", "--id", "a", "--server", address)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert good("get", "persons/a", "--db", tmp_path / "served.db")
    assert run("serve", "--nonsense").returncode != 0


def test_demo() -> None:
    page = good("demo")
    for part in (
        "123 announced",
        "Алесь Бяляцкі",
        "UNDISCLOSED",
        "GL 13",
        "authorizes only",
        "former President of the United States",
        "DENIED",
        "WHAT WAS PROMISED",
    ):
        assert part in page
    assert "{" not in page
    assert max(map(len, page.splitlines())) <= 100
