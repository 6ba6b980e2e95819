"""Neighbours in the ranking."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    n = range(len(responses))
    order = sorted(n, key=lambda i: ratings[i], reverse=True)
    pairs = zip(order, order[1:])
    return [(prompt + responses[i], prompt + responses[j]) for i, j in pairs if ratings[i] > ratings[j]]
