"""Train a language model with a memory. The command is kvnet/cli/train_lm.py."""

import sys

try:
    from kvnet.cli.train_lm import main
except ModuleNotFoundError as error:
    print(f"train_lm.py: {error}; install kvnet first: python -m pip install -e .", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
