"""The model: its parts, from attention to the whole language model, and how text is sampled from it."""
