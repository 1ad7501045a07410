"""Builds the documentation: `./dev docs`, into build/docs/site.

    python docs/build.py [--out FOLDER]

The pages are docs/*.md and what is generated from the contract, the Python package and the command
line. What is wrong (a link that leads nowhere, a page that no navigation has) is an error. Nothing
is fetched, and nothing in the pages is: they work without a network, and without a server.
"""

import argparse
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "site"))


def build(out: Path) -> int:
    """Assembles the sources in out/source and builds out/site of them; 0 = all is right."""
    import commands
    import links
    import pages
    import protos
    import python_reference
    from sphinx.cmd.build import main as sphinx

    source = out / "source"
    for old in (source, out / "site"):
        shutil.rmtree(old, ignore_errors=True)
    generated = protos.pages() | python_reference.pages()
    files = pages.assemble(source, generated, {"commands": commands.reference()})
    shown = ",".join(sorted(files))
    code = sphinx(
        [
            *("-c", str(HERE / "site"), "-d", str(out / "doctrees"), "-D", f"shown_files={shown}"),
            *("-b", "html", "-E", "-q", "-W", "--keep-going", "-j", "2"),
            *(str(source), str(out / "site")),
        ]
    )
    wrong = list(links.problems(out / "site"))
    for problem in wrong:
        print(f"docs: {problem}", file=sys.stderr)
    return code or int(bool(wrong))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--out", type=Path, default=HERE.parent / "build/docs", metavar="FOLDER", help="where to"
    )
    out = parser.parse_args().out.resolve()
    try:
        code = build(out)
    except ValueError as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    if not code:
        print(f"docs: {out / 'site/index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
