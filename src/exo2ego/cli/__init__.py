"""The verbs of the command `exo2ego`: one small file each, named by what a user types."""
