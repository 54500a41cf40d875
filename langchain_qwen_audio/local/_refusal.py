"""The error that the service answers with, before it has the form of a protocol."""


class Refusal(Exception):  # noqa: N818 (it is a response of the service, not a failure of this server)
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Take the HTTP status, DashScope's native error code and its message."""
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


def invalid_parameter(message: str) -> Refusal:
    """Make the refusal of a request with a wrong value, which is the most frequent one."""
    return Refusal(400, "InvalidParameter", message)
