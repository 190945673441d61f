"""Instruction data sets in their own files -> Conversations."""
