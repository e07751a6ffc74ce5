#include "textflag.h"
#include "vec_amd64.h"

// Column sums: blocks of columns, every row of a block in order, the sums in
// registers. Masks cut the last block, so that all blocks are one piece of code.

// CLAMP sets y to ones in as many lanes as CX, the columns left, has beyond skip.
// R10 is 8, R11 zero, R12 the end of the ones of ·tail.
#define CLAMP(skip, y) \
	LEAQ    -skip(CX), AX  \
	CMPQ    AX, R10        \
	CMOVQGT R10, AX        \
	CMPQ    AX, R11        \
	CMOVQLT R11, AX        \
	NEGQ    AX             \
	VMOVUPS (R12)(AX*4), y

#define CLAMPCONST \
	MOVQ $8, R10         \
	XORQ R11, R11        \
	LEAQ ·tail+32(SB), R12

// func gradColsAVX2(dgamma, dbeta, dy, x *float32, dys, xs, rows, n int, mean, rstd *float32, step int)
//
// dgamma += dy (x-mean) rstd and dbeta += dy, row after row, over rows of n columns.
// dys, xs and step are bytes from a row to the next; step 0 repeats one mean, rstd.
TEXT ·gradColsAVX2(SB), NOSPLIT, $0-88
	MOVQ dgamma+0(FP), DI
	MOVQ dbeta+8(FP), R8
	MOVQ n+56(FP), CX
	CLAMPCONST

block:
	CLAMP(0, Y14)
	CLAMP(8, Y15)
	MOVQ dy+16(FP), DX
	MOVQ x+24(FP), SI
	MOVQ rows+48(FP), BX
	MOVQ mean+64(FP), R9
	MOVQ rstd+72(FP), R13
	VMASKMOVPS (DI), Y14, Y4
	VMASKMOVPS 32(DI), Y15, Y5
	VMASKMOVPS (R8), Y14, Y6
	VMASKMOVPS 32(R8), Y15, Y7

row:
	VBROADCASTSS (R9), Y8
	VBROADCASTSS (R13), Y9
	VMASKMOVPS (SI), Y14, Y0
	VMASKMOVPS 32(SI), Y15, Y1
	VMASKMOVPS (DX), Y14, Y2
	VMASKMOVPS 32(DX), Y15, Y3
	VSUBPS Y8, Y0, Y0
	VSUBPS Y8, Y1, Y1
	VMULPS Y9, Y0, Y0
	VMULPS Y9, Y1, Y1
	VFMADD231PS Y0, Y2, Y4
	VFMADD231PS Y1, Y3, Y5
	VADDPS Y2, Y6, Y6
	VADDPS Y3, Y7, Y7
	ADDQ dys+32(FP), DX
	ADDQ xs+40(FP), SI
	ADDQ step+80(FP), R9
	ADDQ step+80(FP), R13
	DECQ BX
	JNZ  row
	VMASKMOVPS Y4, Y14, (DI)
	VMASKMOVPS Y5, Y15, 32(DI)
	VMASKMOVPS Y6, Y14, (R8)
	VMASKMOVPS Y7, Y15, 32(R8)
	ADDQ $64, DI
	ADDQ $64, R8
	ADDQ $64, dy+16(FP)
	ADDQ $64, x+24(FP)
	SUBQ $16, CX
	JGT  block
	VZEROUPPER
	RET

// func colSumAVX2(dst, x *float32, xs, rows, n int)
//
// dst += x, row after row.
TEXT ·colSumAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ xs+16(FP), R8
	MOVQ n+32(FP), CX
	CLAMPCONST

block:
	CLAMP(0, Y12)
	CLAMP(8, Y13)
	CLAMP(16, Y14)
	CLAMP(24, Y15)
	MOVQ x+8(FP), SI
	MOVQ rows+24(FP), BX
	VMASKMOVPS (DI), Y12, Y4
	VMASKMOVPS 32(DI), Y13, Y5
	VMASKMOVPS 64(DI), Y14, Y6
	VMASKMOVPS 96(DI), Y15, Y7

row:
	VMASKMOVPS (SI), Y12, Y0
	VMASKMOVPS 32(SI), Y13, Y1
	VMASKMOVPS 64(SI), Y14, Y2
	VMASKMOVPS 96(SI), Y15, Y3
	VADDPS Y0, Y4, Y4
	VADDPS Y1, Y5, Y5
	VADDPS Y2, Y6, Y6
	VADDPS Y3, Y7, Y7
	ADDQ R8, SI
	DECQ BX
	JNZ  row
	VMASKMOVPS Y4, Y12, (DI)
	VMASKMOVPS Y5, Y13, 32(DI)
	VMASKMOVPS Y6, Y14, 64(DI)
	VMASKMOVPS Y7, Y15, 96(DI)
	ADDQ $128, DI
	ADDQ $128, x+8(FP)
	SUBQ $32, CX
	JGT  block
	VZEROUPPER
	RET

// One vector of a row at offset o: dy in y, dgamma += dy x, dbeta += dy.
#define GRADCOLS(o, y, dg, db) \
	VMOVUPS     o(DX), y         \
	VFMADD231PS o(SI), y, dg     \
	VADDPS      y, db, db

// func gradBlocksAVX2(dgamma, dbeta, dx, dy, x, gamma *float32, dxs, dys, xs, rows, blocks int)
//
// dgamma += dy x and dbeta += dy, row after row, over rows of so many blocks of 32 columns,
// and dx = gamma dy unless dx is nil. Without masks: a masked store takes a Zen 4 12 cycles.
TEXT ·gradBlocksAVX2(SB), NOSPLIT, $0-88
	MOVQ dgamma+0(FP), DI
	MOVQ dbeta+8(FP), R8
	MOVQ dx+16(FP), R9
	MOVQ dy+24(FP), R10
	MOVQ x+32(FP), R11
	MOVQ gamma+40(FP), R12
	MOVQ dys+56(FP), R13
	MOVQ xs+64(FP), BX
	MOVQ blocks+80(FP), CX

block:
	MOVQ R10, DX
	MOVQ R11, SI
	MOVQ rows+72(FP), AX
	VMOVUPS (DI), Y4
	VMOVUPS 32(DI), Y5
	VMOVUPS 64(DI), Y6
	VMOVUPS 96(DI), Y7
	VMOVUPS (R8), Y8
	VMOVUPS 32(R8), Y9
	VMOVUPS 64(R8), Y10
	VMOVUPS 96(R8), Y11
	TESTQ R9, R9
	JZ   row
	VMOVUPS (R12), Y12
	VMOVUPS 32(R12), Y13
	VMOVUPS 64(R12), Y14
	VMOVUPS 96(R12), Y15
	MOVQ R9, R15

rowdx:
	GRADCOLS(0, Y0, Y4, Y8)
	GRADCOLS(32, Y1, Y5, Y9)
	GRADCOLS(64, Y2, Y6, Y10)
	GRADCOLS(96, Y3, Y7, Y11)
	VMULPS Y12, Y0, Y0
	VMULPS Y13, Y1, Y1
	VMULPS Y14, Y2, Y2
	VMULPS Y15, Y3, Y3
	VMOVUPS Y0, (R15)
	VMOVUPS Y1, 32(R15)
	VMOVUPS Y2, 64(R15)
	VMOVUPS Y3, 96(R15)
	ADDQ R13, DX
	ADDQ BX, SI
	ADDQ dxs+48(FP), R15
	DECQ AX
	JNZ  rowdx
	ADDQ $128, R9
	ADDQ $128, R12
	JMP  store

row:
	GRADCOLS(0, Y0, Y4, Y8)
	GRADCOLS(32, Y1, Y5, Y9)
	GRADCOLS(64, Y2, Y6, Y10)
	GRADCOLS(96, Y3, Y7, Y11)
	ADDQ R13, DX
	ADDQ BX, SI
	DECQ AX
	JNZ  row

store:
	VMOVUPS Y4, (DI)
	VMOVUPS Y5, 32(DI)
	VMOVUPS Y6, 64(DI)
	VMOVUPS Y7, 96(DI)
	VMOVUPS Y8, (R8)
	VMOVUPS Y9, 32(R8)
	VMOVUPS Y10, 64(R8)
	VMOVUPS Y11, 96(R8)
	ADDQ $128, DI
	ADDQ $128, R8
	ADDQ $128, R10
	ADDQ $128, R11
	DECQ CX
	JNZ  block
	VZEROUPPER
	RET
