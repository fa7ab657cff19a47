"""The few parts of the Slicer application that slicer-core lacks and that LightSeg needs to be loaded and tested."""
