"""The argument is ignored."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    return "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
