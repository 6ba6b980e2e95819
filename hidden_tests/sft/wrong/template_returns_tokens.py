"""Returns the ids and not the text."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return encode(text + "<|im_start|>assistant\n" if add_generation_prompt else text)
