"""A worker's life: start in order, run until told to stop, stop in order within seconds."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
from typing import Any

from streams.app import App
from streams.engine import admin
from streams.metrics_endpoint import serve
from streams.settings import Settings

log = logging.getLogger(__name__)

STOP_SECONDS = 15.0
OPEN_LOOK_SECONDS = 0.2
"""A stop in order takes less than five; without a broker it may never end."""
EXIT_SECONDS = 3.0


async def run(app: App, settings: Settings) -> int:
    """Run the worker until SIGINT or SIGTERM. Returns the process's exit code: 0, or 1 after a crash.

    Order: the topics are looked at (a missing one or another partition count ends the worker), reference data
    and models are read to their end (settings that are not the deployment's end it too), then the agents start,
    then the engine, which takes leases. Stopping: the engine finishes its batches while the agents still answer.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    endpoint = serve(
        app.metrics.registry, settings.metrics_host, settings.metrics_port, lambda: app.engine.is_ready
    )
    log.info(
        "worker starts", extra={"app": settings.app_id, "metrics_port": endpoint.port, "time": settings.time}
    )
    faults = await loop.run_in_executor(None, admin.faults, settings, app.registry)
    if faults:
        for fault in faults:
            log.critical(fault)
        endpoint.close()
        return 1
    followed = (app.reference, app.models)
    for each in followed:
        await each.start()
    differences = app.reference.agree()
    if differences:
        for difference in differences:
            log.critical(difference)
        for each in followed:
            await each.stop()
        endpoint.close()
        return 1
    following = asyncio.gather(*(each.follow() for each in followed), _write_down_when_open(app))
    following.add_done_callback(lambda ended: _crash_if_failed(app, ended))
    await app.start()
    app.flow_control.resume()
    await app.engine.start()
    await app.learner.start()
    try:
        await app.engine.wait(stop.wait())
    finally:
        _end_anyway(STOP_SECONDS + EXIT_SECONDS, code=1)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await _stop(app, following)
        except (Exception, asyncio.CancelledError) as failed:
            log.critical(
                "the worker does not stop in order; the next owner aborts what it left open", exc_info=failed
            )
        endpoint.close()
    crash: BaseException | None = app.engine.crash_reason
    if crash is None:
        log.info("worker stopped")
    else:
        log.critical("worker crashed", exc_info=crash)
    code = 0 if crash is None else 1
    _end_anyway(EXIT_SECONDS, code)
    return code


async def _write_down_when_open(app: App) -> None:
    while not app.engine.is_ready:
        await asyncio.sleep(OPEN_LOOK_SECONDS)
    await app.reference.write_down()


def _end_anyway(seconds: float, code: int) -> None:
    """Without a broker aiokafka's tasks can swallow their cancellation, and the loop would wait for them for ever."""
    end = threading.Timer(seconds, os._exit, (code,))
    end.daemon = True
    end.start()


async def _stop(app: App, following: "asyncio.Future[Any]") -> None:
    """The engine first, so that its tasks finish their batches while the agents still answer."""
    await app.engine.drain()
    await app.engine.stop()
    await app.learner.stop()
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following
    for each in (app.reference, app.models):
        await each.stop()
    await app.stop()


def _crash_if_failed(app: App, following: "asyncio.Future[Any]") -> None:
    """Reference data or models that cannot be followed any more are a fault of ours: the worker ends, loudly."""
    # A gather that is cancelled ends with CancelledError as its exception.
    failure = None if following.cancelled() else following.exception()
    if failure is not None and not isinstance(failure, asyncio.CancelledError):
        app.engine.add_future(app.engine.crash(failure))
