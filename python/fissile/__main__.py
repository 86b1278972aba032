"""`python -m fissile`."""

import sys

from fissile.cli import main

sys.exit(main())
