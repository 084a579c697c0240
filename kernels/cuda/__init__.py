"""Fused kernels in CUDA C, each a drop-in for the textbook operation of the same name.

A source file ``.cu`` holds the kernels, the module of an operation's name launches them. They are
compiled where they run, by the array module's ``RawModule``.
"""
