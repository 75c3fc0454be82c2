"""The errors of backup and restore: each says that nothing was left half done, and why."""

from ovasabi.errors import Kind, OvasabiError, such_as


class BackupFailed(OvasabiError):
    """A backup could not be made; what was written of it has been removed."""

    kind = Kind.PRECONDITION
    code = "backup_failed"
    message = "No backup was made: {problem}."
    example = such_as(problem="/var/backups/monday already exists", hint="Choose a directory that does not exist yet.")


class RestoreFailed(OvasabiError):
    """A backup could not be restored; the database is as empty as before."""

    kind = Kind.PRECONDITION
    code = "restore_failed"
    message = "Nothing was restored: {problem}."
    example = such_as(
        problem="the database is not empty: it has the table master",
        hint="Restore into a new database, or into an OVASABI_HOME that does not exist yet.",
    )


class RestoreUnchecked(OvasabiError):
    """A restore was interrupted so late that the database could be neither checked nor emptied again."""

    kind = Kind.UNAVAILABLE
    code = "restore_unchecked"
    message = "The database may have been restored, but could be neither checked nor emptied again: {problem}."
    hint = "Drop the database, create it again, and repeat the restore."
    example = such_as(problem="connection was closed in the middle of operation")
