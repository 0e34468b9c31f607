"""What is wrong with a request."""

from __future__ import annotations


class RequestError(Exception):
    """A request that is not answered.

    Parameters
    ----------
    message
        What the client is told.
    status
        Of HTTP; 400 by default, as TensorFlow Serving has it for what is wrong in a request.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
