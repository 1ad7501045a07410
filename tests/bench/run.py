"""Runs the benchmarks: `./dev bench [NAME...]`.

A figure never fails; a result that is not the right one does.
"""

import argparse
import shlex
import shutil
import sys

import batch_write
import connections
import frames
import from_python
import get
import history
import many_rows
import query
import report
import write_rows

BENCHMARKS = {
    "get": get.run,
    "batch_write": batch_write.run,
    "history": history.run,
    "query": query.run,
    "frames": frames.run,
    "write_rows": write_rows.run,
    "python": from_python.run,
    "many_rows": many_rows.run,
    "connections": connections.run,
}
BY_NAME = {"many_rows"}  # they take half an hour


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=9, help="measured rounds (default: 9)")
    parser.add_argument("--json", metavar="FILE", help="write all values there too")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in BENCHMARKS:
            parser.error(f"no benchmark {name}; there are {', '.join(BENCHMARKS)}")
    if shutil.which("h2load") is None:
        parser.error("h2load is missing; ./dev setup installs it")

    machine = report.machine()
    print(
        f"{machine['cores']} cores, {machine['processor']}, Linux {machine['kernel']}, "
        f"Python {machine['python']}, load {machine['load']}"
    )
    results = []
    for name, run in BENCHMARKS.items():
        if name not in arguments.names and (arguments.names or name in BY_NAME):
            continue
        try:
            result = run(arguments.rounds)
        except report.WrongResultError as error:
            print(f"bench: {name}: WRONG RESULT: {error}", file=sys.stderr)
            return 1
        result.print()
        results.append(result)
    if arguments.json:
        report.save(arguments.json, shlex.join(["./dev", "bench", *sys.argv[1:]]), results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
