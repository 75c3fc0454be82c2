"""The rules of user."""

from ovasabi.kernel.service import Service
from ovasabi.services.user.entity import User


class Users(Service[User]):
    """Users."""
