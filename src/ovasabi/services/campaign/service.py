"""The rules of campaign."""

from ovasabi.kernel.service import Service
from ovasabi.services.campaign.entity import Campaign


class Campaigns(Service[Campaign]):
    """Campaigns."""
