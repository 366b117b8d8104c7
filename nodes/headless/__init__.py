"""Stands in for ComfyUI where there is none: for demonstration and tests."""
