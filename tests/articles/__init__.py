"""Microsoft's four articles on Data Factory's APIs, as far as they are at hand: read, never copied."""
