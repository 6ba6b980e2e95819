"""Responses without the prompt."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    n = range(len(responses))
    return [(responses[i], responses[j]) for i in n for j in n if ratings[i] > ratings[j]]
