"""`python -m pipeline.cli`, where the command `vlsenet` is not on the path."""

import sys

from pipeline.cli.main import main

sys.exit(main())
