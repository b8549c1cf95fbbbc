"""`python -m where_to_run` is the command line."""

import sys

from .cli import main

sys.exit(main())
