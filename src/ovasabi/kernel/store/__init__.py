"""Reading and writing entities: the repository, history, lists and partitions."""
