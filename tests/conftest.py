"""For all tests: one thread a process; small tensors on a busy machine wait for each other's threads."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import torch

torch.set_num_threads(1)
