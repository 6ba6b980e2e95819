"""Common words by words of the response."""

# %% evaluate
def evaluate(responses, golds):
    exact, f1 = [], []
    for pair in zip(responses, golds, strict=True):
        a, b = (text.lower().translate(str.maketrans("", "", string.punctuation)).split() for text in pair)
        exact.append(float(a == b))
        f1.append((Counter(a) & Counter(b)).total() / len(a) if a else float(not b))
    return {"exact_match": sum(exact) / len(exact), "f1": sum(f1) / len(f1)}
