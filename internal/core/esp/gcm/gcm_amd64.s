//go:build !purego

#include "textflag.h"

// Registers of all that encrypts:
//
//	Y0-Y7    sixteen blocks
//	Y8       the key of a round
//	Y9-Y11   the product under way: lower, middle and upper part (Karatsuba)
//	Y12-Y13  a pair of blocks that is hashed
//	Y14      turns the bytes of each block around
//	Y15      the next two counters, turned around
//	AX       the state of the key: round keys, powers of H, sums of their halves
//	CX       how many rounds
//	R8       the last round key

DATA turn<>+0x00(SB)/8, $0x08090a0b0c0d0e0f
DATA turn<>+0x08(SB)/8, $0x0001020304050607
DATA turn<>+0x10(SB)/8, $0x08090a0b0c0d0e0f
DATA turn<>+0x18(SB)/8, $0x0001020304050607
GLOBL turn<>(SB), RODATA|NOPTR, $32

// The first two counters are ctr and ctr+1.
DATA first<>+0x00(SB)/8, $0
DATA first<>+0x08(SB)/8, $0
DATA first<>+0x10(SB)/8, $1
DATA first<>+0x18(SB)/8, $0
GLOBL first<>(SB), RODATA|NOPTR, $32

DATA two<>+0x00(SB)/8, $2
DATA two<>+0x08(SB)/8, $0
DATA two<>+0x10(SB)/8, $2
DATA two<>+0x18(SB)/8, $0
GLOBL two<>(SB), RODATA|NOPTR, $32

DATA poly<>+0x00(SB)/8, $0xc200000000000000
DATA poly<>+0x08(SB)/8, $0xc200000000000000
GLOBL poly<>(SB), RODATA|NOPTR, $16

#define KEYS 0
#define ROUNDS 240
#define POWERS 256
#define HALVES 512

// COUNTERS puts sixteen counter blocks into Y0-Y7. The counter is the last 32 bits of a block and wraps alone (SP 800-38D §6.2).
#define COUNTERS \
	VMOVDQU two<>(SB), Y8          \
	VPSHUFB Y14, Y15, Y0           \
	VPADDD  Y8, Y15, Y15           \
	VPSHUFB Y14, Y15, Y1           \
	VPADDD  Y8, Y15, Y15           \
	VPSHUFB Y14, Y15, Y2           \
	VPADDD  Y8, Y15, Y15           \
	VPSHUFB Y14, Y15, Y3           \
	VPADDD  Y8, Y15, Y15           \
	VPSHUFB Y14, Y15, Y4           \
	VPADDD  Y8, Y15, Y15           \
	VPSHUFB Y14, Y15, Y5           \
	VPADDD  Y8, Y15, Y15           \
	VPSHUFB Y14, Y15, Y6           \
	VPADDD  Y8, Y15, Y15           \
	VPSHUFB Y14, Y15, Y7           \
	VPADDD  Y8, Y15, Y15

#define WHITEN \
	VBROADCASTI128 KEYS(AX), Y8    \
	VPXOR          Y8, Y0, Y0      \
	VPXOR          Y8, Y1, Y1      \
	VPXOR          Y8, Y2, Y2      \
	VPXOR          Y8, Y3, Y3      \
	VPXOR          Y8, Y4, Y4      \
	VPXOR          Y8, Y5, Y5      \
	VPXOR          Y8, Y6, Y6      \
	VPXOR          Y8, Y7, Y7

#define ROUND(r) \
	VBROADCASTI128 (KEYS+16*r)(AX), Y8 \
	VAESENC        Y8, Y0, Y0      \
	VAESENC        Y8, Y1, Y1      \
	VAESENC        Y8, Y2, Y2      \
	VAESENC        Y8, Y3, Y3      \
	VAESENC        Y8, Y4, Y4      \
	VAESENC        Y8, Y5, Y5      \
	VAESENC        Y8, Y6, Y6      \
	VAESENC        Y8, Y7, Y7

// LAST is the last round and the exclusive or with src.
#define LAST(src) \
	VBROADCASTI128 (R8), Y8        \
	VPXOR          0(src), Y8, Y12   \
	VAESENCLAST    Y12, Y0, Y0     \
	VPXOR          32(src), Y8, Y13  \
	VAESENCLAST    Y13, Y1, Y1     \
	VPXOR          64(src), Y8, Y12  \
	VAESENCLAST    Y12, Y2, Y2     \
	VPXOR          96(src), Y8, Y13  \
	VAESENCLAST    Y13, Y3, Y3     \
	VPXOR          128(src), Y8, Y12 \
	VAESENCLAST    Y12, Y4, Y4     \
	VPXOR          160(src), Y8, Y13 \
	VAESENCLAST    Y13, Y5, Y5     \
	VPXOR          192(src), Y8, Y12 \
	VAESENCLAST    Y12, Y6, Y6     \
	VPXOR          224(src), Y8, Y13 \
	VAESENCLAST    Y13, Y7, Y7

#define STORE(dst) \
	VMOVDQU Y0, 0(dst)             \
	VMOVDQU Y1, 32(dst)            \
	VMOVDQU Y2, 64(dst)            \
	VMOVDQU Y3, 96(dst)            \
	VMOVDQU Y4, 128(dst)           \
	VMOVDQU Y5, 160(dst)           \
	VMOVDQU Y6, 192(dst)           \
	VMOVDQU Y7, 224(dst)

// HASHFIRST begins the hash of the sixteen blocks at src with its first pair, to which the hash so far, in X10, is added.
#define HASHFIRST(src) \
	VMOVDQU    0(src), Y12               \
	VPSHUFB    Y14, Y12, Y12             \
	VPXOR      Y10, Y12, Y12             \
	VMOVDQU    POWERS(AX), Y13           \
	VPCLMULQDQ $0x00, Y13, Y12, Y9       \
	VPCLMULQDQ $0x11, Y13, Y12, Y11      \
	VPSHUFD    $0x4e, Y12, Y13           \
	VPXOR      Y13, Y12, Y12             \
	VMOVDQU    HALVES(AX), Y13           \
	VPCLMULQDQ $0x00, Y13, Y12, Y10

// HASH adds pair i of the sixteen blocks at src.
#define HASH(src, i) \
	VMOVDQU    (32*i)(src), Y12          \
	VPSHUFB    Y14, Y12, Y12             \
	VMOVDQU    (POWERS+32*i)(AX), Y8     \
	VPCLMULQDQ $0x00, Y8, Y12, Y13       \
	VPXOR      Y13, Y9, Y9               \
	VPCLMULQDQ $0x11, Y8, Y12, Y13       \
	VPXOR      Y13, Y11, Y11             \
	VPSHUFD    $0x4e, Y12, Y13           \
	VPXOR      Y13, Y12, Y12             \
	VMOVDQU    (HALVES+32*i)(AX), Y8     \
	VPCLMULQDQ $0x00, Y8, Y12, Y13       \
	VPXOR      Y13, Y10, Y10

// REDUCE folds the two lanes and reduces the product to 128 bits in X10. With the powers as they are this is Montgomery's reduction, two
// multiplications with the upper half of the polynomial (Gueron, "AES-GCM-SIV implementations", 2016; RFC 8452 §3 calls the product dot).
#define REDUCE \
	VPXOR        Y9, Y10, Y10            \
	VPXOR        Y11, Y10, Y10           \
	VPSLLDQ      $8, Y10, Y12            \
	VPSRLDQ      $8, Y10, Y13            \
	VPXOR        Y12, Y9, Y9             \
	VPXOR        Y13, Y11, Y11           \
	VEXTRACTI128 $1, Y9, X12             \
	VEXTRACTI128 $1, Y11, X13            \
	VPXOR        X12, X9, X9             \
	VPXOR        X13, X11, X11           \
	VMOVDQU      poly<>(SB), X13         \
	VPCLMULQDQ   $0x00, X13, X9, X12     \
	VPSHUFD      $0x4e, X9, X9           \
	VPXOR        X12, X9, X9             \
	VPCLMULQDQ   $0x00, X13, X9, X12     \
	VPSHUFD      $0x4e, X9, X9           \
	VPXOR        X12, X9, X9             \
	VPXOR        X9, X11, X10

// BEGIN makes the registers ready for the state at AX and the counter at BX.
#define BEGIN \
	MOVQ           ROUNDS(AX), CX              \
	MOVQ           CX, R8                      \
	SHLQ           $4, R8                      \
	ADDQ           AX, R8                      \
	VMOVDQU        turn<>(SB), Y14             \
	VBROADCASTI128 (BX), Y15                   \
	VPADDD         first<>(SB), Y15, Y15

// NINE are the rounds that every key has before its last.
#define NINE \
	ROUND(1) \
	ROUND(2) \
	ROUND(3) \
	ROUND(4) \
	ROUND(5) \
	ROUND(6) \
	ROUND(7) \
	ROUND(8) \
	ROUND(9)

// NINEHASHED are the same while the sixteen blocks at src are added to the hash in X10.
#define NINEHASHED(src) \
	ROUND(1)        \
	HASHFIRST(src)  \
	ROUND(2)        \
	HASH(src, 1)    \
	ROUND(3)        \
	HASH(src, 2)    \
	ROUND(4)        \
	HASH(src, 3)    \
	ROUND(5)        \
	HASH(src, 4)    \
	ROUND(6)        \
	HASH(src, 5)    \
	ROUND(7)        \
	HASH(src, 6)    \
	ROUND(8)        \
	HASH(src, 7)    \
	ROUND(9)        \
	REDUCE

// func encrypt(s *state, ctr, acc *[16]byte, dst, src *byte, n int)
TEXT ·encrypt(SB), NOSPLIT, $0-48
	MOVQ s+0(FP), AX
	MOVQ ctr+8(FP), BX
	MOVQ acc+16(FP), DX
	MOVQ dst+24(FP), DI
	MOVQ src+32(FP), SI
	MOVQ n+40(FP), R9
	BEGIN
	VMOVDQU        (DX), X10

	// The first sixteen, while there is nothing to hash.
	COUNTERS
	WHITEN
	NINE
	CMPQ CX, $10
	JE   firstLast
	ROUND(10)
	ROUND(11)
	CMPQ CX, $12
	JE   firstLast
	ROUND(12)
	ROUND(13)

firstLast:
	LAST(SI)
	STORE(DI)
	MOVQ DI, R10
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $256, R9
	JZ   done

loop:
	// The next sixteen, while those at R10 are hashed.
	COUNTERS
	WHITEN
	NINEHASHED(R10)
	CMPQ CX, $10
	JE   loopLast
	ROUND(10)
	ROUND(11)
	CMPQ CX, $12
	JE   loopLast
	ROUND(12)
	ROUND(13)

loopLast:
	LAST(SI)
	STORE(DI)
	MOVQ DI, R10
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $256, R9
	JNZ  loop

done:
	VMOVDQU X15, (BX)
	VMOVDQU X10, (DX)
	VZEROUPPER
	RET

// func decrypt(s *state, ctr, acc *[16]byte, dst, src *byte, n int)
TEXT ·decrypt(SB), NOSPLIT, $0-48
	MOVQ s+0(FP), AX
	MOVQ ctr+8(FP), BX
	MOVQ acc+16(FP), DX
	MOVQ dst+24(FP), DI
	MOVQ src+32(FP), SI
	MOVQ n+40(FP), R9
	BEGIN
	VMOVDQU        (DX), X10

loop:
	COUNTERS
	WHITEN
	NINEHASHED(SI)
	CMPQ CX, $10
	JE   last
	ROUND(10)
	ROUND(11)
	CMPQ CX, $12
	JE   last
	ROUND(12)
	ROUND(13)

last:
	LAST(SI)
	STORE(DI)
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $256, R9
	JNZ  loop

	VMOVDQU X15, (BX)
	VMOVDQU X10, (DX)
	VZEROUPPER
	RET

// func stream(s *state, ctr, last, acc *[16]byte, hash *byte, out *[256]byte)
TEXT ·stream(SB), NOSPLIT, $0-48
	MOVQ s+0(FP), AX
	MOVQ ctr+8(FP), BX
	MOVQ last+16(FP), DX
	MOVQ acc+24(FP), R9
	MOVQ hash+32(FP), R10
	MOVQ out+40(FP), DI
	BEGIN

	COUNTERS
	VMOVDQU     (DX), X13
	VPSHUFB     X14, X13, X13
	VINSERTI128 $1, X13, Y7, Y7
	WHITEN
	TESTQ R10, R10
	JZ    alone

	// Sixteen blocks wait to be hashed.
	VMOVDQU (R9), X10
	NINEHASHED(R10)
	VMOVDQU X10, (R9)
	JMP nine

alone:
	NINE

nine:
	CMPQ CX, $10
	JE   last
	ROUND(10)
	ROUND(11)
	CMPQ CX, $12
	JE   last
	ROUND(12)
	ROUND(13)

last:
	VBROADCASTI128 (R8), Y8
	VAESENCLAST    Y8, Y0, Y0
	VAESENCLAST    Y8, Y1, Y1
	VAESENCLAST    Y8, Y2, Y2
	VAESENCLAST    Y8, Y3, Y3
	VAESENCLAST    Y8, Y4, Y4
	VAESENCLAST    Y8, Y5, Y5
	VAESENCLAST    Y8, Y6, Y6
	VAESENCLAST    Y8, Y7, Y7
	STORE(DI)
	VZEROUPPER
	RET

// PRODUCT adds the product of the block or the two in data, its bytes turned around, with the powers at AX.
#define PRODUCT(data, part, key) \
	VPCLMULQDQ $0x00, key, data, part    \
	VPXOR      Y13, Y9, Y9               \
	VPCLMULQDQ $0x11, key, data, part    \
	VPXOR      Y13, Y11, Y11             \
	VPSHUFD    $0x4e, data, part         \
	VPXOR      part, data, data          \
	VMOVDQU    HALVES(AX), key           \
	VPCLMULQDQ $0x00, key, data, part    \
	VPXOR      Y13, Y10, Y10

// func ghash(s *state, acc *[16]byte, src *byte, n int, last *byte, m int)
TEXT ·ghash(SB), NOSPLIT, $0-48
	MOVQ s+0(FP), AX
	MOVQ acc+8(FP), DX
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX
	MOVQ last+32(FP), DI
	MOVQ m+40(FP), R9

	VMOVDQU turn<>(SB), Y14
	VMOVDQU (DX), X0     // belongs to the first block
	VPXOR   X9, X9, X9
	VPXOR   X10, X10, X10
	VPXOR   X11, X11, X11

	// The first of k blocks is multiplied with H to the k.
	MOVQ $16, R8
	SUBQ CX, R8
	SUBQ R9, R8
	SHLQ $4, R8
	ADDQ R8, AX

pairs:
	SUBQ    $2, CX
	JB      single
	VMOVDQU (SI), Y12
	VPSHUFB Y14, Y12, Y12
	VPXOR   Y0, Y12, Y12
	VPXOR   X0, X0, X0
	VMOVDQU POWERS(AX), Y8
	PRODUCT(Y12, Y13, Y8)
	ADDQ    $32, SI
	ADDQ    $32, AX
	JMP     pairs

single:
	CMPQ    CX, $-1
	JNE     next
	VMOVDQU (SI), X12
	VPSHUFB X14, X12, X12
	VPXOR   X0, X12, X12
	VPXOR   X0, X0, X0
	VMOVDQU POWERS(AX), X8
	PRODUCT(X12, X13, X8)
	ADDQ    $16, AX

next:
	// The other source, if there is one.
	MOVQ  DI, SI
	MOVQ  R9, CX
	XORL  R9, R9
	TESTQ CX, CX
	JNZ   pairs

	REDUCE
	VMOVDQU X10, (DX)
	VZEROUPPER
	RET

// func substitute(w uint32) uint32
TEXT ·substitute(SB), NOSPLIT, $0-12
	MOVL w+0(FP), AX
	MOVL AX, X0
	PSHUFD $0, X0, X0
	PXOR X1, X1
	AESENCLAST X1, X0
	MOVL X0, AX
	MOVL AX, ret+8(FP)
	RET

// func cpuid7() (ecx uint32)
TEXT ·cpuid7(SB), NOSPLIT, $0-4
	MOVL $7, AX
	MOVL $0, CX
	CPUID
	MOVL CX, ecx+0(FP)
	RET
