"""Runs jobs in processes that a test may kill: imports once, then forks one child for every line it is sent.

A line is {"job": name, ...}. It answers with the child's pid, and when the child has ended with its exit status
(negative: the signal) and what the job returned. The jobs stand below; they know nothing of pytest.
"""

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

import torch

from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.run import RunStore, storable, storable_disparity

SIZE = (40, 56)


def make_frame(state, index):
    """A picture that depends on everything before it, and its disparity and state."""
    noise = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(index))
    image = storable(noise if state is None else state["image"] * 0.7 + noise * 0.3)
    # As noisy in its low byte as a depth model's, so that its file is no smaller.
    disparity = storable_disparity((image * torch.tensor([0.5, 0.3, 0.2]).reshape(1, 3, 1, 1)).sum(1, keepdim=True))
    reference = image[..., :30].mean(1)
    return image, disparity, {"image": image, "disparity": disparity, "reference": reference}


def commit_until(run, last, words=1):
    state = run.state()
    for index in range(run.last_index + 1, last + 1):
        image, disparity, state = make_frame(state, index)
        entry = {"seed": index * 3, "prompt": f"sky {index} ü " * words, "camera": {"translation_z": index / 7}}
        run.commit(index, image, disparity, entry, state, {"prompt": "{}", "workflow": '{"nodes": []}'})


def go_on(root, name, last):
    with RunStore(Path(root)).open(name) as run:
        commit_until(run, last)


def crash(root, name, last, at, after):
    """Ends without a goodbye before (or after) the `at`-th call that makes something durable."""
    calls = 0

    def deadly(function):
        def wrapped(*args):
            nonlocal calls
            calls += 1
            if calls == at and not after:
                os._exit(99)
            result = function(*args)
            if calls == at:
                os._exit(99)
            return result

        return wrapped

    with RunStore(Path(root)).open(name) as run:
        for call in ("fsync", "replace", "truncate"):
            setattr(os, call, deadly(getattr(os, call)))
        commit_until(run, last)
    return calls


def try_open(root, name):
    try:
        RunStore(Path(root)).open(name).close()
    except FramedriftError as error:
        return str(error)
    return None


def hold(root, name, ready):
    with RunStore(Path(root)).open(name):
        Path(ready).touch()
        while True:
            os.read(0, 1)


def create_many(root, name, count, processes):
    """The folders that several processes made at the same time under one name."""
    children = []
    for _ in range(processes):
        child = os.fork()
        if not child:
            for _ in range(count):
                RunStore(Path(root)).create(name, {}, "race").close()
            os._exit(0)
        children.append(child)
    return [os.waitpid(child, 0)[1] for child in children]


JOBS = {job.__name__: job for job in (go_on, crash, try_open, hold, create_many)}


def main():
    torch.set_num_threads(1)
    # What a frame needs is imported here, once.
    with tempfile.TemporaryDirectory() as folder, RunStore(Path(folder)).create("warm", {}, "") as run:
        commit_until(run, 0)
        run.frames()[0]
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            # The tests' next lines are not this child's.
            os.dup2(os.pipe()[0], 0)
            answer = JOBS[asked.pop("job")](**asked)
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
        os.close(writer)
        print(child, flush=True)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.closing(os.fdopen(reader)) as answer:
            print(json.dumps([status, answer.read()]), flush=True)


if __name__ == "__main__":
    main()
