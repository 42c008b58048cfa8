"""`python -m surveykit`. Python puts the working directory before all modules, and a file there may have the name of one."""

import sys

if not sys.flags.safe_path:
    del sys.path[0]

from surveykit.cli import main

raise SystemExit(main())
