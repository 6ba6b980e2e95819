"""The generation prompt is an empty message, closed."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    if add_generation_prompt:
        messages = messages + [{"role": "assistant", "content": ""}]
    return "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
