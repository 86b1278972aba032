"""Plain definitions that the engine is compared with, and texts to compare them on."""
