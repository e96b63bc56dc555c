-- Times are microseconds since 1970, zero for never; identifiers are 63 random bits; born is the number of the event that made a thing.
-- Every table below tenant is reached with the tenant in the statement.

CREATE TABLE meta (
	one          INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
	controller   INTEGER NOT NULL,
	trust_domain TEXT    NOT NULL,
	epoch        INTEGER NOT NULL,
	created      INTEGER NOT NULL,
	probe        INTEGER NOT NULL DEFAULT 0 -- written to see whether writing works
) STRICT;

-- hard: version of the newest change; floor: of the newest deletion forgotten; tombs: how many tombstones there are; seq and head:
-- the newest event's number and hash.
-- Tenant zero is the provider.
CREATE TABLE tenant (
	id      INTEGER NOT NULL PRIMARY KEY,
	name    TEXT    NOT NULL UNIQUE,
	created INTEGER NOT NULL,
	born    INTEGER NOT NULL,
	hard    INTEGER NOT NULL DEFAULT 0,
	floor   INTEGER NOT NULL DEFAULT 0,
	tombs   INTEGER NOT NULL DEFAULT 0,
	seq     INTEGER NOT NULL DEFAULT 0,
	head    BLOB    NOT NULL DEFAULT (zeroblob(32))
) STRICT;

CREATE TABLE authority (
	tenant      INTEGER NOT NULL PRIMARY KEY REFERENCES tenant (id),
	certificate BLOB    NOT NULL,
	private     BLOB    NOT NULL
) STRICT;

CREATE TABLE network (
	tenant  INTEGER NOT NULL REFERENCES tenant (id),
	id      INTEGER NOT NULL,
	name    TEXT    NOT NULL,
	range4  TEXT    NOT NULL, -- empty: none
	range6  TEXT    NOT NULL,
	rules   TEXT    NOT NULL, -- JSON
	created INTEGER NOT NULL,
	born    INTEGER NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (tenant, id),
	UNIQUE (tenant, name)
) STRICT;

CREATE TABLE node (
	tenant     INTEGER NOT NULL,
	id         INTEGER NOT NULL,
	network    INTEGER NOT NULL,
	name       TEXT    NOT NULL,
	identity   BLOB    NOT NULL,
	wg         BLOB    NOT NULL,
	address4   TEXT, -- null: none
	address6   TEXT,
	tags       TEXT    NOT NULL, -- JSON
	pending    INTEGER NOT NULL,
	ephemeral  INTEGER NOT NULL,
	joined_by  INTEGER NOT NULL,
	created    INTEGER NOT NULL,
	born       INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL DEFAULT 0,
	cert_until INTEGER NOT NULL DEFAULT 0,
	os         TEXT    NOT NULL,
	software   TEXT    NOT NULL,
	record     BLOB    NOT NULL,
	signature  BLOB,             -- null: it has never signed
	signed     BLOB,             -- the older record that the signature is over; null: it is over record
	revision   INTEGER NOT NULL,
	version    INTEGER NOT NULL,
	PRIMARY KEY (tenant, id),
	UNIQUE (tenant, network, name),
	UNIQUE (tenant, identity),
	UNIQUE (tenant, wg),
	UNIQUE (tenant, network, address4),
	UNIQUE (tenant, network, address6),
	FOREIGN KEY (tenant, network) REFERENCES network (tenant, id)
) STRICT;

CREATE INDEX node_ephemeral ON node (tenant) WHERE ephemeral = 1;

CREATE TABLE tombstone (
	tenant  INTEGER NOT NULL REFERENCES tenant (id),
	version INTEGER NOT NULL,
	node    INTEGER NOT NULL,
	network INTEGER NOT NULL,
	at      INTEGER NOT NULL,
	PRIMARY KEY (tenant, version)
) STRICT;

-- touched: when it was last used or revoked.
CREATE TABLE join_key (
	tenant     INTEGER NOT NULL,
	id         INTEGER NOT NULL UNIQUE,
	network    INTEGER NOT NULL,
	hash       BLOB    NOT NULL,
	uses       INTEGER NOT NULL,
	used       INTEGER NOT NULL DEFAULT 0,
	expires    INTEGER NOT NULL,
	ephemeral  INTEGER NOT NULL,
	approve    INTEGER NOT NULL,
	tags       TEXT    NOT NULL, -- JSON
	revoked    INTEGER NOT NULL DEFAULT 0,
	created    INTEGER NOT NULL,
	created_by TEXT    NOT NULL,
	born       INTEGER NOT NULL,
	touched    INTEGER NOT NULL,
	PRIMARY KEY (tenant, id),
	FOREIGN KEY (tenant, network) REFERENCES network (tenant, id)
) STRICT;

CREATE INDEX join_key_network ON join_key (tenant, network);

CREATE TABLE api_key (
	tenant  INTEGER NOT NULL REFERENCES tenant (id),
	id      INTEGER NOT NULL UNIQUE,
	name    TEXT    NOT NULL,
	hash    BLOB    NOT NULL,
	scopes  TEXT    NOT NULL, -- JSON
	expires INTEGER NOT NULL,
	revoked INTEGER NOT NULL DEFAULT 0,
	created INTEGER NOT NULL,
	born    INTEGER NOT NULL,
	touched INTEGER NOT NULL,
	PRIMARY KEY (tenant, id)
) STRICT;

CREATE TABLE event (
	tenant INTEGER NOT NULL REFERENCES tenant (id),
	seq    INTEGER NOT NULL,
	at     INTEGER NOT NULL,
	actor  TEXT    NOT NULL,
	action TEXT    NOT NULL,
	target TEXT    NOT NULL,
	detail TEXT    NOT NULL,
	prev   BLOB    NOT NULL,
	hash   BLOB    NOT NULL,
	PRIMARY KEY (tenant, seq)
) STRICT;
