"""The visitor: what the address of a page asks of the kernel that waited for somebody to come."""

import gc
import os

from . import draws


def link_query() -> str:
    """The query of the page's address in Voila, "" elsewhere. A warm kernel waits here for its visitor."""
    if "VOILA_BASE_URL" not in os.environ:
        return ""
    from voila.utils import get_query_string

    draws.points(2, 2)  # loads what drawing takes, which would keep the first to ask for it waiting
    gc.collect()
    gc.freeze()  # what is loaded by now stays; searching it for garbage again would make some moves of a slider late
    return get_query_string() or ""
