"""How a scan is divided: the chunks of the output, the windows of the network, and the pixel size of both."""
