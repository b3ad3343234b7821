"""MIMIC-CXR: its files, question sets and regions, and how they become a study directory."""
