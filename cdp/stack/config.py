"""Where the embedded stack lives, which ports it uses, and its generated secrets."""

from __future__ import annotations

import json
import os
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cdp.errors import CDPError

PORT_SETTINGS = {
    "postgres": ("UNISON_POSTGRES_PORT", 15432),
    "graph": ("UNISON_BOLT_PORT", 17687),
    "graph_http": ("UNISON_GRAPH_HTTP_PORT", 12480),
    "valkey": ("UNISON_VALKEY_PORT", 16379),
    "web": ("UNISON_WEB_PORT", 8000),
}


@dataclass(frozen=True)
class Secrets:
    """Generated once per data folder; never in git."""

    postgres: str
    graph: str
    valkey: str
    django: str
    customer_namespace: str

    @classmethod
    def generate(cls) -> Secrets:
        token = secrets.token_urlsafe
        return cls(token(24), token(24), token(24), token(48), str(uuid.uuid4()))


@dataclass(frozen=True)
class StackConfig:
    """Everything that starting or reaching the embedded stack needs."""

    root: Path
    var: Path
    ports: Mapping[str, int]
    secrets: Secrets

    @property
    def database_url(self) -> str:
        port = self.ports["postgres"]
        return f"postgresql://unison:{self.secrets.postgres}@127.0.0.1:{port}/unison"

    @property
    def bolt_uri(self) -> str:
        return f"bolt://127.0.0.1:{self.ports['graph']}"

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.secrets.valkey}@127.0.0.1:{self.ports['valkey']}/0"


def load(root: Path, env: Mapping[str, str] = os.environ) -> StackConfig:
    """Read the stack's configuration from the environment; make its secrets on first use.

    Raises:
        CDPError: ``bad_port`` when a port setting is not a number from 1 to 65535.
    """
    var = Path(env.get("UNISON_VAR", root / "var")).resolve()
    ports = {name: _port(env, key, default) for name, (key, default) in PORT_SETTINGS.items()}
    return StackConfig(root, var, ports, load_secrets(var))


def load_secrets(var: Path) -> Secrets:
    path = var / "secrets.json"
    if not path.exists():
        var.mkdir(parents=True, exist_ok=True)
        made = json.dumps(Secrets.generate().__dict__, indent=1)
        temporary = path.with_suffix(f".{os.getpid()}")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made)
        try:
            os.link(temporary, path)  # atomic: of two first starts, one set of secrets wins
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return Secrets(**json.loads(path.read_text()))


def _port(env: Mapping[str, str], key: str, default: int) -> int:
    raw = env.get(key, str(default))
    if not raw.isdigit() or not 1 <= int(raw) <= 65535:
        raise CDPError("bad_port", f"{raw!r} is not a port number from 1 to 65535", field=key)
    return int(raw)
