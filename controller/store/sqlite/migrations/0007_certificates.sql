-- What a tenant's authority has signed: certificates of nodes (node is set, der is empty) and of devices without an agent. serial and issuer
-- are hexadecimal; dns, ip and email are JSON lists. Those that nodes had before are not known: they end within 60 days.
CREATE TABLE certificate (
	tenant     INTEGER NOT NULL REFERENCES tenant (id),
	serial     TEXT    NOT NULL,
	issuer     TEXT    NOT NULL,
	node       INTEGER NOT NULL,
	name       TEXT    NOT NULL,
	dns        TEXT    NOT NULL,
	ip         TEXT    NOT NULL,
	email      TEXT    NOT NULL,
	not_before INTEGER NOT NULL,
	not_after  INTEGER NOT NULL,
	der        BLOB    NOT NULL,
	created    INTEGER NOT NULL,
	created_by TEXT    NOT NULL,
	born       INTEGER NOT NULL,
	revoked    INTEGER NOT NULL DEFAULT 0,
	reason     INTEGER NOT NULL DEFAULT 0, -- CRLReason of RFC 5280
	PRIMARY KEY (tenant, serial)
) STRICT;

CREATE INDEX certificate_node ON certificate (tenant, node, not_after);
CREATE INDEX certificate_revoked ON certificate (tenant, not_after) WHERE revoked > 0;

-- Authorities that a tenant had before. private is empty once one has ended; last_crl is its last revocation list then.
CREATE TABLE old_authority (
	tenant      INTEGER NOT NULL REFERENCES tenant (id),
	serial      TEXT    NOT NULL,
	certificate BLOB    NOT NULL,
	private     BLOB    NOT NULL,
	replaced    INTEGER NOT NULL,
	ended       INTEGER NOT NULL DEFAULT 0,
	last_crl    BLOB    NOT NULL DEFAULT (x''),
	PRIMARY KEY (tenant, serial)
) STRICT;
