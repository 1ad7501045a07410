"""The image, built by `./dev image` and run without an engine: see container.py."""

import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
HERE = pathlib.Path(__file__).parent
STORE = ["--root", str(ROOT / "build/image/storage"), "--runroot", str(ROOT / "build/image/run")]
USER = 10001

# The build from nothing installs Debian twice.
pytestmark = pytest.mark.timeout(1200)


def buildah(verb: str, *arguments: str) -> str:
    done = subprocess.run(
        ["buildah", *STORE, verb, *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


class Image:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.config = json.loads(buildah("inspect", "--type", "image", "localhost/detente"))[
            "Docker"
        ]["config"]

    def files(self) -> dict[str, os.stat_result]:
        return {
            str(path.relative_to(self.root)): path.lstat()
            for path in self.root.rglob("*")
            if not path.is_dir()
        }


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    assert os.getuid() == 0, "root is needed to build and run an image without an engine"
    done = subprocess.run([ROOT / "dev", "image"], capture_output=True, text=True)
    assert done.returncode == 0, f"./dev image failed:\n{done.stderr}"
    container = buildah("from", "--pull-never", "localhost/detente")
    try:
        yield Image(pathlib.Path(buildah("mount", container)))
    finally:
        buildah("umount", container)
        buildah("rm", container)


class Container:
    """The image's command, running, with its store in `volume`."""

    def __init__(self, image: Image, volume: pathlib.Path) -> None:
        self.image = image
        unshare = ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child"]
        run = [sys.executable, str(HERE / "container.py"), image.root, volume]
        self.process = subprocess.Popen(
            [*unshare, *run, json.dumps(image.config)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.line = self.process.stdout.readline()
        if not self.line:
            raise AssertionError(self.process.stderr.read())
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.pid = int(children.read_text())

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of the image, as its user, beside the server."""
        user = [f"--setuid={USER}", f"--setgid={USER}"]
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--root", *user]
        environment = dict(variable.split("=", 1) for variable in self.image.config["Env"])
        return subprocess.run(
            [*enter, *command], env=environment, capture_output=True, text=True, timeout=20
        )

    def client(self, program: str) -> str:
        """Runs a Python program of this machine in the container's network."""
        enter = ["nsenter", f"--target={self.pid}", "--net", sys.executable, "-c"]
        begin = "import detente\ndb = detente.connect('127.0.0.1:7400')\n"
        done = subprocess.run([*enter, begin + program], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def stop(self) -> int:
        os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(20)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self) -> "Container":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def volume(tmp_path: pathlib.Path) -> pathlib.Path:
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o700)
    os.chown(folder, USER, USER)
    return folder


def test_it_holds_the_server_and_what_that_loads(image: Image) -> None:
    files = image.files()
    assert [f for f in files if f.startswith("usr/bin/")] == ["usr/bin/detente-server"]
    others = {f for f in files if not f.startswith(("usr/bin/", "usr/lib/", "usr/share/doc/"))}
    assert others == {"etc/passwd", "etc/group", "lib64/ld-linux-x86-64.so.2"}
    for file, info in files.items():
        assert info.st_uid == 0, file
        assert not info.st_mode & (stat.S_ISUID | stat.S_ISGID | stat.S_IWOTH), file
    assert sum(info.st_size for info in files.values()) < 130_000_000
    volume = (image.root / "var/lib/detente").stat()
    assert (volume.st_uid, volume.st_gid, stat.S_IMODE(volume.st_mode)) == (USER, USER, 0o700)
    assert (image.root / "var/lib").stat().st_uid == 0


def test_it_holds_the_licences(image: Image) -> None:
    folder = image.root / "usr/share/doc"
    assert {path.name for path in folder.iterdir()} >= {
        # loaded
        "detente",
        "libc6",
        "libgcc-s1",
        "libicu72",
        "libstdc++6",
        "pyarrow",
        # linked in
        "googleapis-common-protos",
        "libabsl-dev",
        "libc-ares-dev",
        "libgrpc++-dev",
        "libgrpc-dev",
        "libprotobuf-dev",
        "libre2-dev",
        "libsqlite3-dev",
        "libssl-dev",
        "zlib1g-dev",
    }
    for name in folder.iterdir():
        assert sum(path.stat().st_size for path in name.iterdir()) > 500, name
    assert (folder / "detente/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_it_says_what_it_is(image: Image) -> None:
    config = image.config
    assert config["User"] == f"{USER}:{USER}"
    assert config["Volumes"] == {"/var/lib/detente": {}}
    assert config["ExposedPorts"] == {"7400/tcp": {}}
    assert config["Healthcheck"]["Test"] == ["CMD", "/usr/bin/detente-server", "--check_health"]
    labels = config["Labels"]
    head = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True).strip()
    assert labels["org.opencontainers.image.revision"].removesuffix("-dirty") == head
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", labels["org.opencontainers.image.version"])


def test_it_runs_read_only_and_keeps_its_records(image: Image, volume: pathlib.Path) -> None:
    with Container(image, volume) as container:
        assert container.line == "detente-server listening on 0.0.0.0:7400\n"
        status = pathlib.Path(f"/proc/{container.pid}/status").read_text()
        assert f"\nUid:\t{USER}\t{USER}\t{USER}\t{USER}\n" in status
        assert "\nCapEff:\t0000000000000000\n" in status
        assert status.partition("\nNSpid:")[2].split("\n")[0].split()[-1] == "1"

        health = container.inside(*image.config["Healthcheck"]["Test"][1:])
        assert (health.returncode, health.stderr) == (0, "")
        write = "db.persons.create(detente.Person(display_name='Test Person 17'), id='test-17')"
        assert container.client(f"print({write}.revision)") == "1"
        assert (volume / "detente.db").stat().st_uid == USER

        for place in ("/etc/x.db", "/usr/lib/x.db", "/x.db"):
            refused = container.inside(
                "/usr/bin/detente-server", f"--store=sqlite:{place}", "--listen=127.0.0.1:0"
            )
            assert refused.returncode == 1
            assert "Read-only file system" in refused.stderr
        started = time.monotonic()
        assert container.stop() == 0
        assert time.monotonic() - started < 10
        assert container.process.stderr.read() == ""
    with Container(image, volume) as container:
        assert container.client("print(db.persons.get('test-17').display_name)") == "Test Person 17"
        assert container.stop() == 0
    assert not (image.root / "etc/x.db").exists()
