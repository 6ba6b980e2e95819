"""The exact match forgets to normalise."""

# %% evaluate
def evaluate(responses, golds):
    exact, f1 = [], []
    for pair in zip(responses, golds, strict=True):
        a, b = (text.lower().translate(str.maketrans("", "", string.punctuation)).split() for text in pair)
        exact.append(float(pair[0] == pair[1]))
        f1.append(2 * (Counter(a) & Counter(b)).total() / (len(a) + len(b)) if a or b else 1.0)
    return {"exact_match": sum(exact) / len(exact), "f1": sum(f1) / len(f1)}
