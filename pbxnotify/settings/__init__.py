"""pbxnotify.ini, read, checked and rewritten."""
