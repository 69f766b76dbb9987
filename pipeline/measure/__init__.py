"""What is measured on a segmented scan: porosity, pores in 2-D and in 3-D, and their statistics."""
