"""Train a language model with a memory. The command is kvnet/cli/train_lm.py."""

import sys

from kvnet_commands import train_lm

if __name__ == "__main__":
    sys.exit(train_lm())
