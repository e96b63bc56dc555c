-- Certificates that another authority, such as a company's, has given a tenant's: DER, one behind the other, the one for the tenant's key first,
-- a root last. Empty: there are none.
ALTER TABLE authority ADD COLUMN cross_chain BLOB NOT NULL DEFAULT x'';
ALTER TABLE old_authority ADD COLUMN cross_chain BLOB NOT NULL DEFAULT x'';

-- The key of a tenant's next authority, while another authority has not certified it yet, and the request for that (PKCS #10).
CREATE TABLE authority_request (
	tenant     INTEGER NOT NULL PRIMARY KEY REFERENCES tenant (id),
	private    BLOB    NOT NULL,
	request    BLOB    NOT NULL,
	created    INTEGER NOT NULL,
	created_by TEXT    NOT NULL
) STRICT;
