"""Real SMTP servers that refuse in their own words: Exim, sendmail, Courier, OpenSMTPD, Dovecot submission, Postfix.

Each relays mails for ``office.test`` to the next server, and from others for nobody without a login; in its own domain
``local.test`` there is nobody. A ``NameServer`` knows all names but those that end in ``.invalid``.
"""

from __future__ import annotations

import random
import socketserver
import threading

from unpacked import UnpackedServer


class Exim(UnpackedServer):
    """Exim, with the checks of Debian's configuration."""

    package = "exim4-daemon-light"
    users = ("Debian-exim",)
    prepare = "install -d -o Debian-exim -g Debian-exim /var/spool/exim4 /var/log/exim4 /run/exim4"
    command = "/usr/sbin/exim4 -bdf -oX 127.0.0.1.{port}"
    defaults = {"main": "", "checks": "", "data": "", "logins": ""}  # noqa: RUF012
    files = {  # noqa: RUF012
        "exim4/exim4.conf": """\
primary_hostname = mail.test
domainlist local_domains = local.test
domainlist relay_to_domains = office.test
acl_smtp_rcpt = check_rcpt
acl_smtp_data = check_data
smtp_accept_queue_per_connection = 0
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
keep_environment =
{main}
begin acl
check_rcpt:
{checks}
  require verify = sender
  require message = relay not permitted
    domains = +local_domains : +relay_to_domains
  require verify = recipient
  accept
check_data:
{data}
  accept
begin routers
next:
  driver = manualroute
  domains = +relay_to_domains
  transport = next
  route_list = * 127.0.0.1 byname
  self = send
dns:
  driver = dnslookup
  domains = ! +local_domains
  transport = next
  self = pass
  verify_only
  no_more
begin transports
next:
  driver = smtp
  port = {next_port}
begin retry
* * F,1h,1m
{logins}
""",
    }


class Sendmail(UnpackedServer):
    """sendmail, configured with its macros."""

    package = "sendmail-bin"
    users = ("smmta", "smmsp")
    prepare = """\
install -d /var/spool/mqueue /var/lib/sendmail/host_status
touch /var/lib/aliases
cd /usr/share/sendmail/cf/m4
m4 ../m4/cf.m4 /etc/mail/test.mc | sed '/^R127[.]0[.]0[.]1/d' >/var/lib/sendmail.cf
/usr/libexec/sendmail/sendmail -bi -C /var/lib/sendmail.cf
"""
    command = "/usr/libexec/sendmail/sendmail -bD -C /var/lib/sendmail.cf"
    defaults = {"main": ""}  # noqa: RUF012
    files = {  # noqa: RUF012
        "mail/test.mc": """\
divert(-1)
divert(0)dnl
OSTYPE(`debian')dnl
DOMAIN(`debian-mta')dnl
FEATURE(`no_default_msa')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port={port}')dnl
define(`confDOMAIN_NAME', `mail.test')dnl
define(`confTO_IDENT', `0')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confHOST_STATUS_DIRECTORY', `')dnl
define(`confPID_FILE', `/run/sendmail/pid')dnl
define(`ALIAS_FILE', `/var/lib/aliases')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {next_port}')dnl
LOCAL_DOMAIN(`local.test')dnl
RELAY_DOMAIN(`office.test')dnl
undefine(`confCW_FILE')dnl
{main}
MAILER(`local')dnl
MAILER(`smtp')dnl
""",
    }


class OpenSmtpd(UnpackedServer):
    """OpenSMTPD."""

    package = "opensmtpd"
    users = ("opensmtpd", "opensmtpq")
    prepare = """\
install -d /var/lib/opensmtpd/empty
install -d -m 711 /var/spool/smtpd
"""
    command = "/usr/sbin/smtpd -d"
    defaults = {"main": "", "rules": ""}  # noqa: RUF012
    files = {  # noqa: RUF012
        "smtpd.conf": """\
listen on 127.0.0.1 port {port}
{main}
action "next" relay host smtp://127.0.0.1:{next_port}
action "local" maildir
{rules}
match from any for domain "office.test" action "next"
match from any for domain "local.test" action "local"
""",
    }


class Courier(UnpackedServer):
    """Courier, as Debian installs it, but that it relays for nobody."""

    package = "courier-mta"
    users = ("courier",)
    prepare = """\
install -d -o courier -g courier /run/courier /run/courier/authdaemon /var/lib/courier
cd /var/lib/courier && install -d -o courier -g courier allfilters filters msgq msgs sts tmp track tmp/broken
cp -a /etc/courier /var/lib/config && mount --bind /var/lib/config /etc/courier
makealiases
set -a; . /etc/courier/courierd; . /etc/courier/authdaemonrc; cd /usr
/usr/lib/courier/courier-authlib/authdaemond &
/usr/lib/courier/courier/courierd &
. /etc/courier/esmtpd; TARPIT=0
"""
    command = (
        "/usr/sbin/couriertcpd -user=courier -group=courier -address=127.0.0.1"
        " -maxprocs=40 -maxperc=40 -maxperip=40 -noidentlookup -nodnslookup {port} /usr/sbin/courieresmtpd"
    )
    defaults = {"bofh": "", "esmtpd": "", "size": "10485760"}  # noqa: RUF012
    files = {  # noqa: RUF012
        "environment": "",
        "courier/aliases/system": "postmaster: office@office.test\n",
        "courier/bofh": "{bofh}",
        "courier/defaultdomain": "mail.test\n",
        "courier/dsnfrom": '"Courier" <>\n',
        "courier/esmtpacceptmailfor": "office.test\nlocal.test\n",
        "courier/esmtproutes": ":[127.0.0.1],{next_port}\n",
        "courier/locals": "local.test\n",
        "courier/me": "mail.test\n",
        "courier/sizelimit": "{size}\n",
    }


class DovecotSubmission(UnpackedServer):
    """Dovecot's submission service: who has logged in is passed on to the next server, whose words it repeats."""

    package = "dovecot-submissiond"
    users = ("dovecot", "dovenull", "vmail")
    prepare = "install -d -o vmail -g vmail /var/lib/mail; install -d /run/dovecot /var/lib/dovecot"
    command = "dovecot -F -c /etc/dovecot/dovecot.conf"
    defaults = {"main": ""}  # noqa: RUF012
    files = {  # noqa: RUF012
        "dovecot/dovecot.conf": """\
protocols = submission
listen = 127.0.0.1
log_path = /var/log/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
hostname = mail.test
mail_location = maildir:~
submission_relay_host = 127.0.0.1
submission_relay_port = {next_port}
passdb {{
  driver = static
  args = password=s3cret
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/lib/mail
}}
service submission-login {{
  inet_listener submission {{
    port = {port}
  }}
  inet_listener submissions {{
    port = 0
  }}
}}
{main}
""",
    }


class Postfix(UnpackedServer):
    """Postfix, without TLS and without a login."""

    package = "postfix"
    users = ("postfix", "postdrop")
    prepare = """\
cd /var/spool && install -d postfix postfix/pid && install -d -o postfix /var/lib/postfix && cd postfix
install -d -o postfix -m 700 active bounce corrupt defer deferred flush hold incoming private saved trace
install -d -o postfix -g postdrop -m 710 public
install -d -o postfix -g postdrop -m 730 maildrop
"""
    command = "/usr/lib/postfix/sbin/master -d"
    defaults = {"main": ""}  # noqa: RUF012
    files = {  # noqa: RUF012
        "postfix/main.cf": """\
compatibility_level = 3.6
local_recipient_maps = unix:passwd.byname
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.test
mynetworks =
mydestination = local.test
alias_maps =
alias_database =
relay_domains = office.test
default_transport = smtp:[127.0.0.1]:{next_port}
relay_transport = $default_transport
maillog_file = /var/log/mail.log
in_flow_delay = 0
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_sender_restrictions = reject_non_fqdn_sender, reject_unknown_sender_domain
smtpd_relay_restrictions = reject_unauth_destination
{main}
""",
        "postfix/master.cf": """\
127.0.0.1:{port} inet n - n - - smtpd
anvil   unix       - - n - 1 anvil
bounce  unix       - - n - 0 bounce
cleanup unix       n - n - 0 cleanup
defer   unix       - - n - 0 bounce
error   unix       - - n - - error
local   unix       - n n - - local
postlog unix-dgram n - n - 1 postlogd
qmgr    unix       n - n 300 1 qmgr
retry   unix       - - n - - error
rewrite unix       - - n - - trivial-rewrite
smtp    unix       - - n - - smtp
trace   unix       - - n - 0 bounce
""",
    }


class NameServer:
    """A name server, port 53 on an ``address`` of its own in 127.0.0.0/8: only proper names exist, none in .invalid."""

    def __enter__(self) -> NameServer:
        self.address = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.53"  # noqa: S311
        self._server = socketserver.UDPServer((self.address, 53), _Query)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Query(socketserver.BaseRequestHandler):
    """A query (RFC 1035 section 4): an address where nobody is, no other records, or NXDOMAIN."""

    def handle(self) -> None:
        query, sock = self.request
        end = query.index(b"\0", 12) + 1
        labels, kind = query[12:end].lower(), query[end : end + 2]
        exists = not labels.endswith(b"\x07invalid\0") and 1 + labels[0] + 1 < len(labels)
        addresses = b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04" + bytes([192, 0, 2, 1])
        has_one = exists and kind == b"\0\x01"
        flags, counts = (b"\x85\x80" if exists else b"\x85\x83"), (1, has_one, 0, 0)
        header = query[:2] + flags + b"".join(count.to_bytes(2, "big") for count in counts)
        sock.sendto(header + query[12 : end + 4] + addresses * has_one, self.client_address)
