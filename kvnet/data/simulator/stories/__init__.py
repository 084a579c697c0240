"""The story generators of the 20 tasks: which events happen, and which questions follow.

The rules were inferred from the released files. Nearly all tasks share three of them. Sentences
come in pairs. After a pair, a question is asked if one is possible about the last five sentences.
The story ends with the fifth question.
"""
