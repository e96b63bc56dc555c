// Package flow decides about packets of one membership with a memory: it asks a filter.Set about what begins something, and lets pass
// what belongs to that.
package flow
