"""What a call costs in each layer above the kernel, in a process of its own; and what is generated, and when.

The doors are called as their servers call them, without sockets. Processor time of this process is what counts, so
that neither PostgreSQL nor a busy machine is in it.
"""

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks.echoes import Echo
from benchmarks.generation import generated
from benchmarks.lab import CAMPAIGN
from benchmarks.method import Given
from benchmarks.rows import drafts
from ovasabi import runtime
from ovasabi.codegen.proto.writing import text_of
from ovasabi.discovery import discover
from ovasabi.gateway.admission import Caller, perform, serve
from ovasabi.gateway.contract.openapi.document import document
from ovasabi.gateway.contract.protobuf.contract import Contract, Rpc, contract_of
from ovasabi.gateway.grpc.responses import answering
from ovasabi.gateway.http.app import create_app
from ovasabi.gateway.wire.paths import addresses_of, verb_of
from ovasabi.kernel.call.context import Context, acting, new_correlation_id
from ovasabi.kernel.declare.methods import Call, Method, MethodKind, values_of
from ovasabi.kernel.service import declared_methods
from ovasabi.settings import Settings

WATCHED_REQUESTS = 1_000
AT_ONCE = 16
"""Calls of PostgreSQL are made together: one alone finds the processor asleep and its caches cold, and costs more."""
Ready = Callable[[], Awaitable[Any]]
Way = Callable[[Call], Ready]


class GrpcContext:
    """What gRPC's server tells of a call."""

    def __init__(self, authorization: str) -> None:
        self._metadata = (("user-agent", "bench"), ("authorization", authorization))

    def invocation_metadata(self) -> Any:
        """The metadata of the call."""
        return self._metadata

    def time_remaining(self) -> float | None:
        """Nothing: the call has no deadline."""

    def set_trailing_metadata(self, metadata: Any) -> None:
        """Takes what is told beside the answer."""

    async def abort_with_status(self, status: Any) -> None:
        """Ends the measurement: no call may be refused."""
        raise AssertionError(status.details)


class Ways:
    """The same calls by ways of different lengths. A way makes a call ready, as it arrives there, to be timed."""

    def __init__(self, platform: runtime.Platform, contract: Contract, key: str) -> None:
        self._platform, self._app = platform, create_app(platform)
        self._authorization = f"Bearer {key}"
        self._rpcs: dict[str, Rpc] = {rpc.method.id: rpc for rpc in contract.rpcs}

    def all(self) -> dict[str, Way]:
        """By the layers that they go through, the fewest first."""
        return {"kernel": self.kernel, "service": self.service, "gateway": self.gateway, **self.doors()}

    def doors(self) -> dict[str, Way]:
        """Those from outside."""
        return {"http": self.http, "grpc": self.grpc}

    async def context(self, method: Method) -> Context:
        """The context that the ways below the gateway run in."""

        async def itself(context: Context) -> Context:
            return context

        return await serve(self._platform, self._caller(), method, lambda: CAMPAIGN, itself)

    def kernel(self, call: Call) -> Ready:
        """What the kernel does for it; for what is nothing of the kernel's, the function alone."""
        service, reference = self._service(call), str(call.target)
        match call.method.operation:
            case MethodKind.GET:
                return lambda: service.repository.get(reference)
            case MethodKind.CREATE:
                values = values_of(call.request)
                return lambda: service.repository.create(values)
        return lambda: service.nothing(call.request)

    def service(self, call: Call) -> Ready:
        """Through the service, which finds the function of the method."""
        service = self._service(call)
        return lambda: service.run(call)

    def gateway(self, call: Call) -> Ready:
        """As a door does it: the caller admitted, the call performed."""

        async def ask() -> Any:
            return await serve(
                self._platform, self._caller(), call.method, lambda: CAMPAIGN, lambda _: perform(self._platform, call)
            )

        return ask

    def http(self, call: Call) -> Ready:
        """Through the whole application, as the HTTP server calls it."""
        method, body = call.method, b"" if call.request is None else msgspec.json.encode(call.request)
        path = addresses_of(method)[0].replace("{campaign}", CAMPAIGN).replace("{id}", str(call.target))
        headers = [(b"host", b"localhost"), (b"authorization", self._authorization.encode())]
        headers += [(b"content-length", b"%d" % len(body))] if body else []
        scope = {"type": "http", "method": verb_of(method), "path": path, "query_string": b"", "headers": headers}

        async def send(message: Any) -> None:
            assert message.get("status", 200) < 300, message

        def ask() -> Awaitable[Any]:
            arrived = iter([{"type": "http.request", "body": body, "more_body": False}])

            async def receive() -> Any:
                return next(arrived, None) or await asyncio.get_running_loop().create_future()  # the client stays

            return self._app(dict(scope), receive, send)

        return ask

    def grpc(self, call: Call) -> Ready:
        """Through what answers in the gRPC server: from bytes to bytes."""
        rpc = self._rpcs[call.method.id]
        answer, body = answering(rpc, self._platform), rpc.request(call).SerializeToString()
        return lambda: answer(body, GrpcContext(self._authorization))

    def _service(self, call: Call) -> Any:
        return self._platform.registry.services[call.method.subject.label]

    def _caller(self) -> Caller:
        return Caller(self._authorization, new_correlation_id())


class Calls:
    """The calls that are measured: contents that are there, contents that are new, and nothing."""

    def __init__(self, ids: list[int]) -> None:
        methods = {method.id: method for method in declared_methods()}
        self.nothing, self.get, self.create = (
            methods[name] for name in ("echoes_nothing", "contents_get", "contents_create")
        )
        self._ids = ids

    def of(self, method: Method, count: int) -> list[Call]:
        """So many calls of a method."""
        if method is self.get:
            return [Call(method, CAMPAIGN, str(self._ids[n % len(self._ids)])) for n in range(count)]
        if method is self.nothing:
            return [Call(method, CAMPAIGN, request=Echo("hello"))] * count
        unique = f"m{time.time_ns():x}"
        given = [draft | {"slug": f"{unique}-{n}"} for n, draft in enumerate(drafts(count, "new"))]
        return [Call(method, CAMPAIGN, request=method.request(**draft)) for draft in given]


async def costs(given: Given) -> dict[str, float]:
    """All that there is to measure, by name; the unit is the end of the name."""
    discover()
    found, contract = generation()
    settings = Settings(home=Path(given.home))
    async with runtime.running(given.url, settings) as platform:
        ways, calls = Ways(platform, contract, given.key), Calls(given.ids)
        gc.collect()
        gc.freeze()
        for method, at_once in ((calls.nothing, 1), (calls.get, AT_ONCE), (calls.create, AT_ONCE)):
            with acting(await ways.context(method)):
                for name, took in (await _medians(ways, calls, method, at_once, given)).items():
                    found[f"{method.name}_{name}_us"] = round(took, 1)
        found["generated_in_1000_requests"] = await _generated(ways, calls)
    return found


def generation() -> tuple[dict[str, float], Contract]:
    """Milliseconds that the start takes for the contract and the document, the first time; and how large they are."""
    methods, begun = declared_methods(), time.perf_counter()
    contract = contract_of(methods)
    made = time.perf_counter()
    text = "".join(map(text_of, contract.files))
    written = time.perf_counter()
    openapi = document(methods)
    done = time.perf_counter()
    return {
        "methods": len(methods),
        "contract_ms": round((made - begun) * 1e3, 1),
        "proto_ms": round((written - made) * 1e3, 1),
        "proto_kb": round(len(text.encode()) / 1e3, 1),
        "openapi_ms": round((done - written) * 1e3, 1),
        "openapi_kb": round(len(openapi) / 1e3, 1),
    }, contract


async def _medians(ways: Ways, calls: Calls, method: Method, at_once: int, given: Given) -> dict[str, float]:
    """Microseconds of processor time for each call, by way; the ways take turns within each round."""
    took: dict[str, list[float]] = {name: [] for name in ways.all()}
    for counted in (False, *[True] * given.rounds):  # the first one warms up
        for name, way in ways.all().items():
            ready = [way(call) for call in calls.of(method, given.repeats)]
            begun = time.process_time()
            await _ask_all(ready, at_once)
            if counted:
                took[name].append((time.process_time() - begun) / len(ready) * 1e6)
    return {name: statistics.median(each) for name, each in took.items()}


async def _ask_all(ready: list[Ready], at_once: int) -> None:
    if at_once == 1:
        for ask in ready:
            await ask()
    for batch in range(0, len(ready), at_once) if at_once > 1 else ():
        await asyncio.gather(*(ask() for ask in ready[batch : batch + at_once]))


async def _generated(ways: Ways, calls: Calls) -> int:
    """How often anything was generated while both doors answered a thousand requests."""
    kinds, doors = (calls.nothing, calls.get, calls.create), ways.doors().values()
    each = WATCHED_REQUESTS // (len(kinds) * len(doors)) + 1
    ready = [way(call) for way in doors for method in kinds for call in calls.of(method, each)]
    with generated() as found:
        for ask in ready:
            await ask()
    return found.total()


def main() -> None:
    """Measures as it is told on standard input, and prints what came out as JSON."""
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Given)
    print(msgspec.json.encode(uvloop.run(costs(given))).decode())


if __name__ == "__main__":
    main()
