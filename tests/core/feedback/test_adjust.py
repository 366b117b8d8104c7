import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from framedrift.nodes.core.feedback.adjust import contrast, grayscale, unsharp


def picture(seed: int, size=(24, 40)) -> torch.Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed))


def pixels(image: torch.Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).contiguous().numpy()


def test_grey_is_the_luma_that_opencv_takes():
    image = picture(1)
    grey = grayscale(image)
    assert grey.shape == image.shape
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert np.abs(grey[0, 0].numpy() - cv2.cvtColor(pixels(image), cv2.COLOR_RGB2GRAY)).max() < 1e-6
    pure = torch.zeros(1, 3, 1, 3)
    pure[0, :, 0] = torch.eye(3)
    assert grayscale(pure)[0, 0, 0].tolist() == pytest.approx([0.299, 0.587, 0.114])


def test_grey_stays_grey():
    grey = picture(2)[:, :1].expand(1, 3, 24, 40)
    assert (grayscale(grey) - grey).abs().max() < 1e-6


def test_contrast_multiplies_and_white_stays_white():
    image = torch.tensor([0.0, 0.25, 0.5, 0.9]).expand(1, 3, 1, 4)
    assert contrast(image, 1.2)[0, 0, 0].tolist() == pytest.approx([0.0, 0.3, 0.6, 1.0])
    assert contrast(image, 0.5)[0, 2, 0].tolist() == pytest.approx([0.0, 0.125, 0.25, 0.45])
    assert contrast(image, 0.0).abs().max() == 0
    assert contrast(image, 1.0) is image


@given(factor=st.floats(0, 10), value=st.floats(0, 1, width=32))
def test_contrast_never_leaves_the_range_nor_falls_with_the_value(factor, value):
    pair = torch.tensor([value / 2, value]).expand(1, 3, 1, 2)
    low, high = contrast(pair, factor)[0, 0, 0].tolist()
    assert 0 <= low <= high <= 1


def test_sharpening_is_classic_deforums_in_float():
    """`(amount + 1) image - amount blurred`, with OpenCV's Gaussian blur."""
    image = picture(3)
    blurred = cv2.GaussianBlur(pixels(image), (7, 7), 1.5)
    wanted = np.clip(1.6 * pixels(image) - 0.6 * blurred, 0, 1)
    assert np.abs(pixels(unsharp(image, 7, 1.5, 0.6)) - wanted).max() < 1e-6
    # Even windows are made odd by one more.
    assert torch.equal(unsharp(image, 6, 1.5, 0.6), unsharp(image, 7, 1.5, 0.6))


def test_an_edge_grows_over_and_under_and_flat_areas_stay():
    image = torch.full((1, 3, 9, 40), 0.3)
    image[..., 20:] = 0.6
    sharp = unsharp(image, 5, 1.0, 1.0)
    assert sharp[..., 20].min() > 0.62
    assert sharp[..., 19].max() < 0.28
    assert (sharp - image)[..., :17].abs().max() < 1e-6
    assert (sharp - image)[..., 23:].abs().max() < 1e-6
    assert (sharp.mean() - image.mean()).abs() < 1e-6, "what one side gains the other loses"


def test_below_the_threshold_nothing_is_sharpened():
    """A step of 10 levels is 4 away from its blurred self at most, one of 100 is 40."""
    image = torch.full((1, 3, 9, 60), 0.2)
    image[..., 20:] += 10 / 255
    image[..., 40:] += 100 / 255
    changed = (unsharp(image, 5, 1.0, 1.0, threshold=8) - image).abs()
    assert changed[..., :30].max() == 0
    assert changed[..., 39:41].min() > 0.1
    assert (unsharp(image, 5, 1.0, 1.0, threshold=0) - image).abs()[..., 19:21].min() > 0.005


def test_amount_0_returns_the_picture_and_nothing_is_written():
    image = picture(4)
    before = image.clone()
    assert unsharp(image, 5, 1.0, 0.0) is image
    unsharp(image, 5, 1.0, 3.0, 4.0)
    unsharp(image, 5, 1.0, -1.0)
    contrast(image, 2.0)
    grayscale(image)
    assert torch.equal(image, before)


def test_below_0_it_blurs():
    image = picture(5)
    assert unsharp(image, 5, 1.0, -1.0).std() < 0.7 * image.std()
    assert (unsharp(image, 5, 0.0, -1.0) - unsharp(image, 5, 1.1, -1.0)).abs().max() < 0.05, "a sigma of 0 is about 1.1"
