package disk

import "io/fs"

// private accepts everything: access on Windows is the business of the folder's ACL, which the installer sets, not of mode bits.
func private(fs.FileInfo) error { return nil }

// syncFolder does nothing: NTFS journals renames, and a folder cannot be flushed.
func syncFolder(string) error { return nil }
