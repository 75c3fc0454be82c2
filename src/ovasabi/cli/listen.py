"""Serves HTTP until stopped: the listening socket, uvicorn in our own event loop, and graceful shutdown."""

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NoReturn

import uvicorn
import uvloop

from ovasabi.cli.interruption import Interrupted, interrupts
from ovasabi.cli.telling import saying
from ovasabi.errors import StartError
from ovasabi.gateway.http.connection import BoundedConnection, Bounds
from ovasabi.logs.setup import set_up
from ovasabi.settings import Settings

GRACE_SECONDS = 10
"""How long requests under way may go on when the process stops."""
STOP_SECONDS = 25.0
"""How long the whole stop may last, whatever hangs; container platforms wait 30 seconds."""
BACKLOG = 2048
MAX_PORT = 65_535
OTHER_FILES = 512
"""Files and connections that a process has open besides those of HTTP: of databases, peers and gRPC."""

App = Callable[..., Awaitable[None]]


def take_port(settings: Settings) -> socket.socket:
    """Listens before anything is started, so that early clients wait and no other process can take the port.

    The port of gRPC is only tested, since the gRPC server opens it itself.
    """
    if (grpc_port := grpc_port_of(settings)) is not None:
        _listening(settings.host, grpc_port, "OVASABI_GRPC_PORT (0 disables gRPC)").close()
    return _listening(settings.host, settings.port, "OVASABI_PORT")


def grpc_port_of(settings: Settings) -> int | None:
    """Returns the port of gRPC: the one after the HTTP port unless another is set; None if gRPC is disabled."""
    if settings.grpc_port is None:
        return settings.port + 1 if settings.port < MAX_PORT else settings.port - 1
    return settings.grpc_port or None


def _listening(host: str, port: int, setting: str) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else str(error.strerror)
        raise StartError(
            problem=f"OVASABI cannot listen on {host}:{port}: {reason}.",
            hint=f"Choose another {setting} or OVASABI_HOST, or stop the process that is listening there.",
        ) from error
    listener.setblocking(False)
    return listener


def address_of(settings: Settings) -> str:
    """Returns the URL at which HTTP is reached from this machine."""
    return f"http://{_reachable(settings.host)}:{settings.port}"


def grpc_address_of(settings: Settings) -> str | None:
    """Returns the address at which gRPC is reached from this machine, as `host:port`; None if gRPC is disabled."""
    port = grpc_port_of(settings)
    return None if port is None else f"{_reachable(settings.host)}:{port}"


def connections_of(settings: Settings) -> int:
    """Returns how many HTTP connections to accept, after allowing this process as many open files as it may have."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + OTHER_FILES
    if files != resource.RLIM_INFINITY and files < wanted:
        files = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    if files == resource.RLIM_INFINITY:
        return settings.max_connections
    # With so few files, the half of them.
    return min(settings.max_connections, max(files - OTHER_FILES, files // 2))


def _reachable(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def run_until_stopped(
    work: Coroutine[Any, Any, None],
    settings: Settings,
    ready: asyncio.Event,
    at_once: Callable[[], None] = lambda: None,
) -> None:
    """Runs `work` in an event loop. Ctrl-C, SIGTERM and a closed terminal cancel it; it must then clean up.

    If that takes too long, or on a second signal, the process ends after `at_once`. Raises Interrupted if it was not
    ready yet.
    """
    set_up(settings)
    received: list[int] = []

    async def cancellable() -> None:
        task = asyncio.ensure_future(work)

        def stop(number: int) -> None:
            received.append(number)
            if len(received) > 1:
                _end("ended at once, because of a second signal", 128 + number, at_once)
            told = f"ended, because the stop was not complete within {STOP_SECONDS:g} seconds"
            loop.call_later(STOP_SECONDS, _end, told, 1, at_once)
            task.cancel()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup ignores SIGHUP on purpose, so it stays ignored. A shell's "&" also ignores SIGINT, but a SIGINT
            # that is sent explicitly is meant to stop the process.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop, number)
        try:
            await task
        except asyncio.CancelledError:
            pass
        except Exception as error:
            if ready.is_set() or not interrupts(received, error):
                raise

    uvloop.run(cancellable())
    if received and not ready.is_set():
        raise Interrupted(received[0], "OVASABI had not started yet, and the next start continues")


def _end(told: str, code: int, at_once: Callable[[], None]) -> NoReturn:
    """Ends the process without waiting for anything: what it leaves, the next start and its servers put in order."""
    with suppress(Exception):
        at_once()
        saying(lambda: True)(told)
    os._exit(code)


async def serve_http(
    app: App,
    listener: socket.socket,
    ready: Callable[[], None],
    closing: Callable[[], Awaitable[None]],
    bounds: Bounds | None = None,
) -> None:
    """Serves until cancelled, then finishes requests in progress; a second cancellation aborts them.

    `closing` lets readiness turn, and ends the streams that would otherwise last for as long as their clients listen.
    Until the requests that are under way then have ended, new ones are accepted: whoever sends them may not know yet.
    """
    bounds = bounds or Bounds()
    config = uvicorn.Config(
        app,
        lifespan="off",
        loop="none",
        http=partial(BoundedConnection, bounds=bounds),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    _spare_the_collector()
    server = _Server(config, ready)
    serving = asyncio.create_task(server.serve_on(listener))
    sweeping = asyncio.create_task(_sweep(server, bounds.sweep_seconds))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        ends_at = asyncio.get_running_loop().time() + GRACE_SECONDS
        with suppress(asyncio.CancelledError):
            await _drained(server, closing)
        config.timeout_graceful_shutdown = max(1, int(ends_at - asyncio.get_running_loop().time()))
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await asyncio.shield(serving)
        server.force_exit = True
        await serving
        raise
    finally:
        sweeping.cancel()


async def _drained(server: uvicorn.Server, closing: Callable[[], Awaitable[None]]) -> None:
    """Waits until the streams and the requests that are under way have ended, for a limited time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE_SECONDS):
            await closing()
            if under_way := set(server.server_state.tasks):
                await asyncio.wait(under_way)


async def _sweep(server: uvicorn.Server, seconds: float) -> None:
    """Ends the connections whose clients have not gone on in time. One timer for all costs requests nothing."""
    now = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(seconds)
        for connection in list(server.server_state.connections):
            try:
                connection.expire(now())  # type: ignore[union-attr]
            except Exception:
                logging.getLogger(__name__).exception("A connection could not be ended.")


def _spare_the_collector() -> None:
    """Makes the garbage collector run less often: objects from start-up stay alive, and requests leave few cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers (ours stop the database as well), and with a callback when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # Its warnings are about malformed requests: a stranger could fill the log with them.
            logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
            self._ready()

    async def serve_on(self, listener: socket.socket) -> None:
        # uvicorn exits the interpreter if start-up fails; our caller raises the reason.
        with suppress(SystemExit):
            await self.serve(sockets=[listener])
