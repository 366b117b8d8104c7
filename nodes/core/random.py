"""Randomness that any frame can draw again alone."""

import hashlib

import torch


def generator(seed: int, frame: int, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator of its own for one use in one frame; no global generator is touched.

    Args:
        seed: any integer, also over 64 bits or negative.
        frame: the animation's frame index.
        purpose: what the numbers are for, "noise" say, so that two uses in a frame are independent.
        device: where the numbers are made; CPU and GPU generators differ, so runs that must repeat use the CPU.
    """
    digest = hashlib.blake2b(f"{seed}/{frame}/{purpose}".encode(), digest_size=8).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest, "little") >> 1)
