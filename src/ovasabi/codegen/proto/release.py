"""The released contract, on which clients rely, as protobuf descriptors in JSON.

The record is self-contained, so other programs can read it too: `buf breaking api --against api/released.json`.
"""

from pathlib import Path

import msgspec
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from ovasabi.codegen.proto.breaking import Break, breaks
from ovasabi.gateway.contract.protobuf.contract import Contract
from ovasabi.gateway.contract.protobuf.descriptors import STANDARD_FILES, descriptor_of
from ovasabi.gateway.contract.protobuf.schema import STANDARD

NAME = "released.json"


def released(folder: Path) -> list[FileDescriptorProto]:
    """Returns the files of the last release, without the standard files of protobuf."""
    files = json_format.Parse((folder / NAME).read_text(), FileDescriptorSet()).file
    return [file for file in files if file.name not in STANDARD.values()]


def broken(folder: Path, contract: Contract) -> list[Break]:
    """Returns the breaking changes of the current contract against the released one; none if none was released."""
    if not (folder / NAME).exists():
        return []
    return breaks(released(folder), present(contract))


def record(folder: Path, contract: Contract) -> str:
    """Records the current contract as the released one; returns the path of the record."""
    (folder / NAME).write_text(text_of(contract))
    return f"{folder.name}/{NAME}"


def text_of(contract: Contract) -> str:
    """Returns the record of a release: a FileDescriptorSet in JSON, with a line for each file."""
    own = present(contract)
    imported = {path for file in own for path in file.dependency}
    standard = [FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb) for module in STANDARD_FILES]
    files = [*(file for file in standard if file.name in imported), *own]
    lines = [msgspec.json.encode(json_format.MessageToDict(file)).decode() for file in files]
    return '{"file":[\n' + ",\n".join(lines) + "\n]}\n"


def present(contract: Contract) -> list[FileDescriptorProto]:
    """Returns the files of a contract."""
    return [descriptor_of(file) for file in contract.files]
