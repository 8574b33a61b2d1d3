"""Real calls, by what happens in them: the dialplan, what the phones do, and who is to be mailed."""
