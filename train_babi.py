"""Train a memory network on bAbI. The command is kvnet/cli/train_babi.py."""

import sys

try:
    from kvnet.cli.train_babi import main
except ModuleNotFoundError as error:
    print(
        f"train_babi.py: {error}; install kvnet first: python -m pip install -e .", file=sys.stderr
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
