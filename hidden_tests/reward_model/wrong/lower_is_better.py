"""Takes ratings for ranks."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    n = range(len(responses))
    return [(prompt + responses[i], prompt + responses[j]) for i in n for j in n if ratings[i] < ratings[j]]
