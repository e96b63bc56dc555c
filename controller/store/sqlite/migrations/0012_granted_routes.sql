-- Prefixes that the policy's autoApprovers approve for a node, and those that an admin has revoked: JSON arrays as in 0011. What was approved before stays
-- approved as if by an admin.
ALTER TABLE node ADD COLUMN granted TEXT NOT NULL DEFAULT '[]';
ALTER TABLE node ADD COLUMN refused TEXT NOT NULL DEFAULT '[]';
