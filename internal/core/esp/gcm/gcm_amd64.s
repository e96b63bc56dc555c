//go:build !purego

#include "go_asm.h"
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
//	BX       the nonce
//	CX       how many rounds
//	R8       the last round key

DATA turn<>+0x00(SB)/8, $0x08090a0b0c0d0e0f
DATA turn<>+0x08(SB)/8, $0x0001020304050607
DATA turn<>+0x10(SB)/8, $0x08090a0b0c0d0e0f
DATA turn<>+0x18(SB)/8, $0x0001020304050607
GLOBL turn<>(SB), RODATA|NOPTR, $32

// The second counter is one more than the first.
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

// Sixteen bytes from 16-n on keep the first n of a block.
DATA keep<>+0x00(SB)/8, $-1
DATA keep<>+0x08(SB)/8, $-1
DATA keep<>+0x10(SB)/8, $0
DATA keep<>+0x18(SB)/8, $0
GLOBL keep<>(SB), RODATA|NOPTR, $32

#define KEYS state_keys
#define ROUNDS state_rounds
#define POWERS state_powers
#define HALVES state_halves

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

// PRODUCT adds the product of the block or the two in data, its bytes turned around, with the powers of pair i; the first of them is in key.
#define PRODUCT(i, data, part, key) \
	VPCLMULQDQ $0x00, key, data, part    \
	VPXOR      Y13, Y9, Y9               \
	VPCLMULQDQ $0x11, key, data, part    \
	VPXOR      Y13, Y11, Y11             \
	VPSHUFD    $0x4e, data, part         \
	VPXOR      part, data, data          \
	VMOVDQU    (HALVES+32*i)(AX), key    \
	VPCLMULQDQ $0x00, key, data, part    \
	VPXOR      Y13, Y10, Y10

// HASH adds pair i of the sixteen blocks at src.
#define HASH(src, i) \
	VMOVDQU    (32*i)(src), Y12          \
	VPSHUFB    Y14, Y12, Y12             \
	VMOVDQU    (POWERS+32*i)(AX), Y8     \
	PRODUCT(i, Y12, Y13, Y8)

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

// ABSORB multiplies the hash in X10 with H.
#define ABSORB \
	VMOVDQU    (POWERS+240)(AX), X13           \
	VPCLMULQDQ $0x00, X13, X10, X9             \
	VPCLMULQDQ $0x11, X13, X10, X11            \
	VPSHUFD    $0x4e, X10, X12                 \
	VPXOR      X10, X12, X12                   \
	VMOVDQU    (HALVES+240)(AX), X13           \
	VPCLMULQDQ $0x00, X13, X12, X10            \
	REDUCE

// BEGIN makes the registers ready for the state at AX, the nonce at BX and the counter in DX.
#define BEGIN \
	MOVQ        ROUNDS(AX), CX                 \
	MOVQ        CX, R8                         \
	SHLQ        $4, R8                         \
	ADDQ        AX, R8                         \
	VMOVDQU     turn<>(SB), Y14                \
	VMOVQ       (BX), X15                      \
	VPINSRD     $2, 8(BX), X15, X15            \
	VPSHUFB     X14, X15, X15                  \
	VPINSRD     $0, DX, X15, X15               \
	VINSERTI128 $1, X15, Y15, Y15              \
	VPADDD      first<>(SB), Y15, Y15

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

// func encrypt(s *state, nonce *byte, acc *[16]byte, dst, src *byte, n int)
TEXT ·encrypt(SB), NOSPLIT, $0-48
	MOVQ s+0(FP), AX
	MOVQ nonce+8(FP), BX
	MOVQ acc+16(FP), R11
	MOVQ dst+24(FP), DI
	MOVQ src+32(FP), SI
	MOVQ n+40(FP), R9
	MOVL $2, DX
	BEGIN
	VMOVDQU (R11), X10
	ABSORB

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
	VMOVDQU X10, (R11)
	VZEROUPPER
	RET

// func decrypt(s *state, nonce *byte, acc *[16]byte, dst, src *byte, n int)
TEXT ·decrypt(SB), NOSPLIT, $0-48
	MOVQ s+0(FP), AX
	MOVQ nonce+8(FP), BX
	MOVQ acc+16(FP), R11
	MOVQ dst+24(FP), DI
	MOVQ src+32(FP), SI
	MOVQ n+40(FP), R9
	MOVL $2, DX
	BEGIN
	VMOVDQU (R11), X10
	ABSORB

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

	VMOVDQU X10, (R11)
	VZEROUPPER
	RET

// PAIR and BLOCK hash what is in Y12 or X12, and the hash so far, in Y0, with its first block.
#define PAIR \
	VPSHUFB Y14, Y12, Y12           \
	VPXOR   Y0, Y12, Y12            \
	VPXOR   Y0, Y0, Y0              \
	VMOVDQU POWERS(AX), Y8          \
	PRODUCT(0, Y12, Y13, Y8)        \
	ADDQ    $32, AX

#define BLOCK \
	VPSHUFB X14, X12, X12           \
	VPXOR   X0, X12, X12            \
	VPXOR   X0, X0, X0              \
	VMOVDQU POWERS(AX), X8          \
	PRODUCT(0, X12, X13, X8)        \
	ADDQ    $16, AX

// EMPTY is the product of nothing.
#define EMPTY \
	VPXOR Y9, Y9, Y9                \
	VPXOR Y10, Y10, Y10             \
	VPXOR Y11, Y11, Y11

// func ghash(s *state, acc *[16]byte, src *byte, n int)
TEXT ·ghash(SB), NOSPLIT, $0-32
	MOVQ s+0(FP), AX
	MOVQ acc+8(FP), DX
	MOVQ src+16(FP), SI
	MOVQ n+24(FP), CX

	VMOVDQU turn<>(SB), Y14
	VMOVDQU (DX), X0
	EMPTY

	// The first of k blocks is multiplied with H to the k.
	MOVQ $16, R8
	SUBQ CX, R8
	SHLQ $4, R8
	ADDQ R8, AX

pairs:
	SUBQ    $2, CX
	JB      single
	VMOVDQU (SI), Y12
	PAIR
	ADDQ    $32, SI
	JMP     pairs

single:
	CMPQ    CX, $-1
	JNE     reduce
	VMOVDQU (SI), X12
	BLOCK

reduce:
	REDUCE
	VMOVDQU X10, (DX)
	VZEROUPPER
	RET

// func finish(s *state, nonce *byte, acc *[16]byte, e *ending)
TEXT ·finish(SB), NOSPLIT, $256-32
	MOVQ s+0(FP), AX
	MOVQ nonce+8(FP), BX
	MOVQ acc+16(FP), DI
	MOVQ e+24(FP), R13
	MOVL ending_counter(R13), DX
	MOVQ ending_hash(R13), R10
	MOVQ ending_n(R13), R9
	BEGIN

	// Fifteen blocks of the stream, and what masks the tag, in the place of the sixteenth unless all are needed.
	COUNTERS
	MOVL        $1, DX
	VPINSRD     $0, DX, X15, X15
	VPSHUFB     X14, X15, X15
	CMPQ        R9, $240
	JA          all
	VINSERTI128 $1, X15, Y7, Y7

all:
	VMOVDQU (DI), X10
	CMPB    ending_fresh(R13), $0
	JE      hashed
	ABSORB

hashed:
	WHITEN
	TESTQ   R10, R10
	JZ      alone

	// Sixteen blocks wait to be hashed.
	NINEHASHED(R10)
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
	LEAQ           stream-256(SP), R11
	VBROADCASTI128 (R8), Y8
	VAESENCLAST    Y8, Y0, Y0
	VAESENCLAST    Y8, Y1, Y1
	VAESENCLAST    Y8, Y2, Y2
	VAESENCLAST    Y8, Y3, Y3
	VAESENCLAST    Y8, Y4, Y4
	VAESENCLAST    Y8, Y5, Y5
	VAESENCLAST    Y8, Y6, Y6
	VAESENCLAST    Y8, Y7, Y7
	STORE(R11)
	CMPQ           R9, $240
	JA             mask
	VEXTRACTI128   $1, Y7, X15
	JMP            rest

mask:
	// Alone, which is rare.
	MOVQ  AX, BX
	VPXOR KEYS(BX), X15, X15

maskRound:
	ADDQ        $16, BX
	CMPQ        BX, R8
	JE          maskLast
	VAESENC     KEYS(BX), X15, X15
	JMP         maskRound

maskLast:
	VAESENCLAST KEYS(BX), X15, X15

rest:
	MOVQ    ending_dst(R13), DI
	MOVQ    ending_src(R13), SI
	MOVBLZX ending_opens(R13), R12
	VMOVDQA X10, X0
	EMPTY

	// The first of k blocks is multiplied with H to the k; the last is that of the lengths. There are seventeen at most: then the first sixteen
	// are for themselves.
	LEAQ    15(R9), DX
	SHRQ    $4, DX
	MOVQ    $15, CX
	SUBQ    DX, CX
	JAE     fits
	XORL    CX, CX

fits:
	SHLQ $4, CX
	ADDQ CX, AX
	MOVQ R9, CX
	SHRQ $4, CX

pairs:
	SUBQ    $2, CX
	JB      single
	VMOVDQU (SI), Y12
	VPXOR   (R11), Y12, Y13
	VMOVDQU Y13, (DI)
	TESTL   R12, R12
	JNZ     pair
	VMOVDQA Y13, Y12

pair:
	PAIR
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, R11
	JMP  pairs

single:
	CMPQ    CX, $-1
	JNE     part
	VMOVDQU (SI), X12
	VPXOR   (R11), X12, X13
	VMOVDQU X13, (DI)
	TESTL   R12, R12
	JNZ     block
	VMOVDQA X13, X12

block:
	BLOCK
	ADDQ $16, R11

part:
	// What is left of a block is in last.
	ANDQ    $15, R9
	JZ      lengths
	VMOVDQU ending_last(R13), X12
	VPXOR   (R11), X12, X13
	VMOVDQU X13, ending_last(R13)
	TESTL   R12, R12
	JNZ     parted
	MOVQ    $16, CX
	SUBQ    R9, CX
	LEAQ    keep<>(SB), BX
	VPAND   (BX)(CX*1), X13, X12

parted:
	BLOCK

lengths:
	CMPQ    DX, $16
	JB      together
	REDUCE
	VMOVDQA X10, X0
	EMPTY
	MOVQ    s+0(FP), AX
	ADDQ    $240, AX

together:
	VMOVQ   ending_text(R13), X12
	VPINSRQ $1, ending_data(R13), X12, X12
	VPXOR   X0, X12, X12
	VMOVDQU POWERS(AX), X8
	PRODUCT(0, X12, X13, X8)
	REDUCE
	VPSHUFB X14, X10, X10
	VPXOR   X15, X10, X10
	VMOVDQU X10, ending_tag(R13)
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
