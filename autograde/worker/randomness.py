"""Seeds every random generator that a submission is likely to draw from."""

import random

import numpy as np
import torch


def seed_everything(seed: int, device: str) -> None:
    # torch.manual_seed would note a whole traceback for each kind of device that is not in use: ten times the work.
    torch.default_generator.manual_seed(seed)
    if device != "cpu":
        torch.cuda.manual_seed_all(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
