"""Newlines between the messages only."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    text = "\n".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>" for m in messages)
    return text + "\n<|im_start|>assistant\n" if add_generation_prompt else text
