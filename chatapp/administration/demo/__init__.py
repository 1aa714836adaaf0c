"""``chatapp demo``: a server that is full of life from the first look, over a store of its own that goes with it."""
