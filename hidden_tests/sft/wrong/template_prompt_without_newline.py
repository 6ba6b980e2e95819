"""The generation prompt ends with the role."""

# %% chat_template
def chat_template(messages, add_generation_prompt=False):
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return text + "<|im_start|>assistant" if add_generation_prompt else text
