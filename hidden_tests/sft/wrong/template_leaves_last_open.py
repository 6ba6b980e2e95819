"""Leaves the last message open for the model to continue."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    text = "<|im_end|>\n".join(f"<|im_start|>{m['role']}\n{m['content']}" for m in messages)
    return text + "<|im_start|>assistant\n" if add_generation_prompt else text
