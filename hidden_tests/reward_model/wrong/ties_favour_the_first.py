"""Sorts and pairs each with all behind it."""

# %% preference_pairs
def preference_pairs(prompt, responses, ratings):
    n = range(len(responses))
    pairs = []
    for i in n:
        for j in n:
            if ratings[i] > ratings[j] or (ratings[i] == ratings[j] and i < j):
                pairs.append((prompt + responses[i], prompt + responses[j]))
    return pairs
