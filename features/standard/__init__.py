"""Standard descriptors, with the numbers of matminer where it has them."""
