"""Methods of the synchronous package, run in a thread for those who await them."""

import importlib
from collections.abc import AsyncIterator
from typing import Any

from detente._session import Session


async def in_thread(thing: Any, method: str, *arguments: Any, **options: Any) -> Any:
    """What the method of the same name returns. `progress` is called in the event loop."""
    from asyncio import get_running_loop

    progress = options.get("progress")
    if progress is not None:
        tell = get_running_loop().call_soon_threadsafe
        options["progress"] = lambda *numbers: tell(progress, *numbers)

    def work(session: Session) -> Any:
        given = [_synchronous(argument, session) for argument in arguments]
        return getattr(_synchronous(thing, session), method)(*given, **options)

    return await thing._session.job(work)


async def each_in_thread(
    thing: Any, method: str, *arguments: Any, **options: Any
) -> AsyncIterator[Any]:
    """What the method of the same name yields."""
    async for item in thing._session.each(
        lambda session: getattr(_synchronous(thing, session), method)(*arguments, **options)
    ):
        yield item


def _synchronous(thing: Any, session: Session) -> Any:
    """What an object of `detente.aio` is in the synchronous package; others as they are."""
    package = __package__ or ""
    kind = next((k for k in type(thing).__mro__ if k.__module__.startswith(f"{package}.")), None)
    if kind is None:
        return thing
    module = importlib.import_module(kind.__module__.replace(package, "detente"))
    made = object.__new__(getattr(module, kind.__name__.removeprefix("Async")))
    own = {name: value for name, value in vars(thing).items() if name.startswith("_")}
    made.__dict__.update(own, _session=session)
    return made


def no_truth(thing: Any) -> bool:
    """Raises: what it takes a call to know has no truth."""
    raise TypeError(
        f"{type(thing).__name__} has no truth of its own: to know whether it is empty takes a "
        "call; say `await ….first() is not None`"
    )


def shown(thing: Any) -> str:
    """A text that takes no call to make."""
    title = getattr(thing, "_title", "")
    return f"<{__package__}.{type(thing).__name__}{' of ' + title if title else ''}>"
