"""``python -m kvnet.gradcheck``: check every operation and every model."""

import sys

from kvnet.gradcheck.command_line import main

if __name__ == "__main__":
    sys.exit(main())
