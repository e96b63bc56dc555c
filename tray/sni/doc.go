// Package sni puts an icon with a menu into the panel of a free desktop, and messages on its screen, over the session's D-Bus:
// org.kde.StatusNotifierItem, com.canonical.dbusmenu and org.freedesktop.Notifications. It needs neither cgo nor a toolkit.
//
// The parts of the protocol, in the order in which they happen:
//
//   - The bus's name net.cvlan.Tray is ours, or another tray has it: one a session.
//   - A watcher (org.kde.StatusNotifierWatcher) belongs to the desktop or its panel. We register with it when it has a host, and again
//     whenever it comes anew. A desktop without one shows no icons: Open says so.
//   - A host reads the icon's properties, and again when a signal tells that they changed.
//   - It reads the menu by GetLayout. A menu that keeps its structure is changed in place (ItemsPropertiesUpdated), else the
//     host is told to read it again (LayoutUpdated), which closes an open menu in some desktops.
//   - A click is an Event with the entry's number. Numbers are never used twice, and those of entries that have gone are known for
//     a while: a click does what the person read, even when the menu changed under the hand.
//
// Everything that arrives over the bus is somebody else's: calls are answered from a snapshot under a lock, of which none is held
// while anything is sent.
package sni
