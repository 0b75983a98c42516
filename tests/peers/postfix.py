"""A Postfix of our own: a submission server on two loopback ports, delivering by LMTP.

It has its own configuration, queue and data folders, listens only on 127.0.0.1, takes mail only
after a login, for any address, and hands all of it to Dovecot: nothing leaves the machine. Its
master process and queue need root.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from peers.dovecot import Dovecot
from peers.loopback import is_open, reserved_port
from peers.waiting import until

PROGRAM = "/usr/sbin/postfix"

#: A domain of which it knows nobody.
UNKNOWN = "unknown.example"

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
syslog_name = peers
myhostname = mx.example.com
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
virtual_mailbox_domains = static:any
virtual_mailbox_maps = static:any
virtual_transport = lmtp:unix:{lmtp}
recipient_delimiter =
default_process_limit = 30
in_flow_delay = 0
message_size_limit = 52428800
smtpd_client_connection_count_limit = 0
smtpd_forbid_unauth_pipelining = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions =
    check_recipient_access inline:{{ {{ {unknown} = 550 5.1.1 no such user }} }}, permit
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_sasl_security_options = noanonymous
smtpd_tls_auth_only = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {folder}/certificate.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_tls_loglevel = 1
"""

MASTER = """
127.0.0.1:{starttls_port} inet n - n - - smtpd
127.0.0.1:{tls_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - 8 lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    """A running one."""

    folder: Path
    #: STARTTLS after EHLO; a login only after it.
    starttls_port: int
    #: TLS from the first byte.
    tls_port: int
    #: The certificate to trust.
    ca_file: Path

    def log(self) -> str:
        """What it wrote into its log so far."""
        path = self.folder / "maillog"
        return path.read_text("utf-8", errors="replace") if path.exists() else "no log"

    def accepted(self) -> int:
        """How many messages it took responsibility for so far."""
        return self.log().count(": client=")


def _write_certificates(folder: Path) -> Path:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "key.pem").chmod(0o600)
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "certificate.pem", append=True)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return folder / "ca.pem"


def _postfix(folder: Path, command: str) -> None:
    done = subprocess.run(
        [PROGRAM, "-c", folder, command], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"postfix {command}: {done.stdout}{done.stderr}"


@contextmanager
def running_postfix(folder: Path, dovecot: Dovecot) -> Iterator[Postfix]:
    """Start a Postfix in `folder` (traversable by all); stop it at the end."""
    with ExitStack() as ports:
        starttls_port = ports.enter_context(reserved_port())
        tls_port = ports.enter_context(reserved_port())
        (folder / "queue").mkdir()
        (folder / "data").mkdir()
        os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
        ca_file = _write_certificates(folder)
        main = MAIN.format(folder=folder, sasl=dovecot.sasl, lmtp=dovecot.lmtp, unknown=UNKNOWN)
        (folder / "main.cf").write_text(main, "utf-8")
        master = MASTER.format(starttls_port=starttls_port, tls_port=tls_port)
        (folder / "master.cf").write_text(master, "utf-8")
        postfix = Postfix(folder, starttls_port, tls_port, ca_file)
        _postfix(folder, "start")
        try:
            until(lambda: is_open(starttls_port) and is_open(tls_port), what="Postfix")
            yield postfix
        except TimeoutError as error:
            error.add_note(postfix.log())
            raise
        finally:
            _postfix(folder, "stop")
