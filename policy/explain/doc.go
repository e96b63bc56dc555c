// Package explain says whether a packet may pass, by which rule and line, and why not; runs a document's tests; and lists what another
// document would open and close.
//
// An answer is no second implementation that could disagree with the first. Explain makes the Plans of both ends with
// policy/compile, as the controller does, and the filters of policy/filter from them, as nodes do, and asks these filters about a packet
// of the kind in question: the sender's on its way out, the receiver's on its way in. What is computed beside are the steps: which part
// of each rule matches.
//
// Where a rule allows something and the two nodes have no tunnel protocol in common, or not the one that it requires, the answer is no all the
// same, and says so. Nodes that do not exist are taken to speak everything.
//
// A question may be about nodes that do not exist: "what could somebody in group:dev reach, who had a laptop". Tests are of this
// kind: a user, a tag or an address stands for any node that it would be.
package explain
