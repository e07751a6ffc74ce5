#include "textflag.h"

// Registers of panelAVX2
//   DI  C, row at hand          R12 bytes between rows of C
//   SI  A, first row of tile    R8, R9, R10  1, 3, 5 rows of A
//   DX  B, row at hand          R11 bytes between columns of A
//   CX  rows of B left          R13 bytes between rows of B
//   AX  rows of C left          BX  acc
//   Y0, Y1  row of B            Y4..Y15 the tile, two registers a row

#define LOAD2(lo, hi) \
	VMOVUPS (DI), lo   \
	VMOVUPS 32(DI), hi \
	ADDQ    R12, DI

#define STORE2(lo, hi) \
	VMOVUPS lo, (DI)   \
	VMOVUPS hi, 32(DI) \
	ADDQ    R12, DI

#define ZERO2(lo, hi) \
	VXORPS lo, lo, lo \
	VXORPS hi, hi, hi

#define FMA2(addr, lo, hi) \
	VBROADCASTSS addr, Y2     \
	VFMADD231PS  Y0, Y2, lo   \
	VFMADD231PS  Y1, Y2, hi

#define BEGIN \
	MOVQ  DI, R14      \
	MOVQ  b+40(FP), DX \
	MOVQ  k+56(FP), CX \
	TESTL BX, BX

#define ROWOFB2 \
	VMOVUPS (DX), Y0   \
	VMOVUPS 32(DX), Y1 \
	ADDQ    R13, DX

// func panelAVX2(c *float32, cs int, a *float32, ars, acs int, b *float32, bs, k, m int, acc bool)
TEXT ·panelAVX2(SB), NOSPLIT, $0-73
	MOVQ    c+0(FP), DI
	MOVQ    cs+8(FP), R12
	MOVQ    a+16(FP), SI
	MOVQ    ars+24(FP), R8
	MOVQ    acs+32(FP), R11
	MOVQ    bs+48(FP), R13
	MOVQ    m+64(FP), AX
	MOVBLZX acc+72(FP), BX
	LEAQ    (R8)(R8*2), R9
	LEAQ    (R8)(R8*4), R10

rows6:
	CMPQ AX, $6
	JLT  rows4
	BEGIN
	JZ   zero6
	LOAD2(Y4, Y5)
	LOAD2(Y6, Y7)
	LOAD2(Y8, Y9)
	LOAD2(Y10, Y11)
	LOAD2(Y12, Y13)
	LOAD2(Y14, Y15)
	JMP  rows6k

zero6:
	ZERO2(Y4, Y5)
	ZERO2(Y6, Y7)
	ZERO2(Y8, Y9)
	ZERO2(Y10, Y11)
	ZERO2(Y12, Y13)
	ZERO2(Y14, Y15)

rows6k:
	ROWOFB2
	FMA2((SI), Y4, Y5)
	FMA2((SI)(R8*1), Y6, Y7)
	FMA2((SI)(R8*2), Y8, Y9)
	FMA2((SI)(R9*1), Y10, Y11)
	FMA2((SI)(R8*4), Y12, Y13)
	FMA2((SI)(R10*1), Y14, Y15)
	ADDQ R11, SI
	DECQ CX
	JNZ  rows6k
	MOVQ R14, DI
	STORE2(Y4, Y5)
	STORE2(Y6, Y7)
	STORE2(Y8, Y9)
	STORE2(Y10, Y11)
	STORE2(Y12, Y13)
	STORE2(Y14, Y15)
	SUBQ $6, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R9*2), SI
	MOVQ SI, a+16(FP)
	JMP  rows6

rows4:
	CMPQ AX, $4
	JLT  rows1
	BEGIN
	JZ   zero4
	LOAD2(Y4, Y5)
	LOAD2(Y6, Y7)
	LOAD2(Y8, Y9)
	LOAD2(Y10, Y11)
	JMP  rows4k

zero4:
	ZERO2(Y4, Y5)
	ZERO2(Y6, Y7)
	ZERO2(Y8, Y9)
	ZERO2(Y10, Y11)

rows4k:
	ROWOFB2
	FMA2((SI), Y4, Y5)
	FMA2((SI)(R8*1), Y6, Y7)
	FMA2((SI)(R8*2), Y8, Y9)
	FMA2((SI)(R9*1), Y10, Y11)
	ADDQ R11, SI
	DECQ CX
	JNZ  rows4k
	MOVQ R14, DI
	STORE2(Y4, Y5)
	STORE2(Y6, Y7)
	STORE2(Y8, Y9)
	STORE2(Y10, Y11)
	SUBQ $4, AX
	JZ   done
	MOVQ a+16(FP), SI
	LEAQ (SI)(R8*4), SI
	MOVQ SI, a+16(FP)

rows1:
	BEGIN
	JZ   zero1
	LOAD2(Y4, Y5)
	JMP  rows1k

zero1:
	ZERO2(Y4, Y5)

rows1k:
	ROWOFB2
	FMA2((SI), Y4, Y5)
	ADDQ R11, SI
	DECQ CX
	JNZ  rows1k
	MOVQ R14, DI
	STORE2(Y4, Y5)
	DECQ AX
	JZ   done
	MOVQ a+16(FP), SI
	ADDQ R8, SI
	MOVQ SI, a+16(FP)
	JMP  rows1

done:
	VZEROUPPER
	RET

// func transpose8AVX2(dst *float32, ds int, src *float32, ss, blocks int)
TEXT ·transpose8AVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ ds+8(FP), R8
	MOVQ src+16(FP), SI
	MOVQ ss+24(FP), R9
	MOVQ blocks+32(FP), CX
	LEAQ (R9)(R9*2), R10
	LEAQ (R8)(R8*2), R11

transpose:
	LEAQ (SI)(R9*4), DX
	VMOVUPS (SI), X0
	VMOVUPS (SI)(R9*1), X1
	VMOVUPS (SI)(R9*2), X2
	VMOVUPS (SI)(R10*1), X3
	VMOVUPS 16(SI), X4
	VMOVUPS 16(SI)(R9*1), X5
	VMOVUPS 16(SI)(R9*2), X6
	VMOVUPS 16(SI)(R10*1), X7
	VINSERTF128 $1, (DX), Y0, Y0
	VINSERTF128 $1, (DX)(R9*1), Y1, Y1
	VINSERTF128 $1, (DX)(R9*2), Y2, Y2
	VINSERTF128 $1, (DX)(R10*1), Y3, Y3
	VINSERTF128 $1, 16(DX), Y4, Y4
	VINSERTF128 $1, 16(DX)(R9*1), Y5, Y5
	VINSERTF128 $1, 16(DX)(R9*2), Y6, Y6
	VINSERTF128 $1, 16(DX)(R10*1), Y7, Y7

	// Each half register now holds a row of four; transpose 4x4 within halves.
	VUNPCKLPS Y1, Y0, Y8
	VUNPCKHPS Y1, Y0, Y9
	VUNPCKLPS Y3, Y2, Y10
	VUNPCKHPS Y3, Y2, Y11
	VUNPCKLPS Y5, Y4, Y12
	VUNPCKHPS Y5, Y4, Y13
	VUNPCKLPS Y7, Y6, Y14
	VUNPCKHPS Y7, Y6, Y15
	VUNPCKLPD Y10, Y8, Y0
	VUNPCKHPD Y10, Y8, Y1
	VUNPCKLPD Y11, Y9, Y2
	VUNPCKHPD Y11, Y9, Y3
	VUNPCKLPD Y14, Y12, Y4
	VUNPCKHPD Y14, Y12, Y5
	VUNPCKLPD Y15, Y13, Y6
	VUNPCKHPD Y15, Y13, Y7
	LEAQ (DI)(R8*4), DX
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, (DI)(R8*1)
	VMOVUPS Y2, (DI)(R8*2)
	VMOVUPS Y3, (DI)(R11*1)
	VMOVUPS Y4, (DX)
	VMOVUPS Y5, (DX)(R8*1)
	VMOVUPS Y6, (DX)(R8*2)
	VMOVUPS Y7, (DX)(R11*1)
	ADDQ $32, SI
	LEAQ (DI)(R8*8), DI
	DECQ CX
	JNZ  transpose
	VZEROUPPER
	RET
