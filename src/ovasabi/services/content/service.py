"""The rules of content."""

from ovasabi.kernel.service import Service
from ovasabi.services.content.entity import Comment, Content, Reaction


class Contents(Service[Content]):
    """Contents."""


class Comments(Service[Comment]):
    """Comments."""


class Reactions(Service[Reaction]):
    """Reactions."""
