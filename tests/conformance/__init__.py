"""Are we what Microsoft publishes? Held to its OpenAPI files, their examples, and its own clients."""
