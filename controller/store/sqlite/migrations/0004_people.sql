-- People. Logins are in lower case; a group's name begins with group:, a tag's with tag:, from here on.
CREATE TABLE user (
	tenant  INTEGER NOT NULL REFERENCES tenant (id),
	login   TEXT    NOT NULL,
	role    TEXT    NOT NULL, -- member, admin, owner
	created INTEGER NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (tenant, login)
) STRICT;

-- users: how many the tenant has, because counting them for each one more would take ever longer.
ALTER TABLE tenant ADD COLUMN users INTEGER NOT NULL DEFAULT 0;

CREATE TABLE user_group (
	tenant  INTEGER NOT NULL REFERENCES tenant (id),
	name    TEXT    NOT NULL,
	created INTEGER NOT NULL,
	born    INTEGER NOT NULL,
	members INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant, name)
) STRICT;

CREATE TABLE membership (
	tenant INTEGER NOT NULL,
	login  TEXT    NOT NULL,
	name   TEXT    NOT NULL,
	PRIMARY KEY (tenant, login, name),
	FOREIGN KEY (tenant, login) REFERENCES user (tenant, login),
	FOREIGN KEY (tenant, name) REFERENCES user_group (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX membership_name ON membership (tenant, name, login);

-- user: the owner's login, empty for none. attrs: JSON, what the node reports, named as postures name it.
ALTER TABLE node ADD COLUMN user TEXT NOT NULL DEFAULT '';
ALTER TABLE node ADD COLUMN attrs TEXT NOT NULL DEFAULT '{}';
ALTER TABLE join_key ADD COLUMN user TEXT NOT NULL DEFAULT '';

UPDATE node SET attrs = json_object('node:os', CASE os WHEN 'darwin' THEN 'macos' ELSE os END, 'node:version', software);
UPDATE node SET tags = (SELECT json_group_array('tag:' || value) FROM json_each(node.tags)) WHERE tags NOT IN ('null', '[]');
UPDATE join_key SET tags = (SELECT json_group_array('tag:' || value) FROM json_each(join_key.tags)) WHERE tags NOT IN ('null', '[]');

-- Versions of a network's policy document; the highest number is in force. sum is the text's SHA-256, size its bytes.
CREATE TABLE policy (
	tenant  INTEGER NOT NULL,
	network INTEGER NOT NULL,
	number  INTEGER NOT NULL,
	size    INTEGER NOT NULL,
	sum     BLOB    NOT NULL,
	author  TEXT    NOT NULL,
	comment TEXT    NOT NULL,
	at      INTEGER NOT NULL,
	version INTEGER NOT NULL,
	text    TEXT    NOT NULL,
	PRIMARY KEY (tenant, network, number),
	FOREIGN KEY (tenant, network) REFERENCES network (tenant, id)
) STRICT;

-- What networks that there are let pass is written down as their first policy.
INSERT INTO policy (tenant, network, number, size, sum, author, comment, at, version, text)
SELECT network.tenant, network.id, 1, 258, x'f79e2e966ec0f7e7015a8e6eef03b90e239d23aceb0e09edff0c53d94c3194bd', 'controller', 'what the network let pass before it had a policy', network.created,
	tenant.hard + row_number() OVER (PARTITION BY network.tenant ORDER BY network.born),
'// Who may reach whom in this network. What no rule allows does not pass.
{
	"acls": [
		// Everybody in the network may reach everybody. Narrow "src" and "dst", or delete the rule, to change that.
		{"action": "accept", "src": ["*"], "dst": ["*:*"]},
	],
}
'
FROM network JOIN tenant ON tenant.id = network.tenant;

UPDATE policy SET size = 246, sum = x'48f407483ed214aafc780aee5093459c96747015a5f3919a031ec28f9f6decdc', text =
'// Who may reach whom in this network. What no rule allows does not pass.
{
	"acls": [
		// There is no rule yet: nothing may pass. The next line would let everybody reach everybody.
		// {"action": "accept", "src": ["*"], "dst": ["*:*"]},
	],
}
'
WHERE NOT EXISTS (
	SELECT 1 FROM network, json_each(network.rules) AS rule
	WHERE network.tenant = policy.tenant AND network.id = policy.network
		AND json_extract(rule.value, '$.src') = 'members' AND json_extract(rule.value, '$.dst') = 'members'
);

UPDATE tenant SET hard = hard + (SELECT count(*) FROM network WHERE network.tenant = tenant.id);
