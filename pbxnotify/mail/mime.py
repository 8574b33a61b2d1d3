"""How a mail is written: multiparts, the encoding of each part, folded headers, addresses.

By hand, with the library's encodings, and not by ``EmailMessage``: that loses spaces of Russian subjects on Python 3.9
to 3.12, writes invalid encoded words on 3.13.0, lets an encoded word in a caller's name become a header of its own
(CVE-2024-6923), needs nine times the size of a recording, and a tenth of the time that a whole mail takes (Python
3.11).
"""

from __future__ import annotations

import quopri
from base64 import encodebytes
from collections.abc import Mapping
from email.header import Header

from pbxnotify.text import clean

LONGEST_ENCODED_LINE = 76  # characters of an encoded line, in a body (RFC 2045 section 6.7) or header (RFC 2047)
LONGEST_QUOTED = 60  # characters of a name between quotes, where no line can be folded
PIECE = 57 * 1000  # bytes encoded at a time, 1000 lines of base64


def mail_of(headers: Mapping[str, str], content: bytes) -> bytes:
    """Return a whole mail; headers without a value are left out."""
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value)
    return f"{head}MIME-Version: 1.0\r\n".encode() + content


def multipart(subtype: str, identifier: str, *parts: bytes) -> bytes:
    """Return several parts as one (RFC 2046 section 5.1)."""
    # No line of a part can be the boundary: nobody knows the identifier in advance, and no encoding has such a line.
    boundary = f"=_{subtype}_{identifier}"
    head = f'Content-Type: multipart/{subtype};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    delimiter = f"\r\n--{boundary}".encode()
    return b"".join([head, *(b"%b\r\n%b" % (delimiter, part) for part in parts), delimiter, b"--\r\n"])


def text_part(subtype: str, text: str) -> bytes:
    """Return a text in whichever encoding is the shortest; its lines are those of RFC 2045 section 6.7."""
    raw = text.encode().replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    encodings = {
        "quoted-printable": quopri.encodestring(raw),
        "base64": encodebytes(raw.replace(b"\n", b"\r\n")),  # RFC 2045 section 6.8
    }
    if max(map(len, encodings["quoted-printable"].split(b"\n"))) > LONGEST_ENCODED_LINE:
        del encodings["quoted-printable"]  # binascii.b2a_qp does not count a space that it encodes at a line's end
    if text.isascii() and max(map(len, raw.split(b"\n"))) <= LONGEST_ENCODED_LINE:
        encodings["7bit"] = raw
    encoding = min(encodings, key=lambda name: len(encodings[name]))
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + encodings[encoding].rstrip(b"\n").replace(b"\n", b"\r\n")


def attached_part(content: bytes, mime_type: str, file_name: str) -> bytes:
    """Return an attached file, encoded piece by piece: at once it would need nine times its size."""
    head = (
        f"Content-Type: {mime_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment;\r\n filename="{file_name}"\r\n\r\n'
    )
    pieces = (encodebytes(content[start : start + PIECE]) for start in range(0, len(content), PIECE))
    return b"".join([head.encode(), *(piece.replace(b"\n", b"\r\n") for piece in pieces)])


def header_text(text: str, header: str) -> str:
    """Return free text as the value of a header, folded."""
    return _folded(text, "us-ascii" if _is_plain(text) else "utf-8", header)


def header_address(name: str, address: str) -> str:
    """Return the value of From, on two lines where it is long; ``name`` must never be text of a caller."""
    name = clean(name)
    if _is_plain(name) and len(name) < LONGEST_QUOTED:
        display_name = '"{}"'.format(name.replace("\\", "\\\\").replace('"', '\\"'))
    else:
        display_name = _folded(name, "utf-8", "From")
    longest = max(map(len, f"From: {display_name} <{address}>".split("\r\n")))
    return f"{display_name} <{address}>" if longest <= LONGEST_ENCODED_LINE else f"{display_name}\r\n <{address}>"


def _is_plain(text: str) -> bool:
    """Return whether a text needs no encoding: ASCII in which nothing looks encoded already."""
    return text.isascii() and "=?" not in text


def _folded(text: str, charset: str, header: str) -> str:
    return Header(text, charset, maxlinelen=LONGEST_ENCODED_LINE, header_name=header).encode(linesep="\r\n")
