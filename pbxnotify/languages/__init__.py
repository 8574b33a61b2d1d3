"""Has the words of the mails, in English and Russian."""
