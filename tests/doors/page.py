"""Commands of a page of docs/, with what is shown below each."""

import re

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[tuple[str, str]]:
    """Each `$ command` of the console blocks; what is shown is empty where nothing is."""
    found = []
    for language, block in BLOCK.findall(text):
        if language == "console":
            for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, shown = part.partition("\n")
                found.append((command, shown))
    return found


def as_shown(output: str, shown: str) -> bool:
    """Whether an output is what is shown: ` …` at a line's end is whatever follows there."""
    pattern = ""
    for line in shown.splitlines():
        if line.endswith(" …"):
            pattern += re.escape(line.removesuffix(" …")) + ".*\n"
        else:
            pattern += re.escape(line) + "\n"
    return re.fullmatch(pattern, output) is not None
