"""A Dovecot of our own: SASL for Postfix, LMTP for delivery, IMAP to fetch what was delivered.

Any user exists, with one password. Everything lives in one folder: configuration, sockets, mail.
Works as root (mail is then kept by `nobody`) and as anybody else (then by that user).
"""

from __future__ import annotations

import grp
import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers.loopback import is_open, reserved_port
from peers.waiting import until

PROGRAM = "/usr/sbin/dovecot"

PASSWORD = "correct-horse+battery=staple"

CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login cram-md5 scram-sha-256
auth_failure_delay = 0
auth_username_chars =
recipient_delimiter =
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 0
first_valid_gid = 0
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = password={{PLAIN}}{password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service stats {{
  chroot =
}}
service auth {{
  unix_listener {folder}/sasl {{
    mode = 0666
  }}
}}
service lmtp {{
  client_limit = 1
  process_limit = 8
  unix_listener {folder}/lmtp {{
    mode = 0666
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running one."""

    folder: Path
    imap_port: int

    @property
    def sasl(self) -> Path:
        """The socket of its authentication service."""
        return self.folder / "sasl"

    @property
    def lmtp(self) -> Path:
        """The socket that takes mail in."""
        return self.folder / "lmtp"


def _configuration(folder: Path, imap_port: int) -> str:
    if os.geteuid() == 0:
        internal, login, keeper = "dovecot", "dovenull", pwd.getpwnam("nobody")
    else:
        keeper = pwd.getpwuid(os.geteuid())
        internal = login = keeper.pw_name
    mail = folder / "mail"
    mail.mkdir()
    os.chown(mail, keeper.pw_uid, keeper.pw_gid)
    internal_group = grp.getgrgid(pwd.getpwnam(internal).pw_gid).gr_name
    return CONFIGURATION.format(
        folder=folder,
        imap_port=imap_port,
        password=PASSWORD,
        internal=internal,
        internal_group=internal_group,
        login=login,
        uid=keeper.pw_uid,
        gid=keeper.pw_gid,
    )


def _is_ready(dovecot: Dovecot) -> bool:
    return dovecot.sasl.is_socket() and dovecot.lmtp.is_socket() and is_open(dovecot.imap_port)


@contextmanager
def running_dovecot(folder: Path) -> Iterator[Dovecot]:
    """Start a Dovecot in `folder` (traversable by all, a short path); stop it at the end."""
    with reserved_port() as imap_port:
        configuration = folder / "dovecot.conf"
        configuration.write_text(_configuration(folder, imap_port), "utf-8")
        log = folder / "dovecot.log"
        master = subprocess.Popen([PROGRAM, "-F", "-c", configuration], stderr=subprocess.DEVNULL)
        dovecot = Dovecot(folder, imap_port)
        try:
            try:
                until(lambda: master.poll() is not None or _is_ready(dovecot), what="Dovecot")
                assert master.poll() is None, "Dovecot ended at once"
            except (TimeoutError, AssertionError) as error:
                error.add_note(log.read_text("utf-8") if log.exists() else "no log")
                raise
            yield dovecot
        finally:
            master.send_signal(signal.SIGTERM)
            master.wait(timeout=300)
