"""Asterisk: the channel, the mailbox, the configuration and the console."""
