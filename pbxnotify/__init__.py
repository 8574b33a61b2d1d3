"""pbxnotify mails people about missed calls and voicemail on an Asterisk server.

It loses none of it when the mail relay is down.

The way of one event:

    Asterisk                                            a shell, cron or systemd
      AGI(pbxnotify-missed.agi,101&102)                   pbxnotify missed | voicemail | alert | monitor
      AGI(pbxnotify-voicemail.agi,101)                       |
        |                                                    |
      agi          the channel, read once                    |
      missed_call, message_left  what it tells               |
        |                                                    |
      events     what happened: MissedCall, Voicemail, Alert |
        +------------------------+---------------------------+
                                 |
                               spool.add      <- durable here; nothing after this line can lose the event
                                 |               (the call is let go here)
                               notify.deliver
        settings -> recipients -> attachment -> message -> smtp -> mailbox
                                 |
            accepted: removed | temporary: waits in queue/ | refused for good: kept in failed/

The relay lets us in (sasl) with our credentials: a password, or a token (token_store) that the provider renews
(refresh, authorization_server, http); the admin gets the first one in a browser (oauth).

A message is composed of facts (caller, phone_book, language), which become a letter (reason) and its page, or the
values (parameters) of the admin's own texts (templates, filling), which may be HTML (markup, tags).

The admin's side of it (cli): setup and edit make the ini file, check says what is wrong with it and what this machine
lacks, preview how a mail looks, status how the mail is doing, queue what waits. monitor tells what is wrong on this
machine (finding: disk, plugin, pbx, our own mail) once, and so remembers it (memory).

Imports point downwards only. What is heavy (configobj, email, smtplib, ssl) is imported on the far side of spool.add.
"""

__version__ = "0.1.0"
