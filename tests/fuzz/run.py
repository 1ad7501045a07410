"""Fuzzing with libFuzzer: `./dev fuzz edtf --runs 1000000`.

Clang comes from Debian, and is installed when it is missing; nothing else needs it. What the fuzzer
learns stays in build/fuzz/edtf; an input that fails is left there and named.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
VERSIONS = ("14", "19")  # of clang in Debian 12, the preferred first

TARGETS = {
    "edtf": {
        "sources": [
            HERE / "edtf_fuzz.cc",
            HERE / "edtf_check.cc",
            ROOT / "server/values/civil_date.cc",
            *sorted((ROOT / "server/values").glob("edtf_*.cc")),
        ],
        "packages": ["absl_status", "absl_statusor", "absl_strings"],
        "max_len": 300,  # bytes: some over the limit
    },
    "filter": {
        "sources": [
            HERE / "filter_fuzz.cc",
            HERE / "filter_check.cc",
            ROOT / "server/error/error.cc",
            *sorted((ROOT / "server/query").glob("*.cc")),
            *sorted((ROOT / "server/values").glob("*.cc")),
        ],
        "packages": [
            *("absl_status", "absl_statusor", "absl_strings", "absl_time", "absl_cord"),
            *("absl_flat_hash_set", "absl_flat_hash_map", "absl_hash", "absl_raw_hash_set"),
            *("protobuf", "icu-i18n", "icu-uc", "libcrypto"),
        ],
        "protos": True,
        "max_len": 400,
    },
}

# What the build made of the contract, and of the tests' resource.
RELEASE = ROOT / "build/release"
PROTOS = ("googleapis", "proto", "specimen_proto")


def clang() -> str:
    for version in VERSIONS:
        runtime = Path(f"/usr/lib/llvm-{version}/lib/clang")
        if shutil.which(f"clang++-{version}") and [*runtime.glob("**/*fuzzer*.a")]:
            return f"clang++-{version}"
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "update", "-qq"])
    for version in VERSIONS:
        packages = [f"clang-{version}", f"libclang-rt-{version}-dev"]
        print("fuzz: apt-get install", *packages, file=sys.stderr)
        command = [*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0:
            return f"clang++-{version}"
    sys.exit("fuzz: no clang with libFuzzer; install clang-14 and libclang-rt-14-dev")


def build(name: str) -> Path:
    target = TARGETS[name]
    folder = ROOT / "build/fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    binary = folder / f"{name}_fuzz"
    libraries = subprocess.run(
        ["pkg-config", "--cflags", "--libs", *target["packages"]],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    checks = "-fsanitize=fuzzer,address,undefined"
    command = [clang(), "-std=c++20", "-O2", "-g", checks, "-fno-sanitize-recover=all"]
    # absl's own archives are not instrumented.
    sources = map(str, target["sources"])
    include = [f"-I{ROOT / 'server'}", f"-I{HERE}"]
    if target.get("protos"):
        include += [f"-isystem{RELEASE / 'gen' / f'detente_{name}'}" for name in PROTOS]
        for name in PROTOS:
            libraries += map(str, RELEASE.glob(f"**/detente_{name}_objects.dir/**/*.pb.cc.o"))
    subprocess.run([*command, *include, *sources, "-o", binary, *libraries], check=True)
    return binary


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs to try")
    parser.add_argument("--seed", type=int, default=0, help="0 is another one each time")
    arguments = parser.parse_args()
    binary = build(arguments.target)
    learnt = ROOT / "build/fuzz" / arguments.target
    learnt.mkdir(exist_ok=True)
    command = [
        binary,
        f"-runs={arguments.runs}",
        f"-seed={arguments.seed}",
        f"-max_len={TARGETS[arguments.target]['max_len']}",
        f"-artifact_prefix={learnt}/failed-",
        f"-dict={HERE / arguments.target}.dict",
        "-print_final_stats=1",
        learnt,
        HERE / "corpus" / arguments.target,
    ]
    sys.exit(subprocess.run(command).returncode)


if __name__ == "__main__":
    main()
