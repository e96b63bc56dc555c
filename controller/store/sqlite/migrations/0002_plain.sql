-- A plain device is a WireGuard peer without an agent. preshared is null if there is none; nodes are those that may speak with it,
-- a JSON list of identifiers as people see them.
CREATE TABLE plain (
	tenant     INTEGER NOT NULL,
	id         INTEGER NOT NULL,
	network    INTEGER NOT NULL,
	name       TEXT    NOT NULL,
	wg         BLOB    NOT NULL,
	preshared  BLOB,
	address4   TEXT, -- null: none
	address6   TEXT,
	nodes      TEXT    NOT NULL,
	endpoint   TEXT    NOT NULL, -- empty: none
	keepalive  INTEGER NOT NULL, -- seconds
	created    INTEGER NOT NULL,
	created_by TEXT    NOT NULL,
	born       INTEGER NOT NULL,
	revision   INTEGER NOT NULL,
	version    INTEGER NOT NULL,
	PRIMARY KEY (tenant, id),
	UNIQUE (tenant, network, name),
	UNIQUE (tenant, wg),
	UNIQUE (tenant, network, address4),
	UNIQUE (tenant, network, address6),
	FOREIGN KEY (tenant, network) REFERENCES network (tenant, id)
) STRICT;

-- A tombstone is a node's, or with plain a plain device's, which nodes have known.
ALTER TABLE tombstone ADD COLUMN plain INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tombstone ADD COLUMN nodes TEXT NOT NULL DEFAULT 'null';
