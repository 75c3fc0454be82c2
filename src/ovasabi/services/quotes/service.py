"""The rules of quotes."""

from ovasabi.kernel.service import Service
from ovasabi.services.quotes.entity import Quote


class Quotes(Service[Quote]):
    """Quotes."""
