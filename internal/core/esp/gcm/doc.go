// Package gcm is AES-GCM (NIST SP 800-38D) for processors that encrypt two blocks with one instruction (VAES and VPCLMULQDQ on 256 bits,
// which Intel's and AMD's have had since 2019 and 2020). ESP spends a third of its time in AES-GCM, and the standard library knows the
// instructions of 128 bits only. It is used where it is Usable; elsewhere, and in FIPS mode, the standard library's is.
//
// # How it works
//
// Sixteen blocks are under way at a time: eight registers pass through the rounds of AES while the sixteen blocks before (sealing) or the
// same ones (opening) are hashed, so that the units for either are busy together. A hash of n blocks multiplies the first with H^n, the next
// with H^(n-1) and so on, by Karatsuba, and reduces once. Blocks are hashed with their bytes turned around, and H is multiplied with x
// beforehand, so that a product needs no shift: that makes GHASH the POLYVAL of RFC 8452 (appendix A), of which dot is the product. What is
// left behind the last sixteen is encrypted with a stream made for it, whose last block masks the tag.
//
// # What it owes
//
// No branch and no address depends on keys or contents: AES is the processor's, as is the S-box of the key schedule, and tags are compared in
// constant time. Nothing of a packet whose tag is wrong is left in the output. Nonces are 12 bytes, tags 16; that a nonce is never used
// twice is the caller's duty.
package gcm
