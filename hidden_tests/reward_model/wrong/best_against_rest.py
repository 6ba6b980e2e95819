"""Only the best response is chosen."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    n = range(len(responses))
    best = max(n, key=lambda i: ratings[i])
    return [(prompt + responses[best], prompt + responses[j]) for j in n if ratings[j] < ratings[best]]
