"""What one recipient reads."""
