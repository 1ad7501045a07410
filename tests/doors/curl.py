"""curl, as people call it."""

import dataclasses
import json
import subprocess
from typing import Any


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def reason(self) -> str:
        """Of the error's ErrorInfo; empty where there is none."""
        return "".join(d["reason"] for d in self.json["details"] if "reason" in d)

    @property
    def fields(self) -> list[str]:
        """Those of the error's BadRequest."""
        return [
            violation["field"]
            for detail in self.json["details"]
            for violation in detail.get("field_violations", [])
        ]


def curl(url: str, *arguments: str, input: str | None = None) -> Answer:
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "30", "--include", *arguments, url],
        input=input,
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.returncode == 0, done.stderr
    head, _, text = done.stdout.partition("\n\n")
    while head.split()[1] == "100":  # what it says before a large body
        head, _, text = text.partition("\n\n")
    first, *lines = head.splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return Answer(int(first.split()[1]), headers, text)


class Door:
    """The JSON door at `url`. A path and a query, then the body as Python has it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, *arguments: str, **query: Any) -> Answer:
        parts = []
        for name, value in query.items():
            for one in value if isinstance(value, list) else [value]:
                parts += ["--data-urlencode", f"{name.replace('__', '.')}={one}"]
        return curl(self.url + path, "--get", *parts, *arguments)

    def send(self, method: str, path: str, body: Any = None, *arguments: str) -> Answer:
        given = [] if body is None else ["--json", "@-"]
        text = body if isinstance(body, str) else json.dumps(body)
        return curl(self.url + path, "--request", method, *given, *arguments, input=text)

    def post(self, path: str, body: Any = None, *arguments: str) -> Answer:
        return self.send("POST", path, body, *arguments)

    def ok(self, answer: Answer) -> Any:
        assert answer.status == 200, answer.text
        return answer.json
