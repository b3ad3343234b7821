"""The only place that knows Gemma 3: load, prompt, capture, decode, and the phantom model."""
