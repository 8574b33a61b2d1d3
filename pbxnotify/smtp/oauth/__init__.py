"""Login by token (OAuth 2)."""
