"""The administrator's own texts, filled in."""
