"""One module for each command of pbxnotify."""
