"""The protobuf contract as files: their text, the released contract, and breaking changes."""
