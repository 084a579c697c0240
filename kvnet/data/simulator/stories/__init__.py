"""The stories of the 20 tasks: what happens in them, and which questions are asked when.

The rules were read off the released files. Nearly all tasks share three of them: sentences come in
pairs, a question follows a pair if one can be asked about the last five sentences, and the fifth
question ends the story.
"""
