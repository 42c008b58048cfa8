"""`python -m surveykit`."""

from surveykit.cli import main

raise SystemExit(main())
