// Package ipam decides about addresses: which ranges a network may have, which range to propose, and which address comes next.
//
// It is pure: what is taken is told, random bytes are handed in, and nothing is remembered beyond a Pool.
package ipam
