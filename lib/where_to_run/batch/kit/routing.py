"""Routing."""

from ...decision.answer import Answer

READ_ME: tuple[tuple[str, str, str], ...] = ()


def files(answer: Answer) -> dict[str, bytes]:
    """Files."""
    return {}
