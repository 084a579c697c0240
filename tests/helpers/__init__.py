"""What several tests use: small models and batches, trainings, independent formulas."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
