"""Role and content on one line, as in a play."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    text = "".join(f"<|im_start|>{m['role']}: {m['content']}<|im_end|>\n" for m in messages)
    return text + "<|im_start|>assistant: " if add_generation_prompt else text
