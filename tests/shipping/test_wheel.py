"""The wheel, in a root folder without compiler, gRPC, protobuf and ICU; the source distribution."""

import email
import functools
import hashlib
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from shipping.clean_root import CleanRoot

ROOT = Path(__file__).parents[2]
DIST = ROOT / "build/dist"
WHEELHOUSE = ROOT / "build/wheelhouse"  # of what the wheel depends on
PAGE = (ROOT / "docs/install.md").read_text()
BIN = "/venv/bin"

pytestmark = pytest.mark.timeout(900)  # where the compiler's cache is cold


@pytest.fixture(scope="module")
def made() -> tuple[Path, Path]:
    """The wheel and the source distribution."""
    subprocess.run([sys.executable, ROOT / "deploy/wheel.py", "--out", DIST], check=True)
    (wheel,) = DIST.glob("*.whl")
    (sdist,) = DIST.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def wheel(made: tuple[Path, Path]) -> Path:
    return made[0]


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def wheelhouse(wheel: Path) -> Path:
    """The wheels that ours depends on, from PyPI, in the versions of requirements-dev.txt."""
    pinned = ROOT / "requirements-dev.txt"
    needs = "\n".join(sorted(metadata(wheel).get_all("Requires-Dist", [])))
    want = hashlib.sha256(needs.encode() + pinned.read_bytes()).hexdigest()
    stamp = WHEELHOUSE / ".stamp"
    if not stamp.exists() or stamp.read_text() != want:
        shutil.rmtree(WHEELHOUSE, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"]
        subprocess.run([*pip, "-c", pinned, "-d", WHEELHOUSE, wheel], check=True)
        for ours in WHEELHOUSE.glob("detente-*.whl"):
            ours.unlink()
        stamp.write_text(want)
    return WHEELHOUSE


@pytest.fixture(scope="module")
def bare(
    wheel: Path, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CleanRoot]:
    """The root folder, with the wheels in it."""
    folder = tmp_path_factory.mktemp("root")
    root = CleanRoot(folder, ["python3", "python3-venv", "libstdc++6"])
    (folder / "wheels").mkdir()
    for file in (wheel, *wheelhouse.glob("*.whl")):
        os.link(file, folder / "wheels" / file.name)
    yield root
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def clean(bare: CleanRoot) -> CleanRoot:
    """With an environment, /venv, in which pip has installed the wheel."""
    follow_the_page(bare, "pip install")
    return bare


def follow_the_page(root: CleanRoot, about: str) -> list[str]:
    """Runs the block of docs/install.md that has `about`, at the top of the root; its output."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (block,) = [block for block in blocks if f"/{about}" in block or block.startswith(about)]
    (ours,) = (root.root / "wheels").glob("detente-*.whl")
    lines = re.sub(r"detente-\S*\.whl", f"/wheels/{ours.name}", block).splitlines()
    return [root.run(*shlex.split(line)) for line in lines]


def test_the_root_is_clean(bare: CleanRoot) -> None:
    missing = re.compile(
        r"lib(grpc|gpr|protobuf|absl|re2|cares|icu|arrow|upb|address_sorting)|cc1|gcc$|g\+\+$|cc$|ld$"
    )
    usr = bare.root / "usr"
    assert not [path for path in usr.rglob("*") if path.is_file() and missing.match(path.name)]
    assert list(usr.rglob("libstdc++.so.6"))


def test_the_demo(clean: CleanRoot) -> None:
    assert f"{BIN[1:]}/detente demo\n" in PAGE
    page = clean.run(f"{BIN}/detente", "demo")
    assert "RELEASE OF 123 PRISONERS, BELARUS, 13 DECEMBER 2025" in page
    assert "Ales Bialiatski        Алесь Бяляцкі" in page


def test_one_version_everywhere(clean: CleanRoot, wheel: Path, made: tuple[Path, Path]) -> None:
    version = metadata(wheel)["Version"]
    assert clean.run(f"{BIN}/detente", "--version") == f"detente {version}\n"
    assert clean.run(f"{BIN}/detente-server", "--version") == f"detente-server {version}\n"
    told = clean.run(f"{BIN}/python", "-c", "import detente; print(detente.__version__)")
    assert told == f"{version}\n"
    assert made[1].name == f"detente-{version}.tar.gz"


EMBEDDED = """
import ssl
import detente
import pyarrow.compute as pc

with detente.open("/tmp/own.db", create=True) as db:
    db.persons.create(id="p17", display_name="Test Person 17", names=[{"full": "Пробны Чалавек"}])
    db.releases.create(id="r1", display_name="Test release", effective_date="2025-12~")
with detente.open("/tmp/own.db") as db:
    print(db.persons.get("p17").display_name)
    print([hit.name for hit in db.search("probny")])
    print(db.releases.list('possibly(effective_date, "2025-12")').count())
    table = db.persons.list().to_arrow()
    print(pc.match_substring_regex(table["display_name"], "^Test .* [0-9]+$").to_pylist())
    print(ssl.create_default_context().verify_mode.name)
"""

REMOTE = """
import sys
import detente

with detente.connect(sys.argv[1]) as db:
    print(db.persons.create(id="p18", display_name="Test Person 18").revision)
    print(db.persons.list().to_arrow().num_rows)
with detente.connect(sys.argv[1], tls=True, timeout=5) as db:
    try:
        db.persons.get("p18")
    except (detente.UnavailableError, detente.DeadlineExceededError):
        print("no TLS there")
"""


def test_a_store_in_the_process(clean: CleanRoot) -> None:
    told = clean.run(f"{BIN}/python", "-c", EMBEDDED).splitlines()
    assert told == ["Test Person 17", "['persons/p17']", "1", "[True]", "CERT_REQUIRED"]


def test_a_server(clean: CleanRoot) -> None:
    command = clean.command(f"{BIN}/detente", "serve", "--db", "/tmp/s.db", "--listen=localhost:0")
    with subprocess.Popen(
        command, env=clean.environment, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip().removeprefix("detente-server listening on ")
            told = clean.run(f"{BIN}/python", "-c", REMOTE, address)
        finally:
            server.send_signal(signal.SIGTERM)
    assert told.splitlines() == ["1", "1", "no TLS there"]
    assert server.returncode == 0


def test_uv_installs_it(bare: CleanRoot) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert uv is not None
    shutil.copy(uv, bare.root / "usr/bin/uv")
    follow_the_page(bare, "uv venv")
    assert bare.run("/.venv/bin/detente-server", "--version").startswith("detente-server ")
    found = bare.run("/.venv/bin/python", "-c", 'import detente; print(detente.Date("2025-12?"))')
    assert "2025-12" in found


def test_libraries(wheel: Path) -> None:
    """libarrow is pyarrow's, found beside the package; all else of the system is inside."""
    needed: dict[str, set[str]] = {}
    with zipfile.ZipFile(wheel) as archive:
        inside = {Path(name).name for name in archive.namelist()}
        for name in archive.namelist():
            content = archive.read(name)
            if content[:4] != b"\x7fELF":
                continue
            section = ELFFile(io.BytesIO(content)).get_section_by_name(".dynamic")
            assert isinstance(section, DynamicSection)
            needed[name] = {t.needed for t in section.iter_tags("DT_NEEDED")}
            paths = [t.rpath for t in section.iter_tags("DT_RPATH")]
            paths += [t.runpath for t in section.iter_tags("DT_RUNPATH")]
            if "libarrow.so.2600" in needed[name]:
                up = "../" * name.count("/")
                assert f"$ORIGIN/{up}pyarrow" in ":".join(paths).split(":"), name
    assert "libarrow.so.2600" not in inside
    users = [name for name, of in needed.items() if "libarrow.so.2600" in of]
    assert len(users) == 2, users  # the module and the server
    system = {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"}
    system |= {"ld-linux-x86-64.so.2", "libarrow.so.2600"}
    assert functools.reduce(set.union, needed.values()) - system <= inside


def test_licences(wheel: Path) -> None:
    """What it holds and what that is licensed by, as its metadata say."""
    with zipfile.ZipFile(wheel) as archive:
        files = {
            name.partition(".dist-info/licenses/")[2]: archive.read(name).decode()
            for name in archive.namelist()
            if ".dist-info/licenses/" in name
        }
        libraries = [name for name in archive.namelist() if name.startswith("detente.libs/lib")]
    assert sorted(metadata(wheel).get_all("License-File", [])) == sorted(files)
    assert "Apache License" in files["LICENSE"]
    components = {
        *("abseil", "c-ares", "grpc", "icu", "openssl", "protobuf", "re2", "sqlite3", "zlib"),
        *("googleapis-common-protos", "pyarrow", "pybind11"),
    }
    for name in components:
        assert re.search(rf"^{name} \d", files["NOTICE"], re.MULTILINE), name
        assert [file for file in files if file.startswith(f"third-party/{name}/")], name
    for text in list(files.values()):
        for common in re.findall(r"/usr/share/common-licenses/([\w.+-]*\w)", text):
            assert f"third-party/common-licenses/{common}" in files
    named = set(re.findall(r"[^\s,]+", files["NOTICE"]))
    assert len(libraries) > 20
    for library in libraries:
        assert re.sub(r"-[0-9a-f]{8}(?=\.so)", "", library.partition("/")[2]) in named
    assert "libgrpc.a" in named  # of the server
    assert not [name for name in named if name.startswith("libarrow")]


def test_the_source_distribution_is_whole(made: tuple[Path, Path]) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    with tarfile.open(made[1]) as archive:
        (top,) = {name.partition("/")[0] for name in archive.getnames()}
        held = {name.removeprefix(f"{top}/") for name in archive.getnames()}
    wanted = {path for path in tracked if path and (ROOT / path).exists()}
    assert len(wanted) > 500
    assert wanted <= held
    # The version, and no file that is not ours.
    assert held - wanted - set(untracked()) == {"PKG-INFO"}


def untracked() -> list[str]:
    return subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")


def test_the_version_is_the_tag(tmp_path: Path) -> None:
    for name in ("pyproject.toml", ".git_archival.txt", ".gitattributes"):
        shutil.copy(ROOT / name, tmp_path)

    def run(*command: str) -> str:
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org"]
    scm = [sys.executable, "-m", "setuptools_scm"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\.dev0", run(*scm))
    run(*git, "init", "--quiet")
    run(*git, "add", ".")
    run(*git, "commit", "--quiet", "-m", "one")
    run(*git, "tag", "v1.2.0")
    assert run(*scm) == "1.2.0"
    run(*git, "commit", "--quiet", "--allow-empty", "-m", "two")
    assert re.fullmatch(r"1\.2\.1\.dev1\+g[0-9a-f]+", run(*scm))
    run(*git, "archive", "--output=archive.tar", "v1.2.0")
    (tmp_path / "archive").mkdir()
    run("tar", "-xf", "archive.tar", "-C", "archive")
    tmp_path = tmp_path / "archive"
    assert run(*scm) == "1.2.0"


def test_the_page_tells_the_size(wheel: Path) -> None:
    """And that of each part, to a tenth of the whole."""
    megabytes = wheel.stat().st_size / 1e6
    (told,) = re.findall(r"\.whl  ([\d.]+) MB$", PAGE, re.MULTILINE)
    parts = re.findall(r"^\| [^|]+ \| ([\d.]+) \| [\d.]+ \|$", PAGE, re.MULTILINE)
    assert float(told) == pytest.approx(megabytes, rel=0.1)
    assert sum(map(float, parts)) == pytest.approx(megabytes, rel=0.1)
    assert wheel.name.split("-")[-1] in PAGE  # the tag of the oldest system


@pytest.mark.parametrize("page", ["docs/install.md", "SECURITY.md", "docs/cpp.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target
