"""The chapters of the laboratory: marimo notebooks, each served as a page."""
