"""The study directory: its schema and checks, the synthetic study, the MIMIC-CXR assembler, question wordings."""
