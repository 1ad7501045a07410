"""`./dev wheel`: a wheel that runs where Debian's gRPC is absent, and the source distribution.

auditwheel puts the shared libraries beside the package; libarrow stays pyarrow's. Their licences,
and those of what is linked into the server, are added: deploy/licenses.py.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
import zipfile
from pathlib import Path

import licenses

ROOT = Path(__file__).resolve().parent.parent
# Compiled into the binaries as headers or generated code.
COMPILED_IN = ("googleapis-common-protos", "pyarrow", "pybind11")
# auditwheel names a library it takes in by its content: libgrpc-1a2b3c4d.so.29.
HASH = re.compile(r"-[0-9a-f]{8}(?=\.so)")


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev wheel", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where to; default dist/")
    parser.add_argument("--python", type=Path, help="the interpreter it is for; default .venv's")
    args = parser.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    python, work = _interpreter(args.python)

    shutil.rmtree(work / "made", ignore_errors=True)
    sdist = _backend(python, "sdist", work / "made")
    raw = _backend(python, "wheel", work / "made", {"build-dir": str(work)})
    repaired = _licensed(_repaired(raw), work)
    for old in out.glob(f"detente-*-{repaired.name.split('-')[-3]}-*.whl"):
        old.unlink()
    for old in out.glob("detente-*.tar.gz"):
        old.unlink()
    for made in (sdist, repaired):
        shutil.copy(made, out)
        print(f"{out / made.name}  {made.stat().st_size / 1e6:.1f} MB")
    _print_sizes(repaired)


def _interpreter(given: Path | None) -> tuple[Path, Path]:
    """The Python to build with, and the build folder; two levels deep, as build/release is, so that
    ccache knows the paths."""
    if given is None:
        return Path(sys.executable), ROOT / "build/wheel"
    told = [given, "-c", "import sys; print(*sys.version_info[:2], sep='')"]
    version = subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()
    work = ROOT / f"build/wheel-cp{version}"
    if not (work / "venv/bin/python").exists():
        requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
        subprocess.run([given, "-m", "venv", work / "venv"], check=True)
        pip = [work / "venv/bin/pip", "install", "--quiet", "-c", ROOT / "requirements-dev.txt"]
        subprocess.run([*pip, *requires], check=True)
    return work / "venv/bin/python", work


def _backend(python: Path, what: str, folder: Path, config: dict[str, str] | None = None) -> Path:
    """What PEP 517's build_wheel or build_sdist makes."""
    code = f"import scikit_build_core.build as b, sys; print(b.build_{what}(sys.argv[1], {config}))"
    environment = {
        **os.environ,
        "PATH": f"{python.parent}:{os.environ['PATH']}",
        "CXX": os.environ.get("CXX", "c++"),  # as the other builds: ccache knows it by its name
    }
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [python, "-c", code, folder], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{what}: FAILED")
    return folder / done.stdout.splitlines()[-1]


def _repaired(wheel: Path) -> Path:
    """With the shared libraries in it, and the tag of the oldest system that it runs on."""
    out = wheel.parent / "repaired"
    command = [sys.executable, "-m", "auditwheel", "repair", "-z1", "--exclude", "libarrow.so.*"]
    done = subprocess.run(
        [*command, "--wheel-dir", out, wheel],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}")
    (repaired,) = out.glob("*.whl")
    return repaired


def _licensed(wheel: Path, work: Path) -> Path:
    """With the licences of all that it holds."""
    tree = wheel.parent / "tree"
    tool = [sys.executable, "-m", "wheel"]
    subprocess.run([*tool, "unpack", "--dest", tree, wheel], check=True, stdout=subprocess.DEVNULL)
    (unpacked,) = tree.iterdir()
    (info,) = unpacked.glob("*.dist-info")
    bundled = ["*/" + HASH.sub("", file.name) for file in unpacked.glob("*.libs/*")]
    folder = info / "licenses/third-party"
    components = licenses.gather([*_linked(work), *bundled], COMPILED_IN, folder)
    notice = ["Détente, and in this wheel, each under the licence in third-party/NAME:"]
    for component in components:
        parts = textwrap.fill(
            ", ".join(sorted(component.files)),
            100,
            initial_indent="  ",
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
        notice += ["", f"{component.name} {component.version}", *filter(None, [parts])]
    (info / "licenses/NOTICE").write_text("\n".join(notice) + "\n", encoding="utf-8")

    files = [file for file in (info / "licenses").rglob("*") if file.is_file()]
    names = sorted(str(file.relative_to(info / "licenses")) for file in files)
    metadata = (info / "METADATA").read_text(encoding="utf-8")
    head, _, body = metadata.partition("\n\n")
    kept = [line for line in head.splitlines() if not line.startswith("License-File:")]
    head = "\n".join(kept + [f"License-File: {name}" for name in names])
    (info / "METADATA").write_text(f"{head}\n\n{body}", encoding="utf-8")

    out = wheel.parent / "licensed"
    out.mkdir()
    command = [*tool, "pack", "--dest-dir", out, unpacked]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (packed,) = out.iterdir()
    return packed


def _linked(work: Path) -> list[str]:
    """The libraries of the system that the binaries were linked with."""
    command = ["ninja", "-C", work, "-t", "inputs", "detente-server", "_core"]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    linked = [line for line in told.stdout.split() if re.match(r"/(usr/)?lib/.*\.(a|so)$", line)]
    if not linked:
        sys.exit(f"{work}: no library is linked?")
    return linked


def _print_sizes(wheel: Path) -> None:
    parts: dict[str, tuple[int, int]] = {}
    for entry in zipfile.ZipFile(wheel).infolist():
        folder, _, name = entry.filename.partition("/")
        part = {"detente": "Python, samples, mappings", "detente.libs": "other libraries"}.get(
            folder, "licences and metadata"
        )
        if name.startswith(("_core.", "bin/")):
            part = name
        elif folder == "detente.libs":
            for of in ("icu", "grpc", "crypto", "protobuf"):
                part = f"lib{of}*" if name.startswith(f"lib{of}") else part
        packed, unpacked = parts.get(part, (0, 0))
        parts[part] = packed + entry.compress_size, unpacked + entry.file_size
    for part, (packed, unpacked) in sorted(parts.items(), key=lambda item: -item[1][0]):
        print(f"  {packed / 1e6:5.1f} MB, installed {unpacked / 1e6:5.1f}: {part}")


if __name__ == "__main__":
    main()
