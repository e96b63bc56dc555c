-- Prefixes that a node offers to forward to, and those that are approved, whether or not it offers them now: JSON arrays in the order of control.CompareRoutes.
ALTER TABLE node ADD COLUMN offered TEXT NOT NULL DEFAULT '[]';
ALTER TABLE node ADD COLUMN approved TEXT NOT NULL DEFAULT '[]';
