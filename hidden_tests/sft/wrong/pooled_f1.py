"""One F1 for the words of all pairs."""

# %% evaluate
def evaluate(responses, golds):
    exact, common, total = [], 0, 0
    for pair in zip(responses, golds, strict=True):
        a, b = (text.lower().translate(str.maketrans("", "", string.punctuation)).split() for text in pair)
        exact.append(float(a == b))
        common += (Counter(a) & Counter(b)).total()
        total += len(a) + len(b)
    return {"exact_match": sum(exact) / len(exact), "f1": 2 * common / total if total else 1.0}
