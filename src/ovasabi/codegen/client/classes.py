"""Generates the client's `api_async.py` files: the classes of the services, of a campaign, and of the client."""

from collections.abc import Mapping, Sequence
from typing import Any

from ovasabi.codegen.client.formatting import GENERATED, docstring
from ovasabi.codegen.client.functions import declared_in, functions_of
from ovasabi.codegen.client.names import Names
from ovasabi.kernel.declare.checks.named_types import named_in
from ovasabi.kernel.declare.methods import OPERATION, Method, Resource, Subject
from ovasabi.kernel.store.listing import Page

_INDEX_DOC = '"""The asynchronous API: the client, its campaigns, and their services."""'
_WAIT = '''    async def wait(self, reference: {Reference}, /, *, timeout: {float} = 60.0) -> {Operation}:
        """Waits until an operation has ended, successfully or not, and returns it; raises TimeoutError on a timeout.

        Args:
            reference: The id or uuid of the operation.
            timeout: Seconds to wait. The operation continues after a timeout.
        """
        request = {Request}(method="GET", path=f"{{self._at}}/operations/{{{part}(reference)}}", response={Operation})
        return await self._transport.until(request, lambda operation: operation.finished_at is not None, timeout)
'''
_SCOPED = (Resource.CAMPAIGN, Resource.EITHER)
_PLATFORM = (Resource.PLATFORM, Resource.EITHER)


def api_file(methods: Sequence[Method], folder: str, types: Mapping[str, str]) -> str:
    """Returns the asynchronous API of one service; `types` are the modules of the types by name."""
    subjects = _subjects(methods)
    used = (
        kind.__name__ for method in methods for hint in _hints(method) for kind in named_in(hint) if kind is not Page
    )
    names = Names({*declared_in(methods), *used, *(subject.title for subject in subjects)}, types=types)
    body = "\n\n".join(_service(subject, [m for m in methods if m.subject is subject], names) for subject in subjects)
    doc = f'"""The asynchronous methods of the {folder} service."""'
    return f"{GENERATED}{doc}\n\n{names.imports()}\n\n\n{body}"


def index_file(methods: Sequence[Method]) -> str:
    """Returns the file of the client itself, with all services."""
    subjects = _subjects(methods)
    modules = {f"Async{s.title}": f"ovasabi_client.services.{s.folder}.api_async" for s in subjects}
    names = Names((name for s in subjects for name in (s.label, s.title)), types=modules)
    body = "\n\n".join([_scope(subjects, names), _client(subjects, names)])
    return f"{GENERATED}{_INDEX_DOC}\n\n{names.imports()}\n\n\n{body}"


def _hints(method: Method) -> tuple[Any, ...]:
    return (method.request, method.response, method.result)


def _subjects(methods: Sequence[Method]) -> list[Subject]:
    return list({method.subject.label: method.subject for method in methods}.values())


def _service(subject: Subject, methods: list[Method], names: Names) -> str:
    functions = [function for method in methods for function in functions_of(method, names)]
    functions += [_wait(names)] if subject.singular == OPERATION else []
    base = names.ours("AsyncService")
    head = f"class Async{subject.title}({base}):\n{docstring(4, subject.doc or subject.title)}\n"
    return "\n".join([head, *functions])


def _wait(names: Names) -> str:
    written = {name: names.ours(name) for name in ("Reference", "Request", "float", "part")}
    return _WAIT.format(**written, Operation=names.declared("Operation"))


def _scope(subjects: list[Subject], names: Names) -> str:
    within = [subject for subject in subjects if subject.resource in _SCOPED]
    bases = [_class(subject, names) for subject in within if not subject.collection] or [names.ours("AsyncService")]
    lines = [
        f"class AsyncCampaignScope({', '.join(bases)}):",
        '    """One campaign: its services, and its search."""',
        "",
        f"    def __init__(self, transport: {names.ours('AsyncTransport')}, at: {names.ours('str')}) -> None:",
        "        super().__init__(transport, at)",
        *(f"        self.{s.label} = {_class(s, names)}(transport, at)" for s in within if s.collection),
    ]
    return "\n".join(lines) + "\n"


def _client(subjects: list[Subject], names: Names) -> str:
    of_platform = [subject for subject in subjects if subject.resource in _PLATFORM and subject.collection]
    lines = [
        f"class AsyncClient({names.ours('AsyncConnection')}):",
        '    """A client of one server, with one API key: `async with AsyncClient(address, key) as client: …`."""',
        "",
        *(_attribute(subject, names) for subject in of_platform),
        f"    def campaign(self, campaign: {names.ours('str')} | {names.ours('int')}) -> AsyncCampaignScope:",
        '        """Returns a campaign by slug or number, without sending a request."""',
        f'        return AsyncCampaignScope(self._transport, f"/v1/campaigns/{{{names.ours("part")}(campaign)}}")',
    ]
    return "\n".join(lines) + "\n"


def _attribute(subject: Subject, names: Names) -> str:
    lines = [
        f"    @{names.ours('cached_property')}",
        f"    def {subject.label}(self) -> {_class(subject, names)}:",
        docstring(8, subject.doc or subject.title),
        f'        return {_class(subject, names)}(self._transport, "/v1")',
    ]
    return "\n".join(lines) + "\n"


def _class(subject: Subject, names: Names) -> str:
    return names.declared(f"Async{subject.title}")
