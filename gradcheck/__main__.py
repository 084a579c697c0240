"""``python -m kvnet.gradcheck``: check every operation and every model."""

import sys

try:
    from kvnet.gradcheck.command_line import main
except ModuleNotFoundError as error:
    print(
        f"gradcheck: {error}; install the extra `test` of kvnet, in a clone of the repository by: "
        "python -m pip install -e '.[test]'",
        file=sys.stderr,
    )
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
