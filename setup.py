"""Package metadata; ``kernels/`` and ``gradcheck/`` install inside ``kvnet``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "kvnet/version.py").read_text(), re.M)[1]
setup(
    name="kvnet",
    version=VERSION,
    description="Memory networks from scratch in NumPy and CuPy, every gradient written by hand",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["kvnet", "kvnet.*"]),
        "kvnet.gradcheck",
        "kvnet.kernels",
        "kvnet.kernels.parts",
        "kvnet.kernels.cuda",
        "kvnet.kernels.cuda.parts",
    ],
    py_modules=["kvnet_commands"],
    package_dir={"kvnet.kernels": "kernels", "kvnet.gradcheck": "gradcheck"},
    package_data={
        "kvnet.kernels.cuda": ["*.cu"],
        "kvnet.kernels.cuda.parts": ["*.cu"],
        "kvnet.lab": ["*.css"],
    },
    entry_points={
        "console_scripts": [
            "kvnet-lab = kvnet_commands:lab",
            "kvnet-train-babi = kvnet_commands:train_babi",
            "kvnet-train-kb = kvnet_commands:train_kb",
            "kvnet-train-lm = kvnet_commands:train_lm",
        ]
    },
    install_requires=[
        "filelock>=3.13",
        "msgspec>=0.19",
        "numba>=0.61",
        "numpy>=2.0",
        "psutil>=5.9",
        "rapidfuzz>=3.9",
        "safetensors>=0.4",
        "scipy>=1.11",
        "threadpoolctl>=3.1",
        "tqdm>=4.60",
    ],
    extras_require={
        "cuda12": ["cupy-cuda12x[ctk]>=14.0"],
        "cuda13": ["cupy-cuda13x[ctk]>=14.0"],
        "lab": ["marimo>=0.25", "matplotlib>=3.8", "nbformat>=5.10", "pyzmq>=26"],
        "plot": ["matplotlib>=3.8", "tensorboardX>=2.6.2.2"],
        "test": [
            "autograd>=1.7",
            "axe-playwright-python>=0.1.8",
            "build>=1.2",
            "clang-format>=19",
            "hypothesis>=6.100",
            "import-linter>=2.17",
            "jedi>=0.19",
            "marimo>=0.25",
            "matplotlib>=3.8",
            "nbformat>=5.10",
            "playwright>=1.49",
            "pytest>=8.0",
            "pytest-xdist>=3.6",
            "pyzmq>=26",
            "ruff>=0.12",
            "sybil>=9.0",
            "tensorboardX>=2.6.2.2",
        ],
        "docs": [
            "matplotlib>=3.8",
            "myst-nb>=1.3",
            "numpydoc>=1.8",
            "pydata-sphinx-theme>=0.16",
            "sphinx>=8.1",
            "sphinx-design>=0.6",
            "sphinx-mathjax-offline>=0.0.2",
            "sybil>=9.0",
        ],
        "bench": ["expecttest>=0.3", "jax>=0.5", "matplotlib>=3.8", "torch>=2.7"],
    },
    classifiers=[
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
