"""What can go wrong with users."""

from ovasabi.errors import Kind, OvasabiError, such_as


class PasswordWeak(OvasabiError):
    """A password lacks something that the rule asks for."""

    kind = Kind.INVALID
    code = "password_weak"
    message = "The password lacks: {missing}."
    hint = "It takes 10 to 128 characters, with an upper and a lower case letter, a digit and a sign."
    example = such_as(missing="a digit, a sign", field="password")


class PasswordWrong(OvasabiError):
    """The present password that was given is not the user's."""

    kind = Kind.DENIED
    code = "password_wrong"
    message = "The current password is wrong."


class UsernameReserved(OvasabiError):
    """The username is one that the platform keeps for itself."""

    kind = Kind.INVALID
    code = "username_reserved"
    message = "The username {username} is reserved."
    hint = "Choose another one."
    example = such_as(username="admin", field="username")
