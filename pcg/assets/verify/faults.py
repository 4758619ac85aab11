"""What is wrong with a file that is verified, in words."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from runtime.errors import RpcError

DAMAGED = (OSError, ValueError, TypeError, AttributeError, RpcError, Image.DecompressionBombError)


def fault_of(check: Callable[[], str | None]) -> str | None:
    """What a check returns, or the message of what it raises because a file is damaged; None if nothing is wrong.

    Raises:
        ConnectionError: the server is gone, which says nothing about the file.
    """
    try:
        return check()
    except ConnectionError:
        raise
    except LookupError as error:
        return f"its provenance lacks {error}"
    except DAMAGED as error:
        return str(error)
