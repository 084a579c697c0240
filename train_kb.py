"""Train a memory network to answer from a knowledge base. The command is kvnet/cli/train_kb.py."""

import sys

try:
    from kvnet.cli.train_kb import main
except ModuleNotFoundError as error:
    print(f"train_kb.py: {error}; install kvnet first: python -m pip install -e .", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
