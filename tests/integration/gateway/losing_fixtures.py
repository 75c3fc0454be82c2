"""A way to the server that loses answers: requests arrive and are done, and the connection breaks before the answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Losing:
    """What is lost of what comes back: so many answers, then none."""

    def __init__(self, upstream: str, losses: int) -> None:
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname, parts.port)
        self.losses = losses
        self.lost = 0
        self.address = ""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: to the server byte by byte, and back unless the answer is to be lost."""
        there, back = await asyncio.open_connection(*self.upstream)
        sending = asyncio.create_task(_pump(reader, back))
        with suppress(OSError):
            while part := await there.read(65536):
                if self.lost < self.losses:
                    self.lost += 1
                    break
                writer.write(part)
                await writer.drain()
        sending.cancel()
        back.close()
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()


@asynccontextmanager
async def losing(upstream: str, losses: int) -> AsyncIterator[Losing]:
    """Such a way, open."""
    way = Losing(upstream, losses)
    server = await asyncio.start_server(way.carry, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    way.address = f"http://{host}:{port}"
    try:
        yield way
    finally:
        server.close()
