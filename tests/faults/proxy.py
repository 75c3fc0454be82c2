"""A small TCP proxy between a process and its server, which can hang, cut and delay what passes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit


class Proxy:
    """Passes bytes on to a server; while `hanging`, it accepts connections and keeps all bytes back."""

    def __init__(self, target: str) -> None:
        self._target = target
        """The path of the server's socket."""
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.delay = 0.0
        self.port = 0

    def url(self, of: str) -> str:
        """The URL of a database behind the proxy."""
        parts = urlsplit(of)
        return f"postgresql://{parts.netloc}127.0.0.1:{self.port}{parts.path}"

    def hang(self) -> None:
        """Lets no byte pass any more, in either direction; also of new connections."""
        self._flowing.clear()

    def resume(self) -> None:
        """Lets all bytes pass again, also those that were kept back."""
        self._flowing.set()

    def cut(self) -> None:
        """Ends all connections without a word."""
        for writer in self._writers:
            writer.transport.abort()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connects a client with the server."""
        behind, to_server = await asyncio.open_unix_connection(self._target)
        both = [asyncio.create_task(self._pass(reader, to_server)), asyncio.create_task(self._pass(behind, writer))]
        self._writers |= {writer, to_server}
        self._tasks |= set(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, to_server):
            each.transport.abort()
            self._writers.discard(each)
        await asyncio.gather(*both, return_exceptions=True)
        self._tasks -= set(both)

    async def close(self) -> None:
        """Ends everything."""
        self.cut()
        for task in self._tasks:
            task.cancel()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    """A proxy before the server of a URL, which has a socket in a folder."""
    query = parse_qs(urlsplit(url).query)
    proxy = Proxy(f"{query['host'][0]}/.s.PGSQL.{query['port'][0]}")
    listener = socket.create_server(("127.0.0.1", 0))
    proxy.port = listener.getsockname()[1]
    async with await asyncio.start_server(proxy.accept, sock=listener):
        yield proxy
        await proxy.close()
