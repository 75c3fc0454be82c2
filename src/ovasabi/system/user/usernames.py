"""Reserved usernames: names that could be mistaken for the platform itself."""

import re

from ovasabi.system.user.errors import UsernameReserved

# fmt: off
RESERVED = frozenset({
    "abuse", "account", "admin", "administrator", "anonymous", "api", "auth", "billing", "bot",
    "campaign", "contact", "daemon", "everyone", "guest", "help", "helpdesk", "hostmaster", "info", "legal", "login",
    "logout", "mail", "master", "me", "moderator", "mod", "noreply", "nobody", "null", "official", "operator",
    "ovasabi", "owner", "password", "platform", "postmaster", "privacy", "register", "root", "sales", "security",
    "service", "signup", "staff", "status", "sudo", "superuser", "support", "sysadmin", "system", "team", "undefined",
    "user", "webmaster", "www",
})
# fmt: on


def check_username(username: str) -> None:
    """Refuses a reserved name, including variants in case or with added dots, underscores and digits."""
    if re.sub(r"[._\d]", "", username).casefold() in RESERVED:
        raise UsernameReserved(field="username", username=username)
