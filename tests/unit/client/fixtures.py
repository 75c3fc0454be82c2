"""A tiny server of plain sockets that answers what a script says, or hangs up; it keeps what it was asked."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

HANG_UP = b""


class Asked(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """What follows the question mark."""
        return dict(parse_qsl(self.line.split()[1].partition("?")[2]))


class Scripted:
    """What is asked, and what is still to be answered; when nothing is left, the last answer again."""

    def __init__(self, answers: list[bytes]) -> None:
        self.answers = answers
        self.asked: list[Asked] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def serve(self) -> None:
        """Answers until the listener is closed, a connection for each request."""
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self.asked.append(_read(connection))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                connection.sendall(answer)


@contextmanager
def scripted(*answers: bytes) -> Iterator[Scripted]:
    """A running server."""
    server = Scripted(list(answers))
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join(5)


def answer(status: int, body: Any, **headers: str) -> bytes:
    """An answer with a JSON body."""
    text = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(text)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + text


def problem(status: int, code: str, **headers: str) -> bytes:
    """An error as the server tells it."""
    body = {"status": status, "code": code, "detail": f"It is {code}.", "hint": "Do this.", "correlation_id": "c" * 22}
    return answer(status, body, content_type="application/problem+json", **headers)


def stream(*parts: str) -> bytes:
    """The beginning of a stream, which then breaks."""
    head = (
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part.encode()), part.encode()) for part in parts)
    return head.encode() + chunks


def _read(connection: socket.socket) -> Asked:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    line, *rest = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (text.partition(": ") for text in rest)}
    while len(body) < int(headers.get("content-length", 0)):
        body += _more(connection)
    return Asked(line, headers, body)


def _more(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    if not part:
        raise ConnectionError("the client went away")
    return part
