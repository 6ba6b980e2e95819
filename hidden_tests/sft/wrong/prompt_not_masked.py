"""Labels are a copy of the ids."""

# %% tokenise_example
def tokenise_example(messages):
    ids = encode(chat_template(messages))
    return ids, list(ids)
