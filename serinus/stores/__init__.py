"""What several adapters of the local platform share: revisions on disk."""
