import pytest
import torch

from framedrift.nodes.cadence import NODES, CadenceBlend
from framedrift.nodes.core.cadence import BLENDS, FLOWS
from framedrift.nodes.core.errors import FramedriftError
from framedrift.nodes.core.video.frames import BatchFrames


def run(frames, **inputs):
    return CadenceBlend.execute(frames=frames, **inputs).args[0]


def test_the_schema_offers_what_core_can_do():
    assert CadenceBlend in NODES
    schema = CadenceBlend.define_schema()
    assert schema.node_id == "FramedriftCadenceBlend"
    assert [given.id for given in schema.inputs] == ["frames", "blend", "flow"]
    assert tuple(schema.inputs[2].as_dict()["options"]) == FLOWS
    assert tuple(schema.inputs[1].as_dict()["options"]) == BLENDS
    assert all(given.tooltip for given in schema.inputs)
    assert [output.id for output in schema.outputs] == ["frames"]


def test_gaps_are_filled_when_a_frame_is_asked_for():
    pictures = torch.stack([torch.zeros(16, 24, 3), torch.ones(16, 24, 3)])
    frames = run(BatchFrames(pictures, indices=(0, 4), num_frames=5), blend="linear")
    assert len(frames) == 5
    assert [round(float(frame.mean()), 4) for frame in frames] == [0, 0.25, 0.5, 0.75, 1]


def test_frames_without_gaps_are_handed_on_as_they_are():
    frames = BatchFrames(torch.zeros(3, 16, 24, 3))
    assert run(frames) is frames


def test_nothing_to_fill_is_an_error():
    with pytest.raises(FramedriftError, match="frames: there are no frames"):
        run(BatchFrames(torch.zeros(0, 16, 24, 3)))


def test_an_unknown_blend_is_refused_before_anything_runs():
    assert CadenceBlend.validate_inputs(blend="smooth") is True
    assert "blend" in CadenceBlend.validate_inputs(blend="cubic")


def test_flow_reaches_the_tweens():
    pictures = torch.zeros(2, 64, 96, 3)
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(96.0), indexing="ij")
    for number, centre in enumerate((35, 45)):
        pictures[number, ..., :] = torch.exp(-((x - centre) ** 2 + (y - 32) ** 2) / 200)[..., None]
    source = BatchFrames(pictures, indices=(0, 4), num_frames=5)
    peaks = [float(run(source, flow=flow, blend="linear")[2].max()) for flow in ("none", "dis")]
    assert peaks[0] < 0.92 < 0.97 < peaks[1]
