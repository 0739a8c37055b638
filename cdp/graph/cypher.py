"""Every Cypher statement of the project, within what Neo4j and the embedded engine both run."""

from __future__ import annotations

from collections.abc import Mapping

VERBS = ("viewed", "added", "purchased", "returned", "searched")
RELATION: Mapping[str, str] = {verb: verb.upper() for verb in VERBS}
ALL_RELATIONS = "|".join(RELATION.values())

SCHEMA = (
    "CREATE CONSTRAINT customer_id IF NOT EXISTS FOR (n:Customer) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT identity_id IF NOT EXISTS FOR (n:Identity) REQUIRE n.id IS UNIQUE",
    "CREATE CONSTRAINT product_sku IF NOT EXISTS FOR (n:Product) REQUIRE n.sku IS UNIQUE",
    "CREATE CONSTRAINT category_name IF NOT EXISTS FOR (n:Category) REQUIRE n.name IS UNIQUE",
)

WRITE_PRODUCTS = """
UNWIND $rows AS row
MERGE (p:Product {sku: row.sku})
SET p.title = row.title, p.brand = row.brand
"""
MOVE_PRODUCTS = """
UNWIND $rows AS row
MATCH (p:Product {sku: row.sku})-[old:IN]->(c:Category) WHERE c.name <> row.category
DELETE old
"""
PLACE_PRODUCTS = """
UNWIND $rows AS row
MATCH (p:Product {sku: row.sku})
MERGE (c:Category {name: row.category})
MERGE (p)-[:IN]->(c)
"""
WRITE_IDENTITIES = """
UNWIND $rows AS row
MERGE (i:Identity {id: row.id})
SET i.kind = row.kind, i.shared = row.shared
MERGE (c:Customer {id: row.customer})
SET c.consented = row.consented
"""
LEAVE_CUSTOMERS = """
UNWIND $rows AS row
MATCH (i:Identity {id: row.id})-[old:BELONGS_TO]->(c:Customer) WHERE c.id <> row.customer
DELETE old
"""
JOIN_CUSTOMERS = """
UNWIND $rows AS row
MATCH (i:Identity {id: row.id})
MATCH (c:Customer {id: row.customer})
MERGE (i)-[:BELONGS_TO]->(c)
"""
DROP_IDENTITIES = """
UNWIND $ids AS id
MATCH (i:Identity {id: id})
DETACH DELETE i
"""
DROP_EMPTY_CUSTOMERS = """
UNWIND $ids AS id
MATCH (c:Customer {id: id}) WHERE NOT (c)<-[:BELONGS_TO]-()
DELETE c
"""
ENSURE_PRODUCTS = "UNWIND $skus AS sku MERGE (p:Product {sku: sku})"
ENSURE_IDENTITIES = "UNWIND $ids AS id MERGE (i:Identity {id: id})"
DROP_MOVED = f"""
UNWIND $rows AS row
MATCH (i:Identity {{id: row.identity}})-[r:{ALL_RELATIONS}]->(:Product) WHERE r.event = row.event
DELETE r
"""


def write_interactions(verb: str) -> str:
    """Edges of one verb; (event, line) makes a repeated write harmless."""
    return f"""
UNWIND $rows AS row
MATCH (i:Identity {{id: row.identity}})
MATCH (p:Product {{sku: row.sku}})
MERGE (i)-[r:{RELATION[verb]} {{event: row.event, line: row.line}}]->(p)
SET r.at = row.at, r.channel = row.channel, r.quantity = row.quantity, r.amount = row.amount
"""


READ_MEMBERSHIPS = """
MATCH (i:Identity)-[:BELONGS_TO]->(c:Customer)
RETURN i.id AS identity, i.kind AS kind, i.shared AS shared, c.id AS customer,
       c.consented AS consented
"""
READ_LONELY_CUSTOMERS = "MATCH (c:Customer) WHERE NOT (c)<-[:BELONGS_TO]-() RETURN c.id AS id"
READ_PRODUCTS = """
MATCH (p:Product) OPTIONAL MATCH (p)-[:IN]->(c:Category)
RETURN p.sku AS sku, p.title AS title, p.brand AS brand, c.name AS category
"""


def read_interactions(verb: str) -> str:
    return f"""
MATCH (i:Identity)-[r:{RELATION[verb]}]->(p:Product)
RETURN i.id AS identity, p.sku AS sku, r.event AS event, r.line AS line, r.at AS at,
       r.channel AS channel, r.quantity AS quantity, r.amount AS amount
"""


def read_customer_interactions(verb: str) -> str:
    """For snapshots: only identities of consented customers, shared ones left out."""
    return f"""
MATCH (c:Customer)<-[:BELONGS_TO]-(i:Identity)-[r:{RELATION[verb]}]->(p:Product)
WHERE c.consented = true AND i.shared = false
RETURN c.id AS customer, p.sku AS sku, r.event AS event, r.at AS at, r.channel AS channel,
       r.quantity AS quantity
"""


COUNT_WHO_TOUCHED_BOTH = """
UNWIND $rows AS row
MATCH (a:Product {sku: row.touched})<-[:VIEWED|ADDED|PURCHASED]-(i:Identity)-[:BELONGS_TO]->(c:Customer)
WHERE c.consented = true AND i.shared = false AND c.id <> row.customer
MATCH (c)<-[:BELONGS_TO]-(j:Identity)-[:VIEWED|ADDED|PURCHASED]->(b:Product {sku: row.shown})
WHERE j.shared = false
RETURN row.customer AS customer, row.touched AS touched, row.shown AS shown,
       count(DISTINCT c.id) AS others
"""
CLEAR_EDGES = "MATCH ()-[r]->() WITH r LIMIT $limit DELETE r RETURN count(*) AS n"
CLEAR_NODES = "MATCH (n) WITH n LIMIT $limit DELETE n RETURN count(*) AS n"
COUNT_NODES = "MATCH (n) RETURN count(n) AS n"
PING = "RETURN 1 AS one"
