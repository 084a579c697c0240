"""Train a memory network on bAbI. The command is kvnet/cli/train_babi.py."""

import sys

from kvnet_commands import train_babi

if __name__ == "__main__":
    sys.exit(train_babi())
