"""For all tests: one thread a process; small tensors on a busy machine wait for each other's threads."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from hypothesis import settings

torch.set_num_threads(1)

# The same examples on every run, so that it ends as the last one did; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("framedrift", derandomize=True, deadline=None)
settings.register_profile("explore", print_blob=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "framedrift"))
