"""Knows users and assistants only."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    text = ""
    for m in messages:
        if m["role"] in ("user", "assistant"):
            text += f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n"
    return text + "<|im_start|>assistant\n" if add_generation_prompt else text
