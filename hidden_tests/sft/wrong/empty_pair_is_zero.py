"""No common words gives 0, also when there are no words at all."""

# %% evaluate
def evaluate(responses, golds):
    exact, f1 = [], []
    for pair in zip(responses, golds, strict=True):
        a, b = (text.lower().translate(str.maketrans("", "", string.punctuation)).split() for text in pair)
        common = (Counter(a) & Counter(b)).total()
        exact.append(float(a == b))
        f1.append(2 * common / (len(a) + len(b)) if common else 0.0)
    return {"exact_match": sum(exact) / len(exact), "f1": sum(f1) / len(f1)}
