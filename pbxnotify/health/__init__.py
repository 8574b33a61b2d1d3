"""What is wrong with the ini file, this machine and the relay."""
