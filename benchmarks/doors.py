"""One server, two doors: the same create and get over HTTP and over gRPC, by turns."""

import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import msgspec

from benchmarks.calling import NUMBER_DIGITS, Work
from benchmarks.lab import CAMPAIGN, Lab
from benchmarks.load import BODIES, Requests
from benchmarks.plan import BenchmarkError, Measured, Plan, Run, Used, better, run_of
from benchmarks.processor import all_used
from benchmarks.rows import drafts
from benchmarks.systems import ROOT, System, start
from ovasabi.gateway.contract.protobuf.contract import Contract, Rpc, contract_of
from ovasabi.kernel.declare.methods import Call
from ovasabi.kernel.service import declared_methods

OPERATIONS = ("get", "create")
REST, GRPC = "ovasabi", "ovasabi-grpc"
_NUMBER = b"0" * NUMBER_DIGITS
Measure = Callable[[str, int, int], Measured]


async def measure(lab: Lab, plan: Plan, say: Callable[[str], None]) -> list[Run]:
    """Loads one door at a time; both answer from the same process, rows and caches."""
    system = await start(lab, "ovasabi", plan.rows)
    try:
        requests, calls = Requests(system, lab.folder), Calls(system, lab.folder, contract_of(declared_methods()))
        doors: dict[str, Measure] = {REST: requests.measure, GRPC: calls.measure}
        runs: list[Run] = []
        for operation in OPERATIONS:
            for load in doors.values():
                load(operation, 16, max(1, plan.warm_up))
            best: dict[tuple[int, str], Measured] = {}
            for _ in range(plan.rounds):
                for concurrent in plan.connections:
                    for door, load in doors.items():
                        found = _watched(lab, system, load, operation, concurrent, plan.door_seconds)
                        best[concurrent, door] = better(best.get((concurrent, door)), found)
            runs += [run_of(d, f"door_{operation}", c, found, system.rss_mb) for (c, d), found in best.items()]
            for (concurrent, door), found in best.items():
                say(f"{operation}, {concurrent} at once, {door}: {found.rate:,.0f}/s, µs of processor: {found.used}")
        return runs
    finally:
        system.stop()


def _watched(lab: Lab, system: System, load: Measure, operation: str, concurrent: int, seconds: int) -> Measured:
    """A measurement with the processor time that each answer took."""
    assert lab.server.pid
    before = all_used(system.process.pid, lab.server.pid)
    found = load(operation, concurrent, seconds)
    after = all_used(system.process.pid, lab.server.pid)
    answers = max(1.0, found.rate * seconds)
    shares = ((now - then) / answers * 1e6 for now, then in zip(after, before, strict=True))
    return msgspec.structs.replace(found, used=Used(*(round(share, 1) for share in shares)))


class Calls:
    """What is called over gRPC: the same contents as over HTTP, written as messages beforehand."""

    def __init__(self, system: System, folder: Path, contract: Contract) -> None:
        self.system, self.folder = system, folder
        rpcs = {rpc.method.id: rpc for rpc in contract.rpcs}
        self.rpcs = {operation: rpcs[f"contents_{operation}"] for operation in OPERATIONS}
        self._files = count()
        self._gets = [(_body(self.rpcs["get"], target=str(id)), None) for ids in system.ids for id in ids]

    def measure(self, operation: str, concurrent: int, seconds: int) -> Measured:
        """Loads the server for some seconds; each answer must hold a message."""
        self.check(operation)
        path, metadata = self.rpcs[operation].path, _metadata(self.system)
        work = Work(self.system.grpc_port, path, metadata, self._messages(operation), concurrent, seconds)
        file = self.folder / f"calls-{next(self._files)}.json"
        file.write_bytes(msgspec.json.encode(work))
        command = [sys.executable, "-m", "benchmarks.calling", str(file)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchmarkError(f"The calls of {operation} failed: {done.stderr[-2000:]}")
        return msgspec.json.decode(done.stdout, type=Measured)

    def check(self, operation: str) -> None:
        """Makes one call with gRPC's own client: the load would take any message for the right one."""
        rpc = self.rpcs[operation]
        before, after = self._messages(operation)[0]
        body = before if after is None else before + _NUMBER + after
        with grpc.insecure_channel(f"127.0.0.1:{self.system.grpc_port}") as channel:
            try:
                answer = channel.unary_unary(rpc.path)(body, metadata=list(_metadata(self.system).items()), timeout=30)
            except grpc.RpcError as error:
                raise BenchmarkError(f"gRPC answers {operation} with: {error}") from error
        content = rpc.value(rpc.response_class.FromString(answer))
        if not (content.body and (operation == "create" or content.id == self.system.ids[0][0])):
            raise BenchmarkError(f"gRPC answers {operation} with {content}")

    def _messages(self, operation: str) -> list[tuple[bytes, bytes | None]]:
        if operation == "get":
            return self._gets
        rpc, prefix = self.rpcs["create"], f"g{time.time_ns():x}-"
        slug = prefix + _NUMBER.decode()
        made = [_body(rpc, request=rpc.method.request(**draft | {"slug": slug})) for draft in drafts(BODIES, "new")]
        # The number's place is held by as many digits, so that the lengths in the message are right.
        places = [(body, body.index(slug.encode()) + len(prefix)) for body in made]
        return [(body[:place], body[place + NUMBER_DIGITS :]) for body, place in places]


def _body(rpc: Rpc, **asked: Any) -> bytes:
    body: bytes = rpc.request(Call(rpc.method, CAMPAIGN, **asked)).SerializeToString()
    return body


def _metadata(system: System) -> dict[str, str]:
    return {name.lower(): value for name, value in system.headers.items()}
