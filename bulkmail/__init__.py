"""An asyncio bulk mail sender that knows every recipient's fate."""
