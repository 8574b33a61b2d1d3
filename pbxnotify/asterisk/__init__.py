"""Hears of a call: the channel, the mailbox, and Asterisk's configuration and command line."""
