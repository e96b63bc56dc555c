package sqlite

// statement is SQL text. All of it stands here: a test reads this file and checks that whatever touches a tenant's table
// says tenant = ?1, the parameter that a handle fills in and no caller can choose.
type statement string

// Of the store.
const (
	begin       statement = `BEGIN IMMEDIATE`
	commit      statement = `COMMIT`
	rollback    statement = `ROLLBACK`
	savepoint   statement = `SAVEPOINT one`
	release     statement = `RELEASE one`
	rollbackOne statement = `ROLLBACK TO one`
	checkpoint  statement = `PRAGMA wal_checkpoint(PASSIVE)` // never waits
	probe       statement = `UPDATE meta SET probe = probe + 1`

	selectMeta statement = `SELECT controller, trust_domain, epoch, created FROM meta WHERE one = 1`
	insertMeta statement = `INSERT INTO meta (one, controller, trust_domain, epoch, created) VALUES (1, ?1, ?2, ?3, ?4)`
	setEpoch   statement = `UPDATE meta SET epoch = ?1 WHERE one = 1`

	selectTenants      statement = `SELECT id, name, created, hard FROM tenant WHERE id <> 0 ORDER BY born`
	selectTenantByName statement = `SELECT id, name, created, hard FROM tenant WHERE name = ?1 AND id <> 0`
	selectTrails       statement = `SELECT id FROM tenant ORDER BY born`
	countTenants       statement = `SELECT count(*) FROM tenant WHERE id <> 0`
	countNodes         statement = `SELECT count(*) FROM node`

	// Whose key it is, is what these two are asked.
	selectJoinKeyTenant statement = `SELECT tenant FROM join_key WHERE id = ?1`
	selectAPIKeyByID    statement = `SELECT ` + apiKeyColumns + ` FROM api_key WHERE id = ?1`
)

// Of a tenant.
const (
	insertTenant statement = `INSERT INTO tenant (id, name, created, born) VALUES (?1, ?2, ?3, ?4)`
	selectTenant statement = `SELECT id, name, created, hard FROM tenant WHERE id = ?1`
	selectFloor  statement = `SELECT floor FROM tenant WHERE id = ?1`
	selectHead   statement = `SELECT hard, floor, tombs, users, seq, head FROM tenant WHERE id = ?1`
	updateHead   statement = `UPDATE tenant SET hard = ?2, floor = ?3, tombs = ?4, users = ?5, seq = ?6, head = ?7 WHERE id = ?1`

	selectAuthority statement = `SELECT tenant, certificate, private, cross_chain FROM authority WHERE tenant = ?1`
	insertAuthority statement = `INSERT INTO authority (tenant, certificate, private) VALUES (?1, ?2, ?3)`

	insertEvent  statement = `INSERT INTO event (tenant, seq, at, actor, action, target, detail, prev, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`
	selectEvents statement = `SELECT seq, at, actor, action, target, detail, prev, hash FROM event WHERE tenant = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3`
)

const networkColumns = `id, name, range4, range6, protocol, created, version`

// Of networks.
const (
	selectNetworks      statement = `SELECT ` + networkColumns + ` FROM network WHERE tenant = ?1 ORDER BY born`
	selectNetwork       statement = `SELECT ` + networkColumns + ` FROM network WHERE tenant = ?1 AND id = ?2`
	selectNetworkByName statement = `SELECT ` + networkColumns + ` FROM network WHERE tenant = ?1 AND name = ?2`
	insertNetwork       statement = `INSERT INTO network (tenant, ` + networkColumns + `, born) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`
	setProtocol         statement = `UPDATE network SET protocol = ?3, version = ?4 WHERE tenant = ?1 AND id = ?2`
	deleteNetwork       statement = `DELETE FROM network WHERE tenant = ?1 AND id = ?2`
	networkIsUsed       statement = `SELECT EXISTS (SELECT 1 FROM node WHERE tenant = ?1 AND network = ?2 UNION ALL SELECT 1 FROM plain WHERE tenant = ?1 AND network = ?2)`
)

const nodeColumns = `id, network, name, identity, wg, address4, address6, user, tags, pending, ephemeral, joined_by, created, last_seen, cert_until, os, software, attrs, record, signature, signed, revision, version, offered, approved, granted, refused`

// Of nodes.
const (
	selectNodes          statement = `SELECT ` + nodeColumns + `, born FROM node WHERE tenant = ?1`
	selectNodesOf        statement = `SELECT ` + nodeColumns + `, born FROM node WHERE tenant = ?1 AND network = ?2`
	selectEphemeralNodes statement = `SELECT ` + nodeColumns + `, born FROM node WHERE tenant = ?1 AND ephemeral = 1`
	selectNodesOwned     statement = `SELECT ` + nodeColumns + `, born FROM node WHERE tenant = ?1 AND user = ?2`
	selectNodesNamed     statement = `SELECT ` + nodeColumns + `, born FROM node WHERE tenant = ?1 AND name = ?2 AND network IN (SELECT id FROM network WHERE tenant = ?1)`
	selectNodeNamed      statement = `SELECT ` + nodeColumns + `, born FROM node WHERE tenant = ?1 AND name = ?2 AND network = ?3`
	selectNode           statement = `SELECT ` + nodeColumns + `, born FROM node WHERE tenant = ?1 AND id = ?2`
	selectTwins          statement = `SELECT id, name, identity, wg, joined_by FROM node WHERE tenant = ?1 AND (identity = ?2 OR wg = ?3)`
	selectAddresses      statement = `SELECT address4, address6 FROM node WHERE tenant = ?1 AND network = ?2 UNION ALL SELECT address4, address6 FROM plain WHERE tenant = ?1 AND network = ?2`
	nameIsTaken          statement = `SELECT EXISTS (SELECT 1 FROM node WHERE tenant = ?1 AND network = ?2 AND name = ?3 UNION ALL SELECT 1 FROM plain WHERE tenant = ?1 AND network = ?2 AND name = ?3)`

	insertNode  statement = `INSERT INTO node (tenant, ` + nodeColumns + `, born) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29)`
	letNodeWait statement = `UPDATE node SET pending = ?3, version = ?4 WHERE tenant = ?1 AND id = ?2`
	renameNode  statement = `UPDATE node SET name = ?3, record = ?4, signed = ?5, revision = ?6, version = ?7 WHERE tenant = ?1 AND id = ?2`
	tagNode     statement = `UPDATE node SET tags = ?3, record = ?4, signed = ?5, revision = ?6, version = ?7 WHERE tenant = ?1 AND id = ?2`
	reportNode  statement = `UPDATE node SET os = ?3, software = ?4, attrs = ?5, version = ?6 WHERE tenant = ?1 AND id = ?2`
	routeNode   statement = `UPDATE node SET offered = ?3, approved = ?4, granted = ?5, refused = ?6, version = ?7 WHERE tenant = ?1 AND id = ?2`
	disownNode  statement = `UPDATE node SET user = '', version = ?3 WHERE tenant = ?1 AND id = ?2`
	signNode    statement = `UPDATE node SET signature = ?3, signed = NULL, version = ?4, record = ?5 WHERE tenant = ?1 AND id = ?2`
	renewNode   statement = `UPDATE node SET cert_until = ?3 WHERE tenant = ?1 AND id = ?2`
	nodeWasSeen statement = `UPDATE node SET last_seen = ?3 WHERE tenant = ?1 AND id = ?2 AND last_seen < ?3`
	deleteNode  statement = `DELETE FROM node WHERE tenant = ?1 AND id = ?2`
	selectTombs statement = `SELECT node, network, version, at, plain, nodes FROM tombstone WHERE tenant = ?1 ORDER BY version`
	insertTomb  statement = `INSERT INTO tombstone (tenant, version, node, network, at, plain, nodes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`
	oldestTomb  statement = `SELECT at FROM tombstone WHERE tenant = ?1 ORDER BY version LIMIT 1`
	staleTombs  statement = `SELECT coalesce(max(version), 0) FROM tombstone WHERE tenant = ?1 AND at < ?2`
	nthTomb     statement = `SELECT version FROM tombstone WHERE tenant = ?1 ORDER BY version LIMIT 1 OFFSET ?2`
	deleteTombs statement = `DELETE FROM tombstone WHERE tenant = ?1 AND version <= ?2`
)

// userColumns end in the user's groups, a JSON list.
const userColumns = `login, role, created, version, (SELECT json_group_array(name) FROM membership WHERE tenant = ?1 AND login = user.login)`

// Of people. A group counts its members.
const (
	selectUsers      statement = `SELECT ` + userColumns + ` FROM user WHERE tenant = ?1 AND login > ?2 ORDER BY login LIMIT ?3`
	selectAllUsers   statement = `SELECT login, role, created, version, '[]' FROM user WHERE tenant = ?1 ORDER BY login`
	selectUsersIn    statement = `SELECT login, role, created, version, '[]' FROM user WHERE tenant = ?1 AND login IN (SELECT login FROM membership WHERE tenant = ?1 AND name = ?2) ORDER BY login`
	selectGroupsOfIn statement = `SELECT login, name FROM membership WHERE tenant = ?1 AND login IN (SELECT login FROM membership WHERE tenant = ?1 AND name = ?2) ORDER BY login, name`
	selectAllMembers statement = `SELECT login, name FROM membership WHERE tenant = ?1 ORDER BY login, name`
	selectUser       statement = `SELECT ` + userColumns + ` FROM user WHERE tenant = ?1 AND login = ?2`
	putUser          statement = `INSERT INTO user (tenant, login, role, created, version) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant, login) DO UPDATE SET role = excluded.role, version = excluded.version`
	deleteUser       statement = `DELETE FROM user WHERE tenant = ?1 AND login = ?2`

	selectGroups statement = `SELECT name, members, created FROM user_group WHERE tenant = ?1 AND name > ?2 ORDER BY name LIMIT ?3`
	selectGroup  statement = `SELECT name, members, created FROM user_group WHERE tenant = ?1 AND name = ?2`
	countGroups  statement = `SELECT count(*) FROM user_group WHERE tenant = ?1`
	insertGroup  statement = `INSERT INTO user_group (tenant, name, created, born) VALUES (?1, ?2, ?3, ?4)`
	deleteGroup  statement = `DELETE FROM user_group WHERE tenant = ?1 AND name = ?2`
	// emptyGroup and renewUsersIn are for all members at once: versions rise from ?3 + 1 on in the order of logins.
	emptyGroup    statement = `DELETE FROM membership WHERE tenant = ?1 AND name = ?2`
	renewUsersIn  statement = `UPDATE user SET version = m.version FROM (SELECT login, ?3 + row_number() OVER (ORDER BY login) AS version FROM membership WHERE tenant = ?1 AND name = ?2) AS m WHERE user.tenant = ?1 AND user.login = m.login`
	growGroup     statement = `UPDATE user_group SET members = members + ?3 WHERE tenant = ?1 AND name = ?2`
	selectMembers statement = `SELECT login FROM membership WHERE tenant = ?1 AND name = ?2 AND login > ?3 ORDER BY login LIMIT ?4`
	insertMember  statement = `INSERT INTO membership (tenant, login, name) VALUES (?1, ?2, ?3)`
	deleteMember  statement = `DELETE FROM membership WHERE tenant = ?1 AND login = ?2 AND name = ?3`
)

const plainColumns = `id, network, name, wg, preshared, address4, address6, nodes, endpoint, keepalive, created, created_by, revision, version`

// Of plain devices.
const (
	selectPlains          statement = `SELECT ` + plainColumns + ` FROM plain WHERE tenant = ?1 ORDER BY born`
	selectPlainsOf        statement = `SELECT ` + plainColumns + ` FROM plain WHERE tenant = ?1 AND network = ?2 ORDER BY born`
	selectPlainsByVersion statement = `SELECT ` + plainColumns + ` FROM plain WHERE tenant = ?1 ORDER BY version`
	selectPlainsWith      statement = `SELECT ` + plainColumns + ` FROM plain WHERE tenant = ?1 AND network = ?2 AND instr(nodes, ?3) > 0 ORDER BY born`
	selectPlain           statement = `SELECT ` + plainColumns + ` FROM plain WHERE tenant = ?1 AND id = ?2`
	selectPlainByKey      statement = `SELECT ` + plainColumns + ` FROM plain WHERE tenant = ?1 AND wg = ?2`
	countPlains           statement = `SELECT count(*) FROM plain WHERE tenant = ?1 AND network = ?2`
	insertPlain           statement = `INSERT INTO plain (tenant, ` + plainColumns + `, born) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)`
	setPlainNodes         statement = `UPDATE plain SET nodes = ?3, version = ?4 WHERE tenant = ?1 AND id = ?2`
	deletePlain           statement = `DELETE FROM plain WHERE tenant = ?1 AND id = ?2`
)

const (
	policyColumns = `network, number, sum, author, comment, at, version`
	// inForce says that no number of the network is higher. It is one step in the index.
	inForce = `number = (SELECT max(number) FROM policy AS p WHERE p.tenant = ?1 AND p.network = policy.network)`
)

// Of policies.
const (
	selectPolicy          statement = `SELECT ` + policyColumns + `, text FROM policy WHERE tenant = ?1 AND network = ?2 ORDER BY number DESC LIMIT 1`
	selectPolicyAt        statement = `SELECT ` + policyColumns + `, text FROM policy WHERE tenant = ?1 AND network = ?2 AND number = ?3`
	selectPolicies        statement = `SELECT ` + policyColumns + `, NULL FROM policy WHERE tenant = ?1 AND network = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4`
	selectPoliciesInForce statement = `SELECT ` + policyColumns + `, text FROM policy WHERE tenant = ?1 AND ` + inForce + ` ORDER BY version`
	selectHeadsInForce    statement = `SELECT ` + policyColumns + `, NULL FROM policy WHERE tenant = ?1 AND ` + inForce + ` ORDER BY version`
	insertPolicy          statement = `INSERT INTO policy (tenant, network, number, size, sum, author, comment, at, version, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`
	deletePolicies        statement = `DELETE FROM policy WHERE tenant = ?1 AND network = ?2`
	policySizes           statement = `SELECT number, size FROM policy WHERE tenant = ?1 AND network = ?2 ORDER BY number DESC`
	forgetPolicies        statement = `DELETE FROM policy WHERE tenant = ?1 AND network = ?2 AND number <= ?3`
)

const joinKeyColumns = `id, network, hash, uses, used, expires, ephemeral, approve, user, tags, revoked, created, created_by`

// Of join keys.
const (
	selectJoinKeys   statement = `SELECT ` + joinKeyColumns + ` FROM join_key WHERE tenant = ?1 ORDER BY born`
	selectJoinKeysOf statement = `SELECT ` + joinKeyColumns + ` FROM join_key WHERE tenant = ?1 AND network = ?2 ORDER BY born`
	selectJoinKey    statement = `SELECT ` + joinKeyColumns + ` FROM join_key WHERE tenant = ?1 AND id = ?2`
	countJoinKeys    statement = `SELECT count(*) FROM join_key WHERE tenant = ?1`
	insertJoinKey    statement = `INSERT INTO join_key (tenant, ` + joinKeyColumns + `, born, touched) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)`
	useJoinKey       statement = `UPDATE join_key SET used = used + 1, touched = ?3 WHERE tenant = ?1 AND id = ?2`
	revokeJoinKey    statement = `UPDATE join_key SET revoked = 1, touched = ?3 WHERE tenant = ?1 AND id = ?2`
	selectUsersKeys  statement = `SELECT ` + joinKeyColumns + ` FROM join_key WHERE tenant = ?1 AND user = ?2 AND revoked = 0 ORDER BY born`
	buryJoinKeys     statement = `DELETE FROM join_key WHERE tenant = ?1 AND touched < ?2 AND (revoked = 1 OR expires > 0 AND expires < ?2 OR uses > 0 AND used >= uses)`
	deleteJoinKeysOf statement = `DELETE FROM join_key WHERE tenant = ?1 AND network = ?2`
)

const apiKeyColumns = `tenant, id, name, hash, scopes, user, expires, revoked, created`

// Of API keys.
const (
	selectAPIKeys   statement = `SELECT ` + apiKeyColumns + ` FROM api_key WHERE tenant = ?1 ORDER BY born`
	selectAPIKey    statement = `SELECT ` + apiKeyColumns + ` FROM api_key WHERE tenant = ?1 AND id = ?2`
	countAPIKeys    statement = `SELECT count(*) FROM api_key WHERE tenant = ?1`
	insertAPIKey    statement = `INSERT INTO api_key (` + apiKeyColumns + `, born, touched) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`
	revokeAPIKey    statement = `UPDATE api_key SET revoked = 1, touched = ?3 WHERE tenant = ?1 AND id = ?2`
	revokeAPIKeysOf statement = `UPDATE api_key SET revoked = 1, touched = ?3 WHERE tenant = ?1 AND user = ?2 AND revoked = 0`
	buryAPIKeys     statement = `DELETE FROM api_key WHERE tenant = ?1 AND touched < ?2 AND (revoked = 1 OR expires > 0 AND expires < ?2)`
)

const relayColumns = `id, tenant, node, name, region, addresses, hash, expires, identity, joined, cert_until, created, created_by, reported, reported_region, stun, software, last_seen`

// Of relays, which are the provider's.
const (
	selectRelays      statement = `SELECT ` + relayColumns + ` FROM relay ORDER BY born`
	selectRelay       statement = `SELECT ` + relayColumns + ` FROM relay WHERE id = ?1`
	selectRelayByName statement = `SELECT ` + relayColumns + ` FROM relay WHERE name = ?1`
	countRelays       statement = `SELECT count(*) FROM relay`
	insertRelay       statement = `INSERT INTO relay (id, tenant, name, region, addresses, hash, expires, created, created_by, born, node) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)`
	redeemRelay       statement = `UPDATE relay SET identity = ?2, joined = ?3 WHERE id = ?1`
	renewRelay        statement = `UPDATE relay SET cert_until = ?2 WHERE id = ?1`
	relayReported     statement = `UPDATE relay SET reported = ?2, reported_region = ?3, stun = ?4, software = ?5, last_seen = ?6 WHERE id = ?1`
	deleteRelay       statement = `DELETE FROM relay WHERE id = ?1`

	selectRemovedNodes statement = `SELECT tenant, node, until FROM removed_node WHERE until > ?1 UNION ALL SELECT tenant, id, 0 FROM node WHERE pending ORDER BY tenant, node`
	insertRemovedNode  statement = `INSERT INTO removed_node (tenant, node, until) VALUES (?1, ?2, ?3) ON CONFLICT (tenant, node) DO UPDATE SET until = excluded.until`
	forgetRemovedNodes statement = `DELETE FROM removed_node WHERE tenant = ?1 AND until <= ?2`

	selectMeter   statement = `SELECT instance, bytes FROM relay_meter WHERE relay = ?1 AND tenant = ?2`
	setMeter      statement = `INSERT INTO relay_meter (relay, tenant, instance, bytes) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (relay, tenant) DO UPDATE SET instance = excluded.instance, bytes = excluded.bytes`
	deleteMeters  statement = `DELETE FROM relay_meter WHERE relay = ?1`
	addRelayed    statement = `INSERT INTO relayed (tenant, day, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (tenant, day) DO UPDATE SET bytes = bytes + excluded.bytes`
	selectRelayed statement = `SELECT tenant, day, bytes FROM relayed WHERE day >= ?1 ORDER BY tenant, day`
)

const certificateColumns = `serial, issuer, node, name, dns, ip, email, not_before, not_after, der, created, created_by`

// Of certificates.
const (
	insertCertificate    statement = `INSERT INTO certificate (tenant, ` + certificateColumns + `, born) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)`
	selectCertificate    statement = `SELECT ` + certificateColumns + `, revoked, reason FROM certificate WHERE tenant = ?1 AND serial = ?2`
	selectCertificates   statement = `SELECT ` + certificateColumns + `, revoked, reason FROM certificate WHERE tenant = ?1 AND not_after > ?2 ORDER BY born`
	selectDevices        statement = `SELECT ` + certificateColumns + `, revoked, reason FROM certificate WHERE tenant = ?1 AND node = 0 AND not_after > ?2 ORDER BY born`
	selectRevocations    statement = `SELECT ` + certificateColumns + `, revoked, reason FROM certificate WHERE tenant = ?1 AND issuer = ?2 AND revoked > 0 AND not_after > ?3 ORDER BY revoked, serial`
	countCertificates    statement = `SELECT count(*) FROM certificate WHERE tenant = ?1 AND node = 0`
	countInForceOf       statement = `SELECT count(*) FROM certificate WHERE tenant = ?1 AND issuer = ?2 AND revoked = 0 AND not_after > ?3`
	forgetCertificatesOf statement = `DELETE FROM certificate WHERE tenant = ?1 AND node = ?2 AND not_after < ?3`
	forgetRevoked        statement = `DELETE FROM certificate WHERE tenant = ?1 AND revoked > 0 AND not_after < ?2`
	revokeCertificate    statement = `UPDATE certificate SET revoked = ?3, reason = ?4 WHERE tenant = ?1 AND serial = ?2`
	revokeCertificatesOf statement = `UPDATE certificate SET revoked = ?3, reason = ?4 WHERE tenant = ?1 AND node = ?2 AND revoked = 0 AND not_after > ?3`
	revokeAllOf          statement = `UPDATE certificate SET revoked = ?3, reason = ?4 WHERE tenant = ?1 AND issuer = ?2 AND revoked = 0 AND not_after > ?3`

	replaceAuthority     statement = `UPDATE authority SET certificate = ?2, private = ?3, cross_chain = ?4 WHERE tenant = ?1`
	setCross             statement = `UPDATE authority SET cross_chain = ?2 WHERE tenant = ?1`
	insertOldAuthority   statement = `INSERT INTO old_authority (tenant, serial, certificate, private, replaced, cross_chain) VALUES (?1, ?2, ?3, ?4, ?5, ?6)`
	selectOldAuthorities statement = `SELECT tenant, serial, certificate, private, replaced, ended, last_crl, cross_chain FROM old_authority WHERE tenant = ?1 ORDER BY ended > 0, replaced DESC`
	selectRequest        statement = `SELECT private, request, created, created_by FROM authority_request WHERE tenant = ?1`
	setRequest           statement = `INSERT OR REPLACE INTO authority_request (tenant, private, request, created, created_by) VALUES (?1, ?2, ?3, ?4, ?5)`
	endRequest           statement = `DELETE FROM authority_request WHERE tenant = ?1 AND private = ?2`
	countOldAuthorities  statement = `SELECT count(*) FROM old_authority WHERE tenant = ?1 AND ended = 0`
	endAuthority         statement = `UPDATE old_authority SET ended = ?3, private = x'', last_crl = ?4 WHERE tenant = ?1 AND serial = ?2 AND ended = 0`
)
