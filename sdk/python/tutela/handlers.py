"""What decorators need to know of the handlers of Nexios, Starlette and FastAPI."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import anyio.to_thread

Handler = Callable[..., Any]


def positional(handler: Handler) -> Callable[[Mapping[str, Any]], int] | None:
    """How many positional arguments `handler` takes beside given keywords; None means any number."""
    kinds = inspect.Parameter
    parameters = inspect.signature(handler).parameters.values()
    if any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        return None
    names = [p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    return lambda given: sum(1 for name in names if name not in given)


async def run(
    handler: Handler,
    takes: Callable[[Mapping[str, Any]], int] | None,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Call a handler with as many arguments as `takes`, of `positional`, says; plain ones run in a thread."""
    given = args if takes is None else args[: takes(kwargs)]
    if inspect.iscoroutinefunction(handler):
        return await handler(*given, **kwargs)
    result = await anyio.to_thread.run_sync(functools.partial(handler, *given, **kwargs))
    return await result if inspect.isawaitable(result) else result


def scopes(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """The ASGI scopes of the requests among a handler's arguments."""
    found = [getattr(value, "scope", None) for value in (*args, *kwargs.values())]
    return [scope for scope in found if isinstance(scope, dict) and "headers" in scope]


def nexios_response(args: tuple[Any, ...]) -> Any:
    """The response object that Nexios passes beside the request, or None elsewhere."""
    for value in args[1:]:
        origins = (base.__module__.partition(".")[0] for base in type(value).__mro__)
        if "nexios" in origins and callable(getattr(value, "get_response", None)):
            return value
    return None


def as_response(args: tuple[Any, ...], result: Any) -> Any:
    """What a handler returned; under Nexios a dict or list is sent as JSON."""
    response = nexios_response(args)
    if response is not None and isinstance(result, (dict, list)):
        return response.json(result)
    return result


def attribute(value: Any, name: str) -> Any:
    """A member, or None. Frameworks raise where a part of them is not installed; here that means none."""
    try:
        return getattr(value, name, None)
    except Exception:
        return None


# A handler behind `authenticate` has under this name what reads the request, for decorators further out.
READS = "tutela_reads"
