"""Connections over gRPC are bounded like those over HTTP: their number, their streams and their headers."""

import asyncio
from pathlib import Path

import grpc

from tests.integration.gateway.grpc_fixtures import Wire, on_grpc

HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
"""The preface of HTTP/2, and empty settings."""


async def test_there_are_no_more_connections_than_allowed_and_places_become_free(
    database_url: str, tmp_path: Path
) -> None:
    async with on_grpc(database_url, tmp_path, max_connections=16) as (_, address):
        taken = [await greeted(address) for _ in range(16)]
        assert all(answer for _, answer in taken)
        assert (await greeted(address))[1] == b""
        for writer, _ in taken:
            writer.close()
            await writer.wait_closed()
        for _ in range(200):
            async with Wire(address) as wire:
                told = await wire.ask("ListCampaigns")
            if told.status is not grpc.StatusCode.UNAVAILABLE:
                break
            await asyncio.sleep(0.05)  # The server has not noticed yet that the connections are closed.
        assert told.status is grpc.StatusCode.UNAUTHENTICATED


async def greeted(address: str) -> tuple[asyncio.StreamWriter, bytes]:
    """A new connection, and the first bytes of the server's answer."""
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(HELLO)
    async with asyncio.timeout(10):
        try:
            return writer, await reader.read(9)
        except ConnectionError:
            return writer, b""


async def test_headers_are_bounded(database_url: str, tmp_path: Path) -> None:
    async with on_grpc(database_url, tmp_path) as (_, address), Wire(address) as wire:
        told = await wire.ask("ListCampaigns", metadata=[("x-large", "x" * 100_000)])
        assert told.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        told = await wire.ask("ListCampaigns", metadata=[("x-small", "x" * 1_000)])
        assert told.status is grpc.StatusCode.UNAUTHENTICATED
