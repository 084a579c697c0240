"""The laboratory: a page in the browser on which the networks and the gradients can be tried.

``kvnet-lab`` serves the chapters, which are marimo notebooks, on 127.0.0.1. What a chapter computes
is in the modules of this folder, which need no browser.
"""
