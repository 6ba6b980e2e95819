"""Takes the text behind the first word assistant for the answer."""

# %% tokenise_example
def tokenise_example(messages):
    text = chat_template(messages)
    prompt, _, answer = text.partition("assistant\n")
    prompt = encode(prompt + "assistant\n")
    answer = encode(answer)[:-1]
    return prompt + answer + [10], [-100] * len(prompt) + answer + [-100]
