"""What may leave the machine: the release, the store inside the repository, and what a commit may hold."""
