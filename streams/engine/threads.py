"""Blocking calls out of the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


async def in_thread(threads: Executor, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call the function, which blocks, in one of the threads; its answer, or what it raises."""
    return await asyncio.get_running_loop().run_in_executor(threads, function, *arguments)
