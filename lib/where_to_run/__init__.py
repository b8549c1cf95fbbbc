"""Where should a team run its LLM: vendor API, rented GPUs, own servers, or a mix of them?"""

import sys

# jsonschema imports rfc3987_syntax when it is installed; that compiles grammars for two seconds, and no schema used
# here has an IRI. None makes the import fail at once, which jsonschema forgives (python-jsonschema/jsonschema#1428).
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from .decision.evaluate import evaluate  # noqa: E402
from .inputs import facts, question  # noqa: E402

__all__ = ["evaluate", "facts", "question"]
