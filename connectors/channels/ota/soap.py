"""SOAP around a message: the envelope taken off, what its header says of sender and correlation, and an envelope put on.

1.1 and 1.2. Nothing of a header is believed here: credentials are handed to whoever checks them, and never written anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from connectors.channels.ota.xml import bad

SOAP_11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP_12: Final = "http://www.w3.org/2003/05/soap-envelope"
_VERSIONS: Final = {f"{{{SOAP_11}}}Envelope": "1.1", f"{{{SOAP_12}}}Envelope": "1.2"}
_NAMESPACE: Final = {"1.1": SOAP_11, "1.2": SOAP_12}
CONTENT_TYPE: Final = {
    "": "text/xml; charset=utf-8",
    "1.1": "text/xml; charset=utf-8",
    "1.2": "application/soap+xml; charset=utf-8",
}
_ADDRESSING: Final = ("http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/ws/2004/08/addressing")
_HTNG: Final = "http://htng.org/PWSWG/2007/02/AsyncHeaders"
_LONGEST: Final = 200  # characters of a header value that is echoed


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """Who the sender says it is. `kind`: text (WSSE UsernameToken, POS/RequestorID, a vendor's header) or digest (WSSE
    PasswordDigest, with `nonce` and `created`). Its repr shows no secret."""

    username: str
    password: str
    kind: str = "text"
    nonce: str = ""
    created: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.username!r}, …)"


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What stood around a message: `version` 1.1 or 1.2, empty for none; ids that the answer refers to."""

    version: str = ""
    message_id: str = ""
    addressing: str = ""
    correlation_id: str = ""
    credentials: Credentials | None = None


_NONE: Final = Wrapping()


def unwrap(root: etree._Element) -> tuple[etree._Element, Wrapping]:
    """The one element in the Body, and its wrapping; `root` itself if it is no envelope.

    Raises Undecodable `soap_body` unless there is exactly one Body with exactly one element: two would leave open which was meant.
    """
    version = _VERSIONS.get(root.tag)
    if version is None:
        return root, _NONE
    namespace = _NAMESPACE[version]
    bodies = list(root.iterchildren(f"{{{namespace}}}Body"))
    content = list(bodies[0]) if len(bodies) == 1 else []
    if len(content) != 1:
        raise bad("soap_body", "Envelope/Body", len(content), "exactly one Body with exactly one element is read")
    header = root.find(f"{{{namespace}}}Header")
    return content[0], Wrapping(version) if header is None else _header(version, header)


def _header(version: str, header: etree._Element) -> Wrapping:
    message_id = addressing = correlation = ""
    credentials: Credentials | None = None
    for element in header:
        name = etree.QName(element)
        if name.localname == "MessageID" and name.namespace in _ADDRESSING:
            message_id, addressing = _text(element), str(name.namespace)
        elif name.localname == "CorrelationID" and name.namespace == _HTNG:
            correlation = _text(element)
        elif name.localname == "Security":
            credentials = _username_token(element) or credentials
        elif name.localname == "authentication":
            user, password = element.find("{*}userid"), element.find("{*}password")
            if user is not None and password is not None:
                credentials = Credentials(_text(user), password.text or "")
    return Wrapping(version, message_id, addressing, correlation, credentials)


def _username_token(security: etree._Element) -> Credentials | None:
    """WS-Security UsernameToken Profile 1.0."""
    token = security.find("{*}UsernameToken")
    user = None if token is None else token.find("{*}Username")
    if token is None or user is None:
        return None
    password = token.find("{*}Password")
    secret = "" if password is None else (password.text or "")
    if password is None or not password.get("Type", "").endswith("PasswordDigest"):
        return Credentials(_text(user), secret)
    return Credentials(_text(user), secret.strip(), "digest", _found(token, "{*}Nonce"), _found(token, "{*}Created"))


def _found(parent: etree._Element, path: str) -> str:
    element = parent.find(path)
    return "" if element is None else _text(element)


def _text(element: etree._Element) -> str:
    return (element.text or "").strip()[:_LONGEST]


def wrap(content: etree._Element, wrapping: Wrapping) -> bytes:
    """`content` as UTF-8 bytes, in an envelope like the one that the message came in, or in none."""
    if not wrapping.version:
        return _bytes(content)
    namespace = _NAMESPACE[wrapping.version]
    envelope = etree.Element(f"{{{namespace}}}Envelope", nsmap={"soap": namespace})
    header = etree.SubElement(envelope, f"{{{namespace}}}Header")
    if wrapping.message_id:
        etree.SubElement(
            header, f"{{{wrapping.addressing}}}RelatesTo", nsmap={"wsa": wrapping.addressing}
        ).text = wrapping.message_id
    if wrapping.correlation_id:
        etree.SubElement(header, f"{{{_HTNG}}}CorrelationID", nsmap={"htnga": _HTNG}).text = wrapping.correlation_id
    etree.SubElement(envelope, f"{{{namespace}}}Body").append(content)
    return _bytes(envelope)


def fault(text: str, wrapping: Wrapping, *, ours: bool = True) -> bytes:
    """A Fault in the sender's version: `ours` says that the receiver is at fault and that sending again may help."""
    version = wrapping.version or "1.1"
    namespace = _NAMESPACE[version]
    element = etree.Element(f"{{{namespace}}}Fault", nsmap={"soap": namespace})
    if version == "1.1":
        etree.SubElement(element, "faultcode").text = "soap:Server" if ours else "soap:Client"
        etree.SubElement(element, "faultstring").text = text
    else:
        code = etree.SubElement(element, f"{{{namespace}}}Code")
        etree.SubElement(code, f"{{{namespace}}}Value").text = "soap:Receiver" if ours else "soap:Sender"
        reason = etree.SubElement(element, f"{{{namespace}}}Reason")
        line = etree.SubElement(reason, f"{{{namespace}}}Text")
        line.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
        line.text = text
    return wrap(element, Wrapping(version, wrapping.message_id, wrapping.addressing, wrapping.correlation_id))


def _bytes(element: etree._Element) -> bytes:
    return etree.tostring(element, xml_declaration=True, encoding="UTF-8")
