"""`@audit.log`: an event for every end of a function.

                      +-- returned ---------> success, or what the status of the answer says
    ready -> call ----+-- raised -----------> denied | failure, and the exception goes on
                      +-- cancelled --------> unknown, "client gone"
                      +-- began to stream --> one of these when the stream ends

`ready` asks the server before anything is done whether it keeps what the application counts on.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from .audit_call import About, Call, Plan
from .audit_stream import watch
from .handlers import Handler

if TYPE_CHECKING:
    from .audit import AuditLogger

F = TypeVar("F", bound=Callable[..., Any])


def audited(
    audit: AuditLogger,
    handler: F,
    event_type: str | None,
    action: str | None,
    resource: About,
    required: bool,
) -> F:
    """The function, with its ends recorded. Raises ValueError where `event_type` is none."""
    plan = Plan(audit, handler, event_type, action, resource, required)
    if inspect.isasyncgenfunction(handler):
        wrapper = _async_generator(plan, handler)
    elif inspect.iscoroutinefunction(handler):
        wrapper = _async_function(plan, handler)
    elif inspect.isgeneratorfunction(handler):
        wrapper = _generator(plan, handler)
    else:
        wrapper = _function(plan, handler)
    return cast(F, functools.wraps(handler)(wrapper))


# === One wrapper for each kind of function ===


def _async_function(plan: Plan, handler: Handler) -> Handler:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = Call(plan, args, kwargs)
        await call.ready()
        return await _awaited(call, handler(*call.given, **kwargs))

    return wrapper


def _function(plan: Plan, handler: Handler) -> Handler:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = Call(plan, args, kwargs)
        call.ready_here()
        try:
            result = handler(*call.given, **kwargs)
        except BaseException as error:
            call.ended_here(error)
            raise
        if inspect.isawaitable(result):
            return _awaited(call, result)
        answer = call.answer(result)
        if not watch(answer, call):
            call.ended_here(None, result)
        return answer

    return wrapper


def _async_generator(plan: Plan, handler: Handler) -> Handler:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = Call(plan, args, kwargs)
        await call.ready()
        inner = handler(*call.given, **kwargs)
        step = inner.asend(None)
        try:
            while True:
                item = await step
                try:
                    sent = yield item
                except GeneratorExit:
                    await inner.aclose()
                    raise
                except BaseException as thrown:
                    step = inner.athrow(thrown)
                else:
                    step = inner.asend(sent)
        except StopAsyncIteration:
            await call.ended(None)
        except BaseException as error:
            await call.ended(error)
            raise

    return wrapper


def _generator(plan: Plan, handler: Handler) -> Handler:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = Call(plan, args, kwargs)
        call.ready_here()
        try:
            result = yield from handler(*call.given, **kwargs)
        except BaseException as error:
            call.ended_here(error)
            raise
        call.ended_here(None)
        return result

    return wrapper


async def _awaited(call: Call, result: Any) -> Any:
    try:
        answer = call.answer(await result)
    except BaseException as error:
        await call.ended(error)
        raise
    if not watch(answer, call):
        await call.ended(None, answer)
    return answer
