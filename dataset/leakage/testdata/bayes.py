"""Makes bayes.json: a made-up corpus and what scikit-learn's multinomial naive Bayes says of it.

Run: python bayes.py > bayes.json   (recorded with scikit-learn 1.9.1)
"""

import json
import sys

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

WORDS = "red blue green old small drawing painting of with the on table sky grass fur wing leaf stone wheel light".split()
LABELS = 6


def numbers(state=12345):
    """Numerical Recipes' linear congruential generator."""
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state >> 8


def corpus():
    r = numbers()
    out = []
    for _ in range(200):
        label = max(next(r) % LABELS, next(r) % LABELS)  # classes of unequal size
        words = []
        for _ in range(3 + next(r) % 10):
            own = next(r) % 10 < 3  # three in ten words are the class's favourites
            words.append(WORDS[(label * 3 + next(r) % 4) % len(WORDS)] if own else WORDS[next(r) % len(WORDS)])
        if next(r) % 7 == 0:
            words.append("rare%d" % (next(r) % 30))  # some of them are in validation only
        out.append({"label": label, "caption": " ".join(words)})
    return out


rows = corpus()
train, validation = rows[:150], rows[150:]
counter = CountVectorizer(analyzer=str.split)
x = counter.fit_transform([t["caption"] for t in train])
model = MultinomialNB(alpha=1).fit(x, [t["label"] for t in train])
y = counter.transform([t["caption"] for t in validation])
scores = np.sort(model.predict_joint_log_proba(y), axis=1)
assert (scores[:, -1] - scores[:, -2]).min() > 1e-4, "a tie: change the generator's seed"
predictions = model.predict(y)
truth = np.array([t["label"] for t in validation])
majority = np.bincount([t["label"] for t in train]).argmax()
json.dump(
    {
        "train": train,
        "validation": validation,
        "vocabulary": len(counter.vocabulary_),
        "predictions": predictions.tolist(),
        "accuracy": round(float((predictions == truth).mean()), 6),
        "majority": round(float((truth == majority).mean()), 6),
    },
    sys.stdout,
    indent=1,
)
print()
