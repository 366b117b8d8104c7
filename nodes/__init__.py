"""The nodes: adapters over ``core``, and ``host``, the only seam to ComfyUI."""
