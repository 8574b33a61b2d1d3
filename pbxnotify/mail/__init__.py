"""What one recipient reads: the mail about an event."""
