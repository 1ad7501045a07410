"""Every program in docs/async.md, in its order, and its web service, asked as a server would."""

import asyncio
import importlib.util
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from typing import Any

import detente
import pytest
from detente import aio

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/async.md").read_text()
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command: list[str], folder: pathlib.Path) -> str:
    path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder in which all programs of the page have been run, and printed what it shows."""
    home = tmp_path_factory.mktemp("async")
    (home / "samples").symlink_to(ROOT / "samples")
    output, shown = "", 0
    for kind, block in BLOCK.findall(PAGE):
        if kind == "console":
            command, _, below = block.removeprefix("$ ").partition("\n")
            assert run(shlex.split(command), home) == below
        elif kind == "python":
            assert not output, "what the program before prints is not shown"
            output = run([sys.executable, "-c", block], home)
        elif kind:
            (home / kind.removeprefix("python ")).write_text(block)
        else:
            assert output == block
            output, shown = "", shown + 1
    assert shown == 3
    return home


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert list((ROOT / "docs").glob(f"{target}*")), target


def test_the_web_service(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELEASES", str(home / "belarus.db"))
    spec = importlib.util.spec_from_file_location("service", home / "service.py")
    assert spec is not None
    assert spec.loader is not None
    service = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(service)

    async def ask(path: str) -> tuple[int, Any]:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await service.app({"type": "http", "path": path}, None, send)
        return sent[0]["status"], json.loads(sent[1]["body"])

    async def main() -> None:
        events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        events.put_nowait({"type": "lifespan.startup"})
        lifespan = asyncio.create_task(service.app({"type": "lifespan"}, events.get, told.put))
        assert await told.get() == {"type": "lifespan.startup.complete"}
        answers = await asyncio.gather(
            *(ask(f"/releases/{name}") for name in ["by-2025-12-13", "none", "No id"] * 50)
        )
        for (status, release), (missing, why), (bad, _) in zip(*[iter(answers)] * 3, strict=True):
            assert (status, missing, bad) == (200, 404, 400)
            assert release["headcount"] == {"best": "123"}
            assert "releases/none" in why["error"]
        events.put_nowait({"type": "lifespan.shutdown"})
        await lifespan
        assert told.get_nowait() == {"type": "lifespan.shutdown.complete"}

    asyncio.run(main())


EXAMPLES = {  # docstrings that have been rewritten, whose examples need no more than the case
    "get": aio.AsyncReader.get,
    "list": aio.AsyncReader.list,
    "evidence": aio.AsyncReader.evidence,
    "history": aio.AsyncReader.history,
    "update": aio.AsyncCollection.update,
    "records": aio.AsyncRecordList,
    "search": aio.AsyncDatabase.search,
    "aggregate": aio.AsyncDatabase.aggregate,
    "stock": aio.AsyncDatabase.stock,
    "neighbors": aio.AsyncDatabase.neighbors,
    "batch": aio.AsyncDatabase.batch,
    "conflicts": aio.AsyncDatabase.conflicts,
    "findings": aio.AsyncDatabase.findings,
}


def test_examples_of_docstrings_run() -> None:
    import ast
    import doctest
    import inspect

    async def main() -> None:
        async with await detente.open_async(":memory:") as db:
            await db.load(ROOT / "samples/belarus-2025")
            names: dict[str, Any] = {"detente": detente, "db": db, "print": lambda *_: None}
            for name, told in EXAMPLES.items():
                examples = doctest.DocTestParser().get_examples(told.__doc__ or "")
                assert examples, name
                for example in examples:
                    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                    code = compile(example.source, name, "single", flags)
                    result = eval(code, names)
                    if inspect.isawaitable(result):
                        await result

    asyncio.run(main())
