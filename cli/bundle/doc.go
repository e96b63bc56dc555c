// Package bundle makes the one file that people attach to a report of a defect: what a machine knows of itself, without secrets.
//
// Nothing in it comes from files of keys, and the daemon never logs any; Scrub looks through every text all the same and takes out
// what has the shape of a secret. An Anonymizer replaces names and addresses by others, the same way in all files, so that a report
// can be made in public. Addresses stay comparable: two that share their first n bits do so afterwards, and private ranges stay
// private, so that a clash of ranges or a wrong route is still to be seen.
package bundle
