"""The load over gRPC, a process of its own: calls on one connection, as the frames of HTTP/2 that they are.

gRPC's own clients in Python cost as much as a server; here the messages are written beforehand, and of an answer only
the lengths are read. An answer with a message is a success: a refusal of gRPC has none.
"""

import random
import socket
import struct
import sys
import time
from pathlib import Path

import msgspec

from benchmarks.plan import Measured

_FRAME = struct.Struct(">BHBBI")
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_INITIAL_WINDOW, _LARGEST_WINDOW = 65_535, 2**31 - 1
_SECONDS_AFTER_THE_END = 30
NUMBER_DIGITS = 12


class Work(msgspec.Struct, frozen=True):
    """What is called. A message is whole, or it is two parts, between which its own number comes."""

    port: int
    path: str
    metadata: dict[str, str]
    messages: list[tuple[bytes, bytes | None]]
    concurrent: int
    seconds: float


class Connection:
    """One connection, on which so many calls are under way at any time."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.latencies: list[float] = []
        self.errors = 0
        self._socket = socket.create_connection(("127.0.0.1", work.port), _SECONDS_AFTER_THE_END)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._started: dict[int, float] = {}
        self._answered: set[int] = set()
        self._out = bytearray(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        # The windows that we give are as large as any, so that an answer never waits for one.
        self._out += _frame(_SETTINGS, 0, 0, struct.pack(">HI", 4, _LARGEST_WINDOW))
        self._out += _frame(_WINDOW, 0, 0, struct.pack(">I", _LARGEST_WINDOW - _INITIAL_WINDOW))
        self._in = b""
        self._taken, self._room = 0, _INITIAL_WINDOW
        self._waiting = 0
        self._next = 1
        self._ready = False
        first, self._headers = _header_blocks(work)
        self._first: bytes | None = first

    def run(self) -> float:
        """Calls for so many seconds, and waits for what is under way; answers how long the calling took."""
        while not self._ready:
            self._exchange()
        begun = time.perf_counter()
        self._end = begun + self.work.seconds
        self._waiting = self.work.concurrent
        self._call()
        while self._started or self._waiting:
            self._exchange()
            self._call()
        self._socket.close()
        return self.work.seconds

    def _call(self) -> None:
        """Starts the calls that are due, as far as the server has room for their messages."""
        now = time.perf_counter()
        if now >= self._end:
            self._waiting = 0
        while self._waiting:
            message = self._message()
            if len(message) > self._room:
                return
            self._room -= len(message)
            block, self._first = self._first or self._headers, None
            self._out += _frame(_HEADERS, _END_HEADERS, self._next, block)
            self._out += _frame(_DATA, _END_STREAM, self._next, message)
            self._started[self._next] = now
            self._next += 2
            self._waiting -= 1

    def _message(self) -> bytes:
        before, after = random.choice(self.work.messages)
        body = before if after is None else b"%b%b%b" % (before, b"%012x" % self._next, after)
        return b"\0" + struct.pack(">I", len(body)) + body

    def _exchange(self) -> None:
        """Sends what there is to send, and takes what has come."""
        if self._out:
            self._socket.sendall(self._out)
            self._out.clear()
        got = self._socket.recv(1 << 18)
        if not got:
            raise ConnectionError("the server closed the connection")
        data, place = self._in + got, 0
        while len(data) - place >= _FRAME.size:
            high, low, kind, flags, stream = _FRAME.unpack_from(data, place)
            end = place + _FRAME.size + (high << 16) + low
            if end > len(data):
                break
            self._take(kind, flags, stream & _LARGEST_WINDOW, data[place + _FRAME.size : end])
            place = end
        self._in = data[place:]

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA and payload:
            self._answered.add(stream)
            self._taken += len(payload)
            if self._taken > _LARGEST_WINDOW // 2:
                self._out += _frame(_WINDOW, 0, 0, struct.pack(">I", self._taken))
                self._taken = 0
        if kind == _RESET or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self._finish(stream, kind != _RESET and stream in self._answered)
        elif kind == _SETTINGS:
            self._ready = self._ready or bool(flags & _ACK)
            self._out += b"" if flags & _ACK else _frame(_SETTINGS, _ACK, 0, b"")
        elif kind == _PING and not flags & _ACK:
            self._out += _frame(_PING, _ACK, 0, payload)
        elif kind == _WINDOW and stream == 0:
            self._room += int.from_bytes(payload)
        elif kind == _GOAWAY:
            raise ConnectionError(f"the server ends the connection: {payload[8:]!r}")

    def _finish(self, stream: int, good: bool) -> None:
        now = time.perf_counter()
        started = self._started.pop(stream)
        self._answered.discard(stream)
        self._waiting += 1
        if not good:
            self.errors += 1
        elif now < self._end:
            self.latencies.append(now - started)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    size = len(payload)
    return _FRAME.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def _header_blocks(work: Work) -> tuple[bytes, bytes]:
    """The headers of the first call, which the server remembers, and those of all others, which only refer to them."""
    own = {":path": work.path, ":authority": f"127.0.0.1:{work.port}", "te": "trailers"}
    fields = own | {"content-type": "application/grpc"} | work.metadata
    said = b"\x83\x86"  # POST, http
    first = said + b"".join(b"\x40" + _text(name) + _text(value) for name, value in fields.items())
    newest = 62  # where the table of what was said begins
    return first, said + bytes(0x80 | (newest + place) for place in reversed(range(len(fields))))


def _text(text: str) -> bytes:
    """A text of HPACK, its length in 7 bits."""
    assert len(text) < 127
    return bytes([len(text)]) + text.encode()


def main() -> None:
    """Does the work that a file names, and prints what was measured."""
    connection = Connection(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Work))
    seconds = connection.run()
    latencies = sorted(connection.latencies) or [0.0]
    p50, p99 = (round(latencies[int(len(latencies) * part)] * 1000, 3) for part in (0.5, 0.99))
    measured = Measured(round(len(connection.latencies) / seconds, 1), p50, p99, connection.errors)
    print(msgspec.json.encode(measured).decode())


if __name__ == "__main__":
    main()
