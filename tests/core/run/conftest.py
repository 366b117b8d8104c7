import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

NURSERY = Path(__file__).with_name("nursery.py")


def load_nursery():
    spec = importlib.util.spec_from_file_location("nursery", NURSERY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def writer():
    """The functions that the children run, for use in this process."""
    return load_nursery()


class Nursery:
    """Starts children, kills them, and says how they ended."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(NURSERY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout.readline() == "ready\n"

    def start(self, job, **arguments):
        self.process.stdin.write(json.dumps({"job": job, **arguments}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def wait(self):
        status, answer = json.loads(self.process.stdout.readline())
        return status, json.loads(answer) if answer else None

    def call(self, job, kill_after=None, **arguments):
        child = self.start(job, **arguments)
        timer = threading.Timer(kill_after or 0, lambda: os.kill(child, signal.SIGKILL))
        if kill_after is not None:
            timer.start()
        result = self.wait()
        timer.cancel()
        return result


@pytest.fixture(scope="session")
def nursery():
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    made = Nursery()
    yield made
    made.process.stdin.close()
    assert made.process.wait(20) == 0
