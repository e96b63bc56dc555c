// Package tray is the icon in the panel: how this machine's networks are at one glance, and what people do with them every day, in a
// menu. It is a face over api/local and can do nothing that a script cannot.
//
// Data flows one way. A follower brings news of the daemon; world keeps the last of it; picture makes of the world what the panel shows,
// and notices what is worth a message; both are pure. Clicks come back as actions, which a worker does one after another, in their order: what
// a person clicked happens, once, even if the menu has changed meanwhile.
//
// Names of peers, networks and problems come from other machines. Everything passes package clean before it is in a picture, and each
// panel escapes what its own protocol would obey.
//
// The daemon may be away, come back, refuse us, be older or newer, or have 10,000 peers: the icon says so, and nothing here ends but by
// Quit, the end of the session, or the context. Idle, it waits for the daemon's watch and spends nothing.
package tray
