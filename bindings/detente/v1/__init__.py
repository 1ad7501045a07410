"""The contract's messages: `detente.v1.Release`, `detente.v1.GetReleaseRequest` and all others.

They are the classes that protoc generated; the modules `detente.v1.release_pb2` … hold them too.
"""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

__path__ = pkgutil.extend_path(__path__, __name__)

_loaded: list[ModuleType] = []


def modules() -> list[ModuleType]:
    """The generated modules, in the order of their names."""
    if not _loaded:
        found = sorted(module.name for module in pkgutil.iter_modules(__path__))
        loaded = [
            importlib.import_module(f"{__name__}.{name}") for name in found if name.endswith("_pb2")
        ]
        for module in loaded:
            file = module.DESCRIPTOR
            for name in (*file.message_types_by_name, *file.enum_types_by_name):
                globals()[name] = getattr(module, name)
        _loaded[:] = loaded
    return _loaded


def __getattr__(name: str) -> Any:
    if name.endswith("_pb2"):
        try:
            return importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    elif not name.startswith("_"):
        modules()
        if name in globals():
            return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    modules()
    return sorted(globals())
