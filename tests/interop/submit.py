"""smtplib logs in and sends, over STARTTLS and over TLS from the first octet."""

import os
import smtplib
import ssl
from email.message import EmailMessage

anna, ben, far = os.environ["ANNA"], os.environ["BEN"], os.environ["FAR"]
password = os.environ["PASSWORD"]
context = ssl._create_unverified_context()


def message(subject):
    text = EmailMessage()
    text["From"], text["To"], text["Bcc"] = anna, ben, far
    text["Subject"] = subject
    text.set_content("Grüße\n")
    return text


def fails(codes, action, *arguments, **more):
    try:
        action(*arguments, **more)
    except smtplib.SMTPResponseException as error:
        assert error.smtp_code in codes, (error.smtp_code, error.smtp_error)
        return error.smtp_error.decode()
    except smtplib.SMTPRecipientsRefused as error:
        (code, text), = set(error.recipients.values())
        assert code in codes, (code, text)
        return text.decode()
    raise AssertionError(f"{action} was allowed")


def check_list(server):
    server.ehlo()
    mechanisms = server.esmtp_features["auth"].split()
    assert mechanisms[:3] == ["PLAIN", "LOGIN", "SCRAM-SHA-256"], mechanisms
    assert "CRAM-MD5" not in mechanisms


port = int(os.environ["SUBMISSION"])
with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
    server.ehlo()
    assert not server.has_extn("auth")
    code, text = server.docmd("AUTH", "PLAIN AGEAYg==")
    assert (code, text) == (530, b"5.7.0 Must issue a STARTTLS command first"), (code, text)
    server.starttls(context=context)
    check_list(server)
    code, text = server.mail(anna)
    assert code == 530, (code, text)
    code, text = server.docmd("AUTH", "CRAM-MD5")
    assert code == 504, (code, text)
    fails([535], server.login, anna, "wrong")

with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
    server.starttls(context=context)
    server.login(anna, password)
    assert server.send_message(message("one")) == {}
    # Not hers, neither in the envelope nor in the header.
    text = fails([553], server.sendmail, ben, [ben], "From: " + ben + "\r\n\r\nhello\r\n")
    assert text == f"5.7.1 <{ben}>: Sender address rejected: not owned by user {anna}", text
    server.rset()
    text = fails([553], server.sendmail, anna, [ben], "From: " + ben + "\r\n\r\nhello\r\n")
    assert text == f"5.7.1 <{ben}>: Sender address rejected: not owned by user {anna}", text
    assert server.send_message(message("two")) == {}

port = int(os.environ["SUBMISSIONS"])
for method in ["auth_plain", "auth_login"]:
    with smtplib.SMTP_SSL("127.0.0.1", port, timeout=30, context=context) as server:
        check_list(server)
        server.user, server.password = anna, password
        code, text = server.auth(method[5:].upper(), getattr(server, method))
        assert (code, text) == (235, b"2.7.0 Authentication successful"), (code, text)
        refused = server.send_message(message("three"), to_addrs=[ben, "nobody@home.test", far])
        assert list(refused) == ["nobody@home.test"], refused
        assert refused["nobody@home.test"][0] == 550, refused

print("done")
