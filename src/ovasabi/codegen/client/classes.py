"""The client's `api_async.py`: a class for each service, one for a campaign, and the client itself."""

from collections.abc import Sequence

from ovasabi.codegen.client.annotations import MODULES
from ovasabi.codegen.client.formatting import GENERATED, docstring, imports, words_in
from ovasabi.codegen.client.functions import functions_of
from ovasabi.kernel.declare.methods import OPERATION, Method, Resource, Subject

DOC = '''"""The API with asyncio: the client, its campaigns, and a class for each service."""'''
CORE = {
    "ovasabi_client.answers": ["Page"],
    "ovasabi_client.requests": ["Paging", "Reference", "Request", "new_key", "part"],
    "ovasabi_client.transport_async": ["AsyncConnection", "AsyncTransport"],
}
_BASE = '''class AsyncService:
    """Base of the services: how they send, and the address below which they are."""

    def __init__(self, transport: AsyncTransport, at: str) -> None:
        self._transport = transport
        self._at = at
'''
_WAIT = '''    async def wait(self, reference: Reference, /, *, timeout: float = 60.0) -> Operation:
        """An operation when it has ended, however it did; TimeoutError if it has not after so many seconds.

        Args:
            reference: By id or uuid.
            timeout: Seconds to wait. The operation goes on also after that.
        """
        request = Request(method="GET", path=f"{self._at}/operations/{part(reference)}", answer=Operation)
        return await self._transport.until(request, lambda operation: operation.finished_at is not None, timeout)
'''
_SCOPED = (Resource.CAMPAIGN, Resource.EITHER)
_PLATFORM = (Resource.PLATFORM, Resource.EITHER)


def api_file(methods: Sequence[Method], types: Sequence[str]) -> str:
    """The whole file, with asyncio; `types` are the names that `types.py` has."""
    subjects = list({method.subject.label: method.subject for method in methods}.values())
    classes = [_service(subject, [m for m in methods if m.subject is subject]) for subject in subjects]
    body = "\n\n".join([_BASE, *classes, _scope(subjects), _client(subjects)])
    return f"{GENERATED}{DOC}\n\n{_imports(body, types)}\n\n\n{body}"


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
        '    """One campaign: everything in it, and its search."""',
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
        '    """A client of one server, with one key: `async with AsyncClient(address, key) as client: …`."""',
        "",
        *(_attribute(subject) for subject in of_platform),
        "    def campaign(self, campaign: str | int) -> AsyncCampaignScope:",
        '        """A campaign, by slug or number; nothing is sent yet."""',
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


def _imports(body: str, types: Sequence[str]) -> str:
    words = words_in(body)
    plain = {**MODULES, "Literal": "typing", "cast": "typing", "cached_property": "functools"}
    plain |= dict.fromkeys(("AsyncIterator", "Mapping", "Sequence"), "collections.abc")
    lines: dict[str, list[str]] = {}
    for name in sorted(plain):
        if name in words:
            lines.setdefault(plain[name], []).append(name)
    standard = [imports(module, names) for module, names in sorted(lines.items())]
    own = CORE | {"ovasabi_client.types": list(types)}
    ours = [imports(module, [name for name in names if name in words]) for module, names in own.items()]
    parts = ["\n".join(standard), imports("msgspec", ["UNSET", "UnsetType"]), "\n".join(line for line in ours if line)]
    return "\n\n".join(parts)
