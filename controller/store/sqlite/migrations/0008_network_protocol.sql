-- What two nodes of the network speak that could speak either: 1 WireGuard, 2 IPsec; 0: it is left to them.
ALTER TABLE network ADD COLUMN protocol INTEGER NOT NULL DEFAULT 0;
