"""Takes for granted that the responses come best first."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    n = range(len(responses))
    return [(prompt + responses[i], prompt + responses[j]) for i in n for j in n if i < j and ratings[i] > ratings[j]]
