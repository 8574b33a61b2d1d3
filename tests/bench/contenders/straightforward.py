"""What most people would write: pyst2, configobj, email, smtplib; the call waits, and a dead relay loses the mail."""

import os
import smtplib
import ssl
import sys
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from asterisk.agi import AGI
from configobj import ConfigObj

agi = AGI()
config = ConfigObj(os.environ["BENCH_INI"], interpolation=False)
caller_number = agi.get_variable("CALLERID(num)")
caller_name = agi.get_variable("CALLERID(name)")
dial_status = agi.get_variable("DIALSTATUS")
recording = agi.get_variable("VM_MESSAGEFILE")


def compose(employee):
    message = EmailMessage()
    kind = "Voicemail" if recording else "Missed call"
    message["Subject"] = f"{kind}: {caller_name} {caller_number}"
    message["From"] = config["smtp"]["sender"]
    message["To"] = employee["email"]
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid()
    text = f"Hello {employee['name']},\n\n{kind} from {caller_name} <{caller_number}>: {dial_status}\n"
    message.set_content(text)
    message.add_alternative("<p>" + text.replace("<", "&lt;") + "</p>", subtype="html")
    if recording:
        with open(recording + ".wav", "rb") as file:
            message.add_attachment(file.read(), maintype="audio", subtype="wav", filename="voicemail.wav")
    return message


def connect():
    smtp = config["smtp"]
    context = ssl.create_default_context(cafile=smtp["ca_file"]) if smtp["mode"] != "plain" else None
    if smtp["mode"] == "tls":
        relay: smtplib.SMTP = smtplib.SMTP_SSL("localhost", int(smtp["port"]), context=context, timeout=30)
    else:
        relay = smtplib.SMTP("localhost", int(smtp["port"]), timeout=30)
    if smtp["mode"] == "starttls":
        relay.starttls(context=context)
    if smtp.get("login"):
        relay.login(smtp["login"], smtp["password"])
    return relay


try:
    with connect() as relay:
        for extension in sys.argv[1].split("&"):
            if extension in config["employees"]:
                relay.send_message(compose(config["employees"][extension]))
    agi.verbose("mail sent", 1)
except (OSError, smtplib.SMTPException) as error:
    agi.verbose(f"no mail: {error}", 1)
