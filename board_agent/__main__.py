"""Lets `python -m board_agent` and a zipapp start the agent."""

import sys

from board_agent.main import main

sys.exit(main())
