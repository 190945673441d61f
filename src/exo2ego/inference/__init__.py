"""Inference: weights in, answers out."""
