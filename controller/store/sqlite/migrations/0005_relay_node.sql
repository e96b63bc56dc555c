-- A node of the relay's tenant may be the relay, beside what else it does; 0: a machine of its own is.
ALTER TABLE relay ADD COLUMN node INTEGER NOT NULL DEFAULT 0;
