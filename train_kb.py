"""Train a memory network to answer from a knowledge base. The command is kvnet/cli/train_kb.py."""

import sys

from kvnet_commands import train_kb

if __name__ == "__main__":
    sys.exit(train_kb())
