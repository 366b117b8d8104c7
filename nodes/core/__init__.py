"""Everything that makes an animation, without a host: nothing below imports ComfyUI or the adapters."""
