"""``python -m kvnet.lab``: the command ``kvnet-lab``."""

import sys

from kvnet_commands import lab

sys.exit(lab())
