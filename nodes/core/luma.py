"""How light a colour looks."""

from torch import Tensor


def luma(image: Tensor) -> Tensor:
    """The luma (ITU-R BT.601) of pictures (B, 3 or more, H, W), RGB first, as (B, 1, H, W); white's is 1 exactly."""
    weights = image.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    return (image[:, :3] * weights).sum(1, keepdim=True)
