"""Which pixels of a scan show rock, and the grey levels of the rock."""
