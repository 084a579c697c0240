"""bAbI stories, other texts, and the arrays made of them."""
