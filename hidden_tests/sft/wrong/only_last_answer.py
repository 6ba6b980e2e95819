"""Trains on the last message only, whose prompt is all before."""

# %% tokenise_example
def tokenise_example(messages):
    ids = encode(chat_template(messages))
    if messages[-1]["role"] != "assistant":
        return ids, [-100] * len(ids)
    prompt = len(encode(chat_template(messages[:-1], add_generation_prompt=True)))
    return ids, [-100] * prompt + ids[prompt:-1] + [-100]
