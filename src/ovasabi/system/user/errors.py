"""Errors of users."""

from ovasabi.errors import Kind, OvasabiError, such_as


class PasswordWeak(OvasabiError):
    """The password does not meet the requirements."""

    kind = Kind.INVALID
    code = "password_weak"
    message = "The password must have {missing}."
    hint = "Use 10 to 128 characters with an uppercase letter, a lowercase letter, a digit and a symbol."
    example = such_as(missing="a digit and a symbol", field="password")


class PasswordWrong(OvasabiError):
    """The current password in the request is not the user's password."""

    kind = Kind.DENIED
    code = "password_wrong"
    message = "The current password is wrong."


class UsernameReserved(OvasabiError):
    """The username is reserved for the platform."""

    kind = Kind.INVALID
    code = "username_reserved"
    message = "The username {username} is reserved."
    hint = "Choose another username."
    example = such_as(username="admin", field="username")
