"""BatchWrite beside SQLite's own inserts of the same rows; batch_write.cc measures and verifies."""

import json
import subprocess
import tempfile

from report import Result, Row, check
from servers import BUILD

RECORDS = 1_000


def run(rounds: int) -> Result:
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as folder:
        done = subprocess.run(
            [
                BUILD / "bin/bench-batch-write",
                f"--folder={folder}",
                f"--rounds={rounds}",
                f"--records={RECORDS}",
            ],
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
        )
    check(done.returncode == 0, "bench-batch-write failed; it says why above")
    measured = json.loads(done.stdout)

    def rows_s(name: str) -> list[float]:
        return [RECORDS / seconds for seconds in measured[name]["seconds"]]

    def cpu_us(name: str) -> list[float]:
        return [seconds * 1e6 / RECORDS for seconds in measured[name]["cpu_seconds"]]

    raw = rows_s("raw")
    return Result(
        "batch_write",
        f"BatchWrite of {RECORDS:,} new persons of about {measured['record_bytes']} bytes, one "
        f"caller; {rounds} rounds; raw = the same rows into the same tables by SQLite's C API "
        "(WAL, synchronous=FULL, one transaction)",
        [
            Row("raw SQLite: rows", "/s", raw),
            Row("handler: rows", "/s", rows_s("handler"), raw, 0.6, at_most=False),
            Row("over the wire: rows", "/s", rows_s("wire"), raw),
            Row("raw SQLite: CPU a row", "us", cpu_us("raw")),
            Row("handler: CPU a row", "us", cpu_us("handler"), cpu_us("raw")),
        ],
    )
