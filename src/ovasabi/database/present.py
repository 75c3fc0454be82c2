"""The present, as a process sees it among the rows of a database: it never goes back, even if a clock is set back."""

from datetime import UTC, datetime


class Present:
    """The latest time that a process knows of: of its own clock, and of ids that are ahead of it."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def note(self, at: datetime) -> None:
        """Notes a time of the database, such as that of a new id."""
        self._latest = max(self._latest, at)

    def now(self) -> datetime:
        """Returns the time of the clock, or the latest one that is known, whichever is later."""
        self.note(datetime.now(UTC))
        return self._latest
