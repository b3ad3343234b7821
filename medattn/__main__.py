"""`python -m medattn`: runs the code of the directory it is started in, as the pipeline's stages need."""

from medattn.cli import main

main()
