"""Where MedGemma-4b looks when it answers questions about chest X-rays: a reproducibility bundle."""
