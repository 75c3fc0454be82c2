"""Generates the client's `api_async.py` files: the classes of the services, of a campaign, and of the client."""

from collections.abc import Mapping, Sequence

from ovasabi.codegen.client.annotations import MODULES
from ovasabi.codegen.client.formatting import GENERATED, docstring, imports, words_in
from ovasabi.codegen.client.functions import functions_of
from ovasabi.codegen.client.structs import imported
from ovasabi.kernel.declare.methods import OPERATION, Method, Resource, Subject

_INDEX_DOC = '"""The asynchronous API: the client, its campaigns, and their services."""'
_CORE = {
    "answers": ["Page"],
    "requests": ["Paging", "Reference", "Request", "new_key", "part"],
    "transport_async": ["AsyncConnection", "AsyncService", "AsyncTransport"],
}
_BY_HAND = {name: f"ovasabi_client.{module}" for module, names in _CORE.items() for name in names}
"""The module of each handwritten name."""
_WAIT = '''    async def wait(self, reference: Reference, /, *, timeout: float = 60.0) -> Operation:
        """Waits until an operation has ended, successfully or not, and returns it; raises TimeoutError on a timeout.

        Args:
            reference: The id or uuid of the operation.
            timeout: Seconds to wait. The operation continues after a timeout.
        """
        request = Request(method="GET", path=f"{self._at}/operations/{part(reference)}", answer=Operation)
        return await self._transport.until(request, lambda operation: operation.finished_at is not None, timeout)
'''
_SCOPED = (Resource.CAMPAIGN, Resource.EITHER)
_PLATFORM = (Resource.PLATFORM, Resource.EITHER)


def api_file(methods: Sequence[Method], folder: str, types: Mapping[str, str]) -> str:
    """Returns the asynchronous API of one service; `types` are the modules of the types by name."""
    subjects = _subjects(methods)
    body = "\n\n".join(_service(subject, [m for m in methods if m.subject is subject]) for subject in subjects)
    doc = f'"""The asynchronous methods of the {folder} service."""'
    return f"{GENERATED}{doc}\n\n{_imports(body, {**_BY_HAND, **types})}\n\n\n{body}"


def index_file(methods: Sequence[Method]) -> str:
    """Returns the file of the client itself, with all services."""
    subjects = _subjects(methods)
    modules = {f"Async{s.title}": f"ovasabi_client.services.{s.folder}.api_async" for s in subjects}
    body = "\n\n".join([_scope(subjects), _client(subjects)])
    return f"{GENERATED}{_INDEX_DOC}\n\n{_imports(body, {**_BY_HAND, **modules})}\n\n\n{body}"


def _subjects(methods: Sequence[Method]) -> list[Subject]:
    return list({method.subject.label: method.subject for method in methods}.values())


def _service(subject: Subject, methods: list[Method]) -> str:
    functions = [function for method in methods for function in functions_of(method)]
    functions += [_WAIT] if subject.singular == OPERATION else []
    head = f"class Async{subject.title}(AsyncService):\n{docstring(4, subject.doc or subject.title)}\n"
    return "\n".join([head, *functions])


def _scope(subjects: list[Subject]) -> str:
    within = [subject for subject in subjects if subject.resource in _SCOPED]
    bases = [f"Async{subject.title}" for subject in within if not subject.collection] or ["AsyncService"]
    lines = [
        f"class AsyncCampaignScope({', '.join(bases)}):",
        '    """One campaign: its services, and its search."""',
        "",
        "    def __init__(self, transport: AsyncTransport, at: str) -> None:",
        "        super().__init__(transport, at)",
        *(f"        self.{s.label} = Async{s.title}(transport, at)" for s in within if s.collection),
    ]
    return "\n".join(lines) + "\n"


def _client(subjects: list[Subject]) -> str:
    of_platform = [subject for subject in subjects if subject.resource in _PLATFORM and subject.collection]
    lines = [
        "class AsyncClient(AsyncConnection):",
        '    """A client of one server, with one API key: `async with AsyncClient(address, key) as client: …`."""',
        "",
        *(_attribute(subject) for subject in of_platform),
        "    def campaign(self, campaign: str | int) -> AsyncCampaignScope:",
        '        """Returns a campaign by slug or number, without sending a request."""',
        '        return AsyncCampaignScope(self._transport, f"/v1/campaigns/{part(campaign)}")',
    ]
    return "\n".join(lines) + "\n"


def _attribute(subject: Subject) -> str:
    lines = [
        "    @cached_property",
        f"    def {subject.label}(self) -> Async{subject.title}:",
        docstring(8, subject.doc or subject.title),
        f'        return Async{subject.title}(self._transport, "/v1")',
    ]
    return "\n".join(lines) + "\n"


def _imports(body: str, ours: Mapping[str, str]) -> str:
    words = words_in(body)
    plain = {**MODULES, "Literal": "typing", "cast": "typing", "cached_property": "functools"}
    plain |= dict.fromkeys(("AsyncIterator", "Mapping", "Sequence"), "collections.abc")
    parts = [imported(plain, words), imports("msgspec", {"UNSET", "UnsetType"} & words), imported(ours, words)]
    return "\n\n".join(part for part in parts if part)
