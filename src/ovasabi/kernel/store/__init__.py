"""Reading and writing entities: the repository, the registry, history, lists, locks and partitions."""
