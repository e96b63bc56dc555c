// Package forward decides what a relay does with a data frame: the flat tables, the decision and the books, without sockets and clocks.
//
// A Lane is one channel, a Seat one client, a Book what one worker counts. Lanes and seats have one writer, the relay's owner; a worker reads
// copies that the shell publishes, and changes nothing but its own Book. A client whose address changed is one changed Seat, however many
// channels it has. All three hold numbers and no pointers: an accelerator in the kernel can keep the same records in its own
// maps, lanes by channel number and seats by slot, and decide the same in the order of Decide.
package forward
