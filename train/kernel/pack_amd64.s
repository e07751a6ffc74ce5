#include "textflag.h"

// func packCopyAVX2(dst, src *float32, ss, rows, n int)
//
// Rows of n bytes, 64 or 128, from src, ss bytes apart, one after another into dst. Rows
// that lie pages apart are not foreseen by the processor, so they are asked for.
TEXT ·packCopyAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ ss+16(FP), R8
	MOVQ rows+24(FP), CX
	MOVQ n+32(FP), DX
	MOVQ R8, R9
	SHLQ $4, R9
	CMPQ DX, $64
	JEQ  narrow

wide:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	PREFETCHT0 (SI)(R9*1)
	PREFETCHT0 64(SI)(R9*1)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	ADDQ R8, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  wide
	VZEROUPPER
	RET

narrow:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	PREFETCHT0 (SI)(R9*1)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ R8, SI
	ADDQ $64, DI
	DECQ CX
	JNZ  narrow
	VZEROUPPER
	RET
