"""The delivery engine: claims rows, has them composed and sent, and records what came of it."""
