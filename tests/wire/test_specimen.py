"""The resource that only the tests have: no code was written for it. test_methods.py drives it."""

import subprocess
import sys

import pytest
from wire import contract, conventions


@pytest.mark.parametrize("rule", conventions.RULES, ids=lambda r: r.__name__)
def test_it_keeps_the_conventions(rule: object) -> None:
    found = [x for x in rule(contract.specimen()) if "pecimen" in x]
    assert found == []


def test_its_service_is_the_generated_one() -> None:
    """And so are those of the contract; without --dir."""
    for directory in ("tests/wire/proto", "proto"):
        subprocess.run(
            [sys.executable, "proto/generate_services.py", "--check", "--dir", directory],
            cwd=contract.SOURCE_DIR,
            check=True,
        )


def test_it_has_a_field_of_every_sort_that_the_contract_has() -> None:
    def sorts(fields: list) -> set:
        return {(conventions.type_of(f), contract.repeated(f)) for f in fields}

    specimen = contract.specimen().resource("specimens").descriptor
    own = sorts(specimen.fields) | sorts(specimen.nested_types_by_name["Part"].fields)
    shared = {
        s
        for r in contract.detente().resources
        for s in sorts([f for f in r.descriptor.fields if f.number >= 20])
        if s[0].startswith("google.") or "." not in s[0] or s[0].endswith("UncertainDate")
    }
    assert shared - own == set()
