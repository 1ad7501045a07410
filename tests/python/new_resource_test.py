"""A resource that only the tests have: its .proto alone gives it a collection, a type and verbs."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from wire.process import Server

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
import detente.v1

detente.v1.__path__.append(sys.argv[2])
import detente
from detente.cli import main

with detente.connect(sys.argv[1]) as db:
    assert "specimens" in dir(db)
    made = db.specimens.create(detente.Specimen(catalogue_number="1"), id="a", note="n")
    assert db.specimens.get("a") == made
    assert db.specimens.update(made, parts=[{"material": "STONE"}]).parts[0].id
    with db.batch() as batch:
        batch.specimens.create(id="b", catalogue_number="2", parent="specimens/a")
    assert [s.name for s in db.specimens.list()] == ["specimens/a", "specimens/b"]
    assert len(db.specimens.get_many(["b", "a"])) == 2
    assert db.at(1).specimens.get("a").parts == []
    assert len(list(db.specimens.revisions("a"))) == 2
    assert db.specimens.delete("b") and db.specimens.undelete("b")
assert main(["list", "specimens", "--server", sys.argv[1]]) == 0
assert main(["export", "specimens", "--server", sys.argv[1]]) == 0
"""


def test_a_resource_needs_its_proto_alone(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("google.api")
    assert spec is not None
    [api, *_] = spec.submodule_search_locations or []
    own = ROOT / "tests" / "wire" / "proto"
    subprocess.run(
        [
            "protoc",
            f"-I{own}",
            f"-I{ROOT / 'proto'}",
            f"-I{Path(api).parents[1]}",
            f"--python_out={tmp_path}",
            "detente/v1/specimen.proto",
            "detente/v1/specimen_service.proto",
        ],
        check=True,
    )
    server = Server(None, "--store=sqlite::memory:", binary="detente-server-specimen")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, server.address, str(tmp_path / "detente" / "v1")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    server.close()
    assert done.returncode == 0, done.stderr
    assert "specimens/b" in done.stdout
