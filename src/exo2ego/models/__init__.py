"""Models: batches in, losses and tokens out. Single-device modules that take plain numbers, not configs."""
