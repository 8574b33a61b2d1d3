"""pbxnotify mails people about missed calls and voicemail, and loses none of it when the mail relay is down.

A room is a directory; imports go down only, and rooms of one line do not import each other:

    commands/               is the admin's side: setup, check, status, queue ... (cli.py stands on it)
    delivery/    health/    sends events; looks at the ini file, this host and the relay
    mail/        smtp/      writes what one recipient reads; carries it to the relay
    settings/    spool/     say how, from pbxnotify.ini; keeps queue items durable on disk, and retry backoff
    asterisk/    languages/ hears of a call; has the words of the mails

On the ground are the modules beside this file. An event is durable after ``spool.add``, and then the call is let go:
what is heavy (configobj, email, smtplib, ssl) is imported only after that.
"""

__version__ = "0.1.0"
