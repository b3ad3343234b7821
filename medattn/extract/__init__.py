"""Stage 2: manifest -> captures and answers. stage.py is where it begins; image workers import no more than they need."""
