package sqlite

// syncFolder does nothing: NTFS journals names, and Windows lets no program sync a folder.
func syncFolder(string) error { return nil }
