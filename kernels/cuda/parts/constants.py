"""Constants of Python and of the CUDA sources, which get them as macros."""

WARP = 32  # threads
THREADS = 256  # of a block, unless a launch says otherwise
MANY_THREADS = 512  # of a block that computes a question, if there are few: all rows at once
FEW_THREADS = 128  # the same, if there are many questions
PARTIAL_SUMS = 512  # that a block stores at a time
COLUMNS_PER_BLOCK = 128  # of a row that a block gathers
TILE = 16  # rows and columns of a product that a block computes
PRODUCTS_PER_LAUNCH = 6
DESCENTS_PER_LAUNCH = 6  # parameters
ARRAYS_PER_LAUNCH = 8  # that are concatenated
