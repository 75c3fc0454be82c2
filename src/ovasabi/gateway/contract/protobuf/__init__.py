"""The protobuf contract: services and messages made from the methods that are declared, without any generated code."""
