"""Training: losses and tokens in, weights out."""
