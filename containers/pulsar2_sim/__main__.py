"""`python -m containers.pulsar2_sim`: what the `pulsar2` command of the image starts."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
