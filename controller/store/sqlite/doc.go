// Package sqlite is the store in one file of a folder: SQLite (modernc.org/sqlite, no cgo) in WAL mode with synchronous=FULL.
//
// # Writing
//
// One goroutine owns the one connection that writes. It takes all mutations that wait, runs each in a savepoint of its
// own, commits them together with one sync of the disk, tells the sink, and then lets the callers go. A mutation
// that is refused leaves no trace and does not disturb its neighbours. What a mutation changed, its audit event and the
// tenant's version are one transaction.
//
// # Reading
//
// A few connections read. WAL lets them see the last commit without waiting for the writer, which never takes the exclusive
// locking mode: a database in that mode does not open again on a full disk.
//
// # When the disk is full or read-only
//
// Reads go on and writes return store.ErrReadOnly, which names the cause. Beside the database lies a ballast file of 8 MB; it
// is given up when the disk is full, so that the log can be moved into the database, and the store is well again when the
// ballast fits on the disk once more and a probe can be written. It is tried every two seconds, by itself. The store
// also opens on such a disk.
//
// # Files
//
//	cvlan.db           the database, mode 0600: it holds the authority's keys; cvlan.db-wal and cvlan.db-shm while in use
//	cvlan.lock         taken by the process that uses the folder
//	cvlan.ballast      see above
//
// SQLite's locks are POSIX record locks: closing any other descriptor of the database file in this process would drop them. So
// nothing here opens that file by itself while the store is open.
package sqlite
