"""How a mail leaves."""
