"""The C++ package, installed elsewhere and used by a project outside the tree, and docs/cpp.md."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from wire.contract import BINARY_DIR
from wire.process import Server, environment

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests/package/example"
PAGE = (ROOT / "docs/cpp.md").read_text()
SOURCES = ("main.cc", "report.cc", "report_test.cc", "CMakeLists.txt")

PRINTED = """\
releases/xa-2025-09 is at revision 2
persons/test-person-17 is Test Person 17
at revision 2 its note was "As announced."
releases/xa-2025-09 on 2025-09-11?: 52
refused, INVALID_FIELD:
  release.effective_date.edtf: """


def run(*command: str | Path, cwd: Path, fails: bool = False, **variables: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=environment(**variables), capture_output=True, text=True
    )
    assert (done.returncode != 0) == fails, f"{command}: {done.stdout}{done.stderr}"
    return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("prefix")
    install = ("cmake", "--install", BINARY_DIR, "--prefix", prefix, "--component", "cpp")
    run(*install, cwd=ROOT)
    return prefix


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example, in a place of its own."""
    return Path(shutil.copytree(EXAMPLE, tmp_path_factory.mktemp("outside") / "example"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """For ccache, which then knows a source wherever the folder of this run lies."""
    return {"CCACHE_BASEDIR": str(tmp_path_factory.getbasetemp()), "CCACHE_NOHASHDIR": "1"}


@pytest.fixture(scope="module")
def built(prefix: Path, project: Path, cache: dict[str, str]) -> Path:
    launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    configure = ("cmake", "-GNinja", "-Bbuild", f"-DCMAKE_PREFIX_PATH={prefix}", *launcher)
    run(*configure, "-DCMAKE_BUILD_TYPE=Debug", cwd=project)
    run("cmake", "--build", "build", cwd=project, **cache)
    return project / "build"


def test_its_own_tests_use_the_mock(built: Path) -> None:
    told = run("ctest", "--output-on-failure", cwd=built)
    assert "100% tests passed, 0 tests failed out of 1" in told


def test_a_server_and_a_file_answer_alike(built: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "server.db") as server:
        remote = run(built / "example", server.address, cwd=tmp_path)
    embedded = run(built / "example", "file:own.db", cwd=tmp_path)
    assert remote == embedded
    assert remote.startswith(PRINTED)
    assert "  release.headcount.low: " in remote


def test_a_failure_is_told(built: Path, tmp_path: Path) -> None:
    told = run(built / "example", "file:nowhere/own.db", cwd=tmp_path, fails=True)
    assert "nowhere/own.db" in told


def test_the_client_alone_needs_no_engine(built: Path) -> None:
    needed = run("readelf", "-d", built / "report_test", cwd=built)
    assert "libdetente_client.so" in needed
    assert "libdetente_client_local.so" not in needed


def test_pkg_config(prefix: Path, project: Path, cache: dict[str, str], tmp_path: Path) -> None:
    path = {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "detente-local", cwd=tmp_path, **path).split()
    compiler = ["ccache", "c++"] if shutil.which("ccache") else ["c++"]
    objects = []
    for source in ("main.cc", "report.cc"):
        objects.append(Path(source).with_suffix(".o"))
        command = [*compiler, "-std=c++20", *flags, "-c", project / source, "-o", objects[-1]]
        run(*command, cwd=tmp_path, **cache)
    run("c++", *objects, *flags, f"-Wl,-rpath,{prefix}/lib", "-o", "example", cwd=tmp_path)
    told = run(tmp_path / "example", "file:own.db", cwd=tmp_path)
    assert told.startswith(PRINTED)


def test_all_tell_one_version(prefix: Path, tmp_path: Path) -> None:
    path = {"PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    version = run("pkg-config", "--modversion", "detente", cwd=tmp_path, **path).strip()
    config = (prefix / "lib/cmake/detente/detenteConfigVersion.cmake").read_text()
    assert f'set(PACKAGE_VERSION "{version}")' in config
    server = run(BINARY_DIR / "bin/detente-server", "--version", cwd=tmp_path)
    assert re.fullmatch(rf"detente-server {re.escape(version)}(\.?dev\d+.*)?\n", server)
    python = (BINARY_DIR / "python/detente/_version.py").read_text()
    assert server.split()[1] in python


def test_what_is_missing_is_named(prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES CXX)\n"
        "set(CMAKE_DISABLE_FIND_PACKAGE_absl TRUE)\nfind_package(detente CONFIG REQUIRED)\n"
    )
    configure = ("cmake", "-GNinja", "-Bbuild", f"-DCMAKE_PREFIX_PATH={prefix}")
    told = run(*configure, cwd=tmp_path, fails=True)
    assert "Abseil" in told
    assert "libabsl-dev" in told


def test_it_is_all_below_its_own_names(prefix: Path) -> None:
    """So that it can be put into /usr/local beside anything."""
    assert os.listdir(prefix / "include") == ["detente"]
    assert sorted(os.listdir(prefix / "share")) == ["detente", "doc"]
    libraries = [name for name in os.listdir(prefix / "lib") if name.startswith("lib")]
    assert all(name.startswith(("libdetente_", "libarrow.so.")) for name in libraries)
    for header in (prefix / "include/detente/detente/client").iterdir():
        for included in re.findall(r'#include "([^"]+)"', header.read_text()):
            found = (prefix / "include/detente" / included).exists()
            assert found or included.startswith(("absl/", "gmock/", "google/protobuf/")), included
    listed = {file.name for file in (prefix / "share/detente/proto/detente/v1").iterdir()}
    assert listed == {file.name for file in (ROOT / "proto/detente/v1").glob("*.proto")}


def test_the_page_shows_the_example(built: Path, tmp_path: Path) -> None:
    text = "\n".join((EXAMPLE / name).read_text() for name in SOURCES)
    blocks = re.findall(r"^```(cpp|cmake)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    for _, block in blocks:
        assert block in text, block
    (output,) = re.findall(r"^```console\n\$ build/example .*?\n(.*?)^```$", PAGE, re.M | re.S)
    assert output == run(built / "example", "file:own.db", cwd=tmp_path)
