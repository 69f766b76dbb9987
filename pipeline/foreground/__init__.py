"""Which pixels of a scan show rock, and how its grey levels are normalised.

Comes in: a volume (`images`) and the windows of its plan (`tiling`). Goes out: `measurement.Foreground`, measured in
one pass: rock, empty ground by cells, blank ground to the pixel, and `GreyNormalisation`. Training and prediction
normalise by the same function; what is changed here changes both, and every model must be trained anew.
"""
