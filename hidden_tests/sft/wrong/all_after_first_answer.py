"""Once the assistant has begun, everything is a target."""

# %% tokenise_example
def tokenise_example(messages):
    ids = encode(chat_template(messages))
    before = []
    for m in messages:
        if m["role"] == "assistant":
            prompt = len(encode(chat_template(before, add_generation_prompt=True)))
            return ids, [-100] * prompt + ids[prompt:-1] + [-100]
        before.append(m)
    return ids, [-100] * len(ids)
