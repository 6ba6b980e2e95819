"""The worse one first."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    n = range(len(responses))
    return [(prompt + responses[j], prompt + responses[i]) for i in n for j in n if ratings[i] > ratings[j]]
