"""The only part of LightSeg that knows 3D Slicer: MRML nodes to images and back, and the worker process."""
