"""What is known before any structure of the labels' kind is learned from: evidence and prior."""
