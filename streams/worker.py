"""A worker's life: start in order, run until told to stop, stop in order within seconds."""

import asyncio
import contextlib
import gc
import logging
import signal

from streams.app import App
from streams.metrics_endpoint import serve
from streams.settings import Settings

log = logging.getLogger(__name__)


async def run(app: App, settings: Settings) -> int:
    """Run the worker until SIGINT or SIGTERM. Returns the process's exit code: 0, or 1 after a crash.

    Order: reference data and models to their end, then the agents, then the engine, which takes leases.
    Stopping: the engine finishes its batches while the agents still answer.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # A large live heap makes the default thresholds cost more than the work itself.
    gc.set_threshold(50_000, 20, 100)
    endpoint = serve(
        app.metrics.registry, settings.metrics_host, settings.metrics_port, lambda: app.engine.is_ready
    )
    log.info(
        "worker starts", extra={"app": settings.app_id, "metrics_port": endpoint.port, "time": settings.time}
    )
    followed = (app.reference, app.models)
    for each in followed:
        await each.start()
    following = asyncio.gather(*(each.follow() for each in followed))
    await app.start()
    app.flow_control.resume()
    await app.engine.start()
    await app.learner.start()
    try:
        await app.engine.wait(stop.wait())
    finally:
        await app.engine.drain()
        await app.engine.stop()
        await app.learner.stop()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        for each in followed:
            await each.stop()
        await app.stop()
        endpoint.close()
    crash: BaseException | None = app.engine.crash_reason
    if crash is not None:
        log.critical("worker crashed", exc_info=crash)
        return 1
    log.info("worker stopped")
    return 0
