-- A relay carries packets for the nodes of a tenant, or with tenant zero of all. It is the provider's to make. identity is empty until
-- its key was redeemed; addresses and reported are JSON lists of host:port, as the admin set them and as the relay says.
CREATE TABLE relay (
	id              INTEGER NOT NULL PRIMARY KEY,
	tenant          INTEGER NOT NULL REFERENCES tenant (id),
	name            TEXT    NOT NULL UNIQUE,
	region          TEXT    NOT NULL,
	addresses       TEXT    NOT NULL,
	hash            BLOB    NOT NULL,
	expires         INTEGER NOT NULL, -- of the key
	identity        BLOB    NOT NULL DEFAULT (x''),
	joined          INTEGER NOT NULL DEFAULT 0,
	cert_until      INTEGER NOT NULL DEFAULT 0,
	created         INTEGER NOT NULL,
	created_by      TEXT    NOT NULL,
	born            INTEGER NOT NULL,
	reported        TEXT    NOT NULL DEFAULT 'null',
	reported_region TEXT    NOT NULL DEFAULT '',
	stun            INTEGER NOT NULL DEFAULT 0,
	software        TEXT    NOT NULL DEFAULT '',
	last_seen       INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Nodes that were deleted while their certificates may still be valid: relays turn them away.
CREATE TABLE removed_node (
	tenant INTEGER NOT NULL REFERENCES tenant (id),
	node   INTEGER NOT NULL,
	until  INTEGER NOT NULL,
	PRIMARY KEY (tenant, node)
) STRICT;

CREATE INDEX removed_node_until ON removed_node (until);

-- Bytes that relays have carried for a tenant, by UTC day (days since 1970).
CREATE TABLE relayed (
	tenant INTEGER NOT NULL REFERENCES tenant (id),
	day    INTEGER NOT NULL,
	bytes  INTEGER NOT NULL,
	PRIMARY KEY (tenant, day)
) STRICT;

-- How much of what a relay counts has been added to relayed: its count since its process, which instance names, has started.
CREATE TABLE relay_meter (
	relay    INTEGER NOT NULL REFERENCES relay (id),
	tenant   INTEGER NOT NULL REFERENCES tenant (id),
	instance BLOB    NOT NULL,
	bytes    INTEGER NOT NULL,
	PRIMARY KEY (relay, tenant)
) STRICT;
