"""For all tests: one thread a process, since small tensors on a machine with other work wait for each other's threads."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import torch

torch.set_num_threads(1)
