"""How a scan is divided: the chunks of the output, the windows of the network, and the pixel size of both.

Comes in: the sizes of a scan and of its region of interest. Goes out: `ChunkPlan` and `Windows`, numbers only, and a
source at the network's pixel size. No pixel is changed here but by resampling.
"""
