"""A picture file, drawn with Matplotlib each time there is more to show."""

import argparse
import io
import re
import sys
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from kvnet.cli.arguments import path_name
from kvnet.errors import InputError, one_line, shown
from kvnet.files.atomic_file import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, BLUE, ORANGE = "#222222", "#0072b2", "#d55e00"
COLOURS = (BLUE, ORANGE, "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours that colour-blind readers can distinguish (Okabe and Ito); markers differ too."""
STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
    "figure.dpi": 100,
    "savefig.dpi": 150,
    "font.size": 10,
    "legend.fontsize": 9,
    "path.simplify": False,  # a point per evaluation in the file
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "kvnet",  # the same picture, the same file
    "text.parse_math": False,  # a $ in a sentence is a $
}
UNDATED = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
MISSING_GLYPH = re.compile(r"Glyph (\d+) .*missing from")
LEAST_PAUSE = 9  # times the time that the last drawing took: pictures cost a tenth at most
LARGEST_HEIGHT = 100  # inches; a PNG file has at most 65,535 rows


def picture_name(text: str) -> str:
    """Argument type: the name of a picture file.

    Raises
    ------
    argparse.ArgumentTypeError
        If it is empty, or does not end in a format that can be written.
    """
    if Path(path_name(text)).suffix.lower().removeprefix(".") not in UNDATED:
        raise argparse.ArgumentTypeError(
            f"{shown(text)} does not end in .png, .svg or .pdf, the formats of pictures; give "
            "another name"
        )
    return text


def check_installed(flag: str, package: str) -> None:
    """Raise an `InputError` if a package of the extra ``plot`` is not installed."""
    if find_spec(package) is None:
        raise InputError(
            f"{flag} needs {package}, which is not installed; install it: "
            f"python -m pip install {package}"
        )


class Picture:
    """A picture file.

    It is drawn at once the first time. Later drawings wait for `flush`, or until they take less
    than a tenth of the time. A picture that cannot be drawn or written is reported in one line on
    standard error and is tried again with the next drawing.

    Parameters
    ----------
    name : str
        Its ending selects the format.

    Raises
    ------
    InputError
        If Matplotlib is not installed or cannot be imported.

    Attributes
    ----------
    failed : bool
        Whether the last drawing was not written.
    """

    def __init__(self, name: str):
        check_installed("--plot", "matplotlib")
        try:
            import matplotlib.figure  # noqa: F401  (here, not in the middle of a training)
        except Exception as error:  # such as a library of the system, or a wrong $MPLBACKEND
            raise InputError(
                f"--plot: matplotlib cannot be imported ({error}); install it again, or leave "
                "--plot out"
            ) from None
        self.name, self.failed = name, False
        self._format = Path(name).suffix.lower().removeprefix(".")
        self._pending, self._next, self._said = None, 0.0, set()

    def show(self, draw: Callable[[], "Figure"], at_once: bool = False) -> None:
        """Replace the picture, now or later.

        Parameters
        ----------
        draw : callable
            Returns the figure.
        at_once : bool, default=False
            Do not wait.
        """
        self._pending = draw
        if at_once or time.monotonic() >= self._next:
            self.flush()

    def flush(self) -> None:
        """Draw and write what waits."""
        if self._pending is None:
            return
        draw, self._pending, began = self._pending, None, time.monotonic()
        try:
            write_atomically(self.name, self._content(draw))
            self.failed = False
        except InputError as error:
            self._fail(str(error))
        except Exception as error:  # of the library; the training is worth more than its picture
            self._fail(f"{self.name}: cannot be drawn ({type(error).__name__}: {error})")
        ended = time.monotonic()
        self._next = ended + LEAST_PAUSE * (ended - began)

    def _content(self, draw):
        """Return the content of the file."""
        import matplotlib

        content = io.BytesIO()
        with matplotlib.rc_context(), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            matplotlib.rcdefaults()  # not the user's style: the same picture everywhere
            matplotlib.rcParams.update(STYLE)
            figure = draw()
            figure.savefig(content, format=self._format, metadata=UNDATED[self._format])
        if self._format != "svg":  # whose viewer chooses a font
            self._report_missing(caught)
        return content.getvalue()

    def _report_missing(self, caught):
        found = (MISSING_GLYPH.match(str(warning.message)) for warning in caught)
        missing = "".join(sorted({chr(int(match[1])) for match in found if match}))
        if missing:
            self._say_once(
                f"Matplotlib's font lacks {shown(missing)}, drawn as boxes; an .svg picture has "
                "them as text"
            )

    def _fail(self, problem):
        self.failed = True
        self._say_once(problem)

    def _say_once(self, text):
        if text not in self._said:
            self._said.add(text)
            print(one_line(f"--plot: {text}"), file=sys.stderr, flush=True)
