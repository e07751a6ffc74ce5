#include "textflag.h"

// Sixteen and twelve independent chains of multiply-adds: more than the latency of one
// times the number of units.

#define FMA512(z) VFMADD231PS Z30, Z31, z
#define FMA256(y) VFMADD231PS Y14, Y15, y

// func peakAVX512(n int)
TEXT ·peakAVX512(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VPXORD Z30, Z30, Z30
	VPXORD Z31, Z31, Z31

loop:
	FMA512(Z0)
	FMA512(Z1)
	FMA512(Z2)
	FMA512(Z3)
	FMA512(Z4)
	FMA512(Z5)
	FMA512(Z6)
	FMA512(Z7)
	FMA512(Z8)
	FMA512(Z9)
	FMA512(Z10)
	FMA512(Z11)
	FMA512(Z12)
	FMA512(Z13)
	FMA512(Z14)
	FMA512(Z15)
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET

// func peakAVX2(n int)
TEXT ·peakAVX2(SB), NOSPLIT, $0-8
	MOVQ n+0(FP), CX
	VPXOR Y14, Y14, Y14
	VPXOR Y15, Y15, Y15

loop:
	FMA256(Y0)
	FMA256(Y1)
	FMA256(Y2)
	FMA256(Y3)
	FMA256(Y4)
	FMA256(Y5)
	FMA256(Y6)
	FMA256(Y7)
	FMA256(Y8)
	FMA256(Y9)
	FMA256(Y10)
	FMA256(Y11)
	DECQ CX
	JNZ  loop
	VZEROUPPER
	RET
