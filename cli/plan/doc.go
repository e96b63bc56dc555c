// Package plan holds what a tenant shall be in a file, and finds the steps from what it is.
//
// The file is TOML: groups, users, and networks with their policies, and what admins have said of networks behind nodes. It has no keys and no
// nodes but the names of these, so it can stand in a repository and be applied to another controller. What it does not name stays as it is; pruning
// deletes users and groups that it does not name, but never a network, and revokes nothing. What Write writes of a tenant leaves nothing to do when it is read again, down to the last byte of a policy.
package plan
