"""Files in, arrays out: Ego-Exo4D, clips, pairs, video, shards, chat. Numpy; torch in `batch.py` only."""
