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
from framedrift.nodes.core.run import Controls, RunStore, attend, give, storable, storable_disparity

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
    with RunStore(Path(root)).open(name) as run:
        calls = mortal(at, after, "fsync", "replace", "truncate")
        commit_until(run, last)
    return len(calls)


def mortal(at, after, *names):
    """From here on this process ends before (or after) the `at`-th call of these functions of os."""
    calls = []

    def deadly(function):
        def wrapped(*args, **options):
            calls.append(function)
            if len(calls) == at and not after:
                os._exit(99)
            result = function(*args, **options)
            if len(calls) == at:
                os._exit(99)
            return result

        return wrapped

    for name in names:
        setattr(os, name, deadly(getattr(os, name)))
    return calls


def crash_branch(root, name, frame, at, after):
    calls = mortal(at, after, "fsync", "replace", "link", "mkdir", "unlink")
    RunStore(Path(root)).branch(name, frame)
    return len(calls)


def crash_give(root, name, at, after, action, arguments):
    calls = mortal(at, after, "fsync", "replace", "mkdir")
    give(RunStore(Path(root)), name, action, **arguments)
    return len(calls)


def give_many(root, name, count):
    """The ids that one process was given for its commands."""
    store = RunStore(Path(root))
    return [give(store, name, "extend", frames=number + 1)["command"] for number in range(count)]


def render(root, name, frames, ready):
    """A sampler in small: obeys its mailbox, and says how it ended and what it did before which frame."""
    told, number = [], 3.0
    with RunStore(Path(root)).open(name) as run:
        run.mark("running")
        controls = Controls(run)
        state, length = run.state(), frames
        for edit in run.edits:
            number = edit["arguments"].get("changes", {}).get("cfg", number)
            length += edit["arguments"].get("frames", 0)
        Path(ready).touch()
        while run.last_index + 1 < length:
            commands = attend(run, controls, lambda: None, told.append)
            if commands and commands[0].action in ("stop", "cancel"):
                run.mark({"stop": "stopped", "cancel": "cancelled"}[commands[0].action])
                return [commands[0].action, told, run.last_index]
            if commands and commands[0].action == "rewind":
                return ["rewind", told, run.branch(commands[0].arguments["frame"])]
            for command in commands:
                number = command.arguments.get("changes", {}).get("cfg", number)
                length += command.arguments.get("frames", 0)
            index = run.last_index + 1
            image, disparity, state = make_frame(state, index + round(number * 1000))
            entry = {"cfg": number, **({"edits": [c.entry() for c in commands]} if commands else {})}
            run.commit(index, image, disparity, entry, state)
            controls.done(*commands)
        run.finish()
    return ["complete", told, run.last_index]


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


JOBS = {
    job.__name__: job
    for job in (go_on, crash, crash_branch, crash_give, give_many, render, try_open, hold, create_many)
}


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
