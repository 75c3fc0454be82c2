"""The protobuf contract as files: their text, the released contract, and what would break it."""
