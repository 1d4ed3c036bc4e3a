"""The messages of interfaces/schema: what they hold, how they are read without trust, how they are written."""
